// Two finished studies side by side: what came out of each, their minima, and both in one picture.

import { get } from "../core/api.js";
import { clear, el, section, table } from "../core/dom.js";
import { nameOf, number, percent, time } from "../core/format.js";
import { withQuery } from "../core/router.js";
import { Field, select } from "../form/field.js";
import { gapChart, minimaChart } from "../job/plots.js";
import { summaryOf, verdictSection } from "../job/verdict.js";
import { finite } from "../math/prediction.js";

export async function compareView({ body, say, route, signal }) {
  say("Compare two studies");
  const { body: page } = await get("v1/jobs", { query: { kind: "train", status: "succeeded", limit: 100 }, signal });
  const chosen = [route.query.get("a") ?? "", route.query.get("b") ?? ""];
  const jobs = page.items;
  for (const id of chosen) {
    if (id && !jobs.some((job) => job.id === id)) jobs.push((await get(`v1/jobs/${encodeURIComponent(id)}`, { signal })).body);
  }
  if (jobs.length < 2) {
    body.append(el("p", { class: "hint" }, "It takes two finished studies. ", el("a", { href: "#/new" }, "Start one."), " It will be here when it is done."));
    return;
  }
  const place = el("div", { class: "stack" });
  const options = [["", "choose"], ...jobs.map((job) => [job.id, `${nameOf(job)}, ${time(job.created_at)}`])];
  let turn = 0;
  const show = async () => {
    const mine = (turn += 1);
    history.replaceState(null, "", withQuery("#/compare", { a: chosen[0], b: chosen[1] }));
    if (!chosen[0] || !chosen[1]) {
      clear(place).append(el("p", { class: "hint" }, "Choose two studies."));
      return;
    }
    const studies = await Promise.all(chosen.map((id) => read(jobs.find((job) => job.id === id), signal)));
    if (mine === turn) draw(clear(place), studies, signal);
  };
  const chooser = (label, index) => new Field(label, select(options, chosen[index], (id) => {
    chosen[index] = id;
    show();
  })).element;
  body.append(el("div", { class: "grid" }, chooser("First study", 0), chooser("Second study", 1)), place);
  await show();
}

async function read(job, signal) {
  const path = `v1/jobs/${encodeURIComponent(job.id)}`;
  const [{ body: whole }, { body: results }] = await Promise.all([get(path, { signal }), get(`${path}/results`, { signal })]);
  return { job: whole, results, minima: results.diagnostics.minima };
}

function draw(place, studies, signal) {
  const names = distinct(studies.map(({ job }) => nameOf(job)));
  place.append(
    el("div", { class: "pair" }, studies.map(({ results }, i) => verdictSection(results.diagnostics.verdict, names[i]))),
    section("Minima by depth", { class: "card" }, minimaOfBoth(studies, names)),
    section("At a glance", { class: "card" }, facts(studies, names)));
  const named = studies.map(({ minima }, i) => ({ name: names[i], minima }));
  const charts = [minimaChart(named), gapChart(named)].filter(Boolean);
  if (charts.length) place.append(section("Both in one picture", { class: "card" }, el("div", { class: "plots" }, charts.map((chart) => (chart.start(signal), chart.element)))));
}

function minimaOfBoth(studies, names) {
  const depths = [...new Set(studies.flatMap(({ minima }) => (minima?.depths ?? []).map((row) => row.depth)))].sort((a, b) => a - b);
  const at = ({ minima }, depth) => (minima?.depths ?? []).find((row) => row.depth === depth);
  const head = ["depth n", ...names.flatMap((name) => [`Eₙ, ${name}`, `gap, ${name}`])];
  const rows = depths.map((depth) => [String(depth), ...studies.flatMap((study) => [number(at(study, depth)?.objective, 7), number(at(study, depth)?.gap)])]);
  rows.push(["limit", ...studies.flatMap(({ minima }) => [number(minima?.continuum, 7), null])]);
  return table("Minima of both studies", head, rows, { hideCaption: true });
}

function facts(studies, names) {
  const rows = [
    ["Does it converge?", ({ results }) => summaryOf(results.diagnostics.verdict)],
    ["Depth to use", ({ results }) => results.diagnostics.verdict.answer?.depth ?? null],
    ["Data", ({ job, results }) => [job.spec.data.name ?? job.spec.data.source, results.data ? `${results.data.samples.train} samples` : null].filter(Boolean).join(", ")],
    ["Best score on training data", ({ results }) => best(results.models, "train")],
    ["Best score on data held out", ({ results }) => best(results.models, "validation")],
    ["Order of the minima", ({ minima }) => number((minima?.depths ?? []).at(-1)?.order, 3)],
  ];
  return table("Both at a glance", ["", ...names], rows.map(([label, of]) => [label, ...studies.map((study) => {
    const value = of(study);
    return value === null || value === undefined ? null : String(value);
  })]), { hideCaption: true });
}

function best(models, part) {
  const scores = models.map((model) => model[part]).filter(Boolean);
  const accuracies = scores.map((one) => finite(one.accuracy)).filter((value) => value !== null);
  if (accuracies.length) return percent(Math.max(...accuracies));
  const r2 = scores.map((one) => finite(one.r2)).filter((value) => value !== null);
  return r2.length ? `R² ${number(Math.max(...r2))}` : null;
}

/** Names that tell the two apart, also where both are called the same. */
function distinct(names) {
  return names[0] === names[1] ? [`${names[0]} (first)`, `${names[1]} (second)`] : names;
}
