// Pictures of a finished job: those that its worker drew, or the page's own from the results where there are none.

import { get, hasKey, send, address } from "../core/api.js";
import { button, clear, details, el, section } from "../core/dom.js";
import { number } from "../core/format.js";
import { expectedCurve, finite } from "../math/prediction.js";
import { fallingSpec, gapSpec, minimaSpec } from "../charts/specs.js";
import { Chart } from "../charts/vega.js";

const VEGA_LITE = "application/vnd.vegalite.v6+json";

/** The pictures that belong to a job, whoever draws them. */
export async function plotsSection(job, results, signal) {
  const part = section("Pictures", { class: "card" });
  if (job.links.plots) {
    try {
      const { body } = await get(`v1/jobs/${job.id}/plots`, { signal });
      if (body.plots.length) {
        part.append(el("div", { class: "plots" }, body.plots.map((plot) => plotFigure(job, plot, signal))), ...withheld(body.withheld));
        return part;
      }
    } catch (error) {
      if (signal.aborted) throw error;
      part.append(el("p", { class: "hint" }, `The worker's pictures cannot be read: ${error.message}`));
    }
  }
  const charts = await ownCharts(job, results, signal);
  if (charts.length === 0) return null;
  part.append(el("div", { class: "plots" }, charts.map((chart) => (chart.start(signal), chart.element))));
  return part;
}

function withheld(reasons) {
  const rows = Object.entries(reasons ?? {});
  return rows.length ? [details("Pictures that this study has not", {}, el("ul", {}, rows.map(([name, reason]) => el("li", {}, `${name.replaceAll("_", " ")}: ${reason}`))))] : [];
}

/** A still picture with its description, and the same to point at. */
function plotFigure(job, plot, signal) {
  const path = `v1/jobs/${job.id}/plots/${encodeURIComponent(plot.name)}`;
  const image = el("img", { alt: plot.description ?? plot.title, width: plot.width, height: plot.height, loading: "lazy" });
  place(image, path, signal);
  const stage = el("div", {}, image);
  const figure = el("figure", {}, stage, el("figcaption", { class: "below" }, plot.description ?? plot.title)); // the picture has its title in it
  if ((plot.forms ?? []).includes(VEGA_LITE)) {
    const more = button("Point at the values", async () => {
      more.disabled = true;
      const response = await send("GET", path, { headers: { Accept: VEGA_LITE }, signal });
      const specification = await response.json();
      const chart = new Chart({ title: plot.title, description: plot.description ?? "", make: () => specification, own: false });
      clear(stage).append(chart.area);
      chart.start(signal);
      more.remove();
    }, { "aria-label": `Point at the values of ${plot.title}` });
    figure.append(el("div", { class: "actions" }, more));
  }
  return figure;
}

/** An image asks for itself, unless a key has to go with the question. */
async function place(image, path, signal) {
  if (!hasKey()) {
    image.src = address(path).href;
    return;
  }
  const response = await send("GET", path, { headers: { Accept: "image/svg+xml" }, signal });
  const url = URL.createObjectURL(await response.blob());
  image.src = url;
  signal.addEventListener("abort", () => URL.revokeObjectURL(url), { once: true });
}

async function ownCharts(job, results, signal) {
  const minima = results.diagnostics?.minima;
  const charts = [];
  const chart = minimaChart([{ name: "this study", minima }]);
  if (chart) charts.push(chart);
  const gaps = gapChart([{ name: "this study", minima }]);
  if (gaps) charts.push(gaps);
  if (job.links.losses && (results.models ?? []).length) {
    const { body } = await get(`v1/jobs/${job.id}/results/losses`, { signal });
    const falling = lossesChart(body.models);
    if (falling) charts.push(falling);
  }
  return charts;
}

/** Minima of one study or of several over the depth. */
export function minimaChart(studies) {
  const rows = studies.flatMap(({ name, minima }) => (minima?.depths ?? []).filter((row) => finite(row.objective) !== null).map((row) => ({ depth: row.depth, value: row.objective, job: name })));
  if (rows.length === 0) return null;
  const depths = [...new Set(rows.map((row) => row.depth))].sort((a, b) => a - b);
  const limits = studies.filter(({ minima }) => finite(minima?.continuum) !== null).map(({ name, minima }) => ({ value: minima.continuum, job: name }));
  const curve = studies.flatMap(({ name, minima }) => expectedCurve(minima ?? {}, dense(depths)).map((point) => ({ ...point, job: name })));
  return new Chart({
    title: "Minimum over depth",
    description: `Points are trained. ${limits.length ? `Dotted: the limit E∞${limits.length === 1 ? ` = ${number(limits[0].value, 6)}` : ""}. ` : ""}${curve.length ? "Dashed: E∞ + C₁/n, predicted from the limit alone." : ""}`,
    make: minimaSpec({ rows, limits, curve, depths, jobs: studies.map(({ name }) => name) }),
    numbers: { caption: "Minimum over depth", head: ["study", "depth", "minimum"], rows: rows.map((row) => [row.job, String(row.depth), number(row.value, 8)]) },
  });
}

/** Distances from the limit, with a straight line for a power of the depth. */
export function gapChart(studies) {
  const rows = studies.flatMap(({ name, minima }) => (minima?.depths ?? []).filter((row) => finite(row.gap) > 0).map((row) => ({ depth: row.depth, value: row.gap, job: name })));
  if (rows.length < 2) return null;
  const depths = [...new Set(rows.map((row) => row.depth))].sort((a, b) => a - b);
  return new Chart({
    title: "Gap to the limit",
    description: "Eₙ − E∞ on logarithmic axes, where it is positive; it halves with every doubling of the depth where the order is 1.",
    make: gapSpec({ rows, depths, jobs: studies.map(({ name }) => name), title: "Eₙ − E∞" }),
    numbers: { caption: "Gap to the limit", head: ["study", "depth", "gap"], rows: rows.map((row) => [row.job, String(row.depth), number(row.value)]) },
  });
}

function lossesChart(models) {
  const rows = models.flatMap((model) => thinned(model.objective.map((objective, x) => ({ x, objective, model: model.model })).filter((row) => finite(row.objective) !== null)));
  if (rows.length < 2) return null;
  return new Chart({
    title: "Training",
    description: "The objective of every model by iteration; each depth starts from the one before.",
    make: fallingSpec({ rows, x: "iteration", log: rows.every((row) => row.objective > 0) }),
    numbers: { caption: "Training", head: ["model", "iterations", "first", "last"], rows: models.map((model) => [model.model, String(model.objective.length), number(model.objective[0]), number(model.objective.at(-1), 7)]) },
  });
}

const dense = (depths) => Array.from({ length: 41 }, (_, i) => depths[0] * (depths.at(-1) / depths[0]) ** (i / 40));

function thinned(rows, most = 150) {
  const step = Math.ceil(rows.length / most);
  return rows.filter((_, i) => i % step === 0 || i === rows.length - 1);
}
