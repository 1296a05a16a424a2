// "What if the depth were …": the continuum, sampled at any depth in the browser. Nothing of it is trained, and it says so.

import { get } from "../core/api.js";
import { el, section } from "../core/dom.js";
import { number } from "../core/format.js";
import { decisionSpec, minimaSpec, trajectorySpec } from "../charts/specs.js";
import { Chart } from "../charts/vega.js";
import { ContinuumModel } from "../math/network.js";
import { expectedCurve, expectedMinimum, finite, sliderDepths } from "../math/prediction.js";
import { Decision } from "./decision.js";
import { samplesOf } from "./samples.js";

const MOST = 512;
const DEEPEST = 4096;
const FIRST = 16;

/** The slider with what follows it, where the study has a continuum; otherwise the reason in words. */
export async function depthSection(job, results, signal) {
  const part = section("What if the depth were …", { class: "card" });
  const continuum = (results.models ?? []).find((model) => model.kind === "continuum");
  if (!continuum?.parameters) {
    part.append(el("p", { class: "hint" }, "This needs the continuum, and the study has none that was trained."));
    return part;
  }
  if (continuum.withheld?.objective) {
    part.append(el("p", { class: "hint" }, `This needs the continuum: ${continuum.withheld.objective}.`));
    return part;
  }
  let model;
  try {
    const { body } = await get(`v1/jobs/${job.id}/results/parameters`, { query: { model: "continuum" }, signal });
    model = new ContinuumModel(body, job.spec);
  } catch (error) {
    if (signal.aborted) throw error;
    part.append(el("p", { class: "hint" }, `The continuum's parameters cannot be used here: ${error.message}`));
    return part;
  }
  if (model.withheld !== null) {
    part.append(el("p", { class: "hint" }, model.withheld));
    return part;
  }
  new Explorer(part, model, results, await samplesOf(job, results, model, signal), signal);
  return part;
}

class Explorer {
  constructor(part, model, results, samples, signal) {
    Object.assign(this, { model, samples, signal, minima: results.diagnostics.minima });
    this.depths = sliderDepths(MOST);
    const first = this.depths.indexOf(FIRST);
    this.slider = el("input", { type: "range", id: "depth-slider", min: "0", max: String(this.depths.length - 1), step: "1", value: String(first), "aria-valuetext": `depth ${FIRST}`,
      on: { input: () => this.set(this.depths[Number(this.slider.value)], "slider") } });
    this.exact = el("input", { type: "number", id: "depth-exact", min: "2", max: String(DEEPEST), step: "1", value: String(FIRST), inputmode: "numeric",
      on: { input: () => this.#typed() } });
    this.expected = el("dl", { class: "facts", "aria-live": "polite" });
    this.charts = el("div", { class: "plots" });
    part.append(
      el("p", { class: "hint" }, "The continuum's parameters are read off at n equally spaced times and used as the layers of a network: a sampled network, which nothing was trained for. The dotted lines are the continuum itself."),
      el("div", { class: "slider" },
        el("div", { class: "field" }, el("label", { for: "depth-slider" }, "Depth n"), this.slider),
        el("div", { class: "field short" }, el("label", { for: "depth-exact" }, "exactly"), this.exact)),
      this.expected, this.charts);
    this.#addMinima();
    this.#addTrajectories();
    this.decision = Decision.of(model, samples, results.data?.inputs);
    if (this.decision) this.#add("regions", new Chart({ title: "What is decided where", description: this.decision.description, make: decisionSpec(this.decision), renderer: "canvas" }));
    this.pending = null;
    this.set(FIRST, "start");
  }

  #add(name, chart) {
    this[name] = chart;
    this.charts.append(chart.element);
    chart.start(this.signal);
    // a chart that is drawn anew, for another width or colours, has to be filled anew
    const draw = chart.draw.bind(chart);
    chart.draw = (signal) => draw(signal).then(() => this.#fill());
  }

  #addMinima() {
    const rows = (this.minima?.depths ?? []).filter((row) => finite(row.objective) !== null).map((row) => ({ depth: row.depth, value: row.objective, job: "trained" }));
    const curve = expectedCurve(this.minima, sliderDepths(128).filter((n) => n >= 4));
    if (curve.length === 0) return;
    const depths = [4, 8, 16, 32, 64, 128];
    const limits = [{ value: this.minima.continuum, job: "trained" }];
    this.#add("curve", new Chart({
      title: "Predicted minimum",
      description: "Dashed: E∞ + C₁/n, the leading order, predicted from the continuum alone. Points: trained. Diamond: the prediction at the depth chosen.",
      make: minimaSpec({ rows, limits, curve: curve.map((point) => ({ ...point, job: "trained" })), depths, jobs: ["trained"] }),
    }));
  }

  #addTrajectories() {
    const plane = this.model.dimension > 1;
    this.plane = plane;
    this.#add("paths", new Chart({
      title: "Trajectories of the sampled network",
      description: `${this.samples.description} ${plane ? "First two entries of the state, layer by layer." : "The state, layer by layer."} Symbols are where they start. Dotted: the continuum.`,
      make: trajectorySpec({ axes: plane ? ["first entry of the state", "second entry"] : ["time t = i/n", "state"], groups: this.samples.groups }),
    }));
  }

  #typed() {
    const n = Number(this.exact.value);
    const valid = Number.isInteger(n) && n >= 2 && n <= DEEPEST;
    this.exact.setAttribute("aria-invalid", String(!valid));
    if (valid) this.set(n, "exact");
  }

  /** Choose a depth; what follows is drawn once per frame, however fast the slider moves. */
  set(n, from) {
    this.n = n;
    if (from !== "exact") this.exact.value = String(n);
    if (from !== "slider") this.slider.value = String(nearest(this.depths, n));
    this.slider.setAttribute("aria-valuetext", `depth ${n}`);
    this.#say();
    if (this.pending !== null) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = null;
      this.#fill();
    });
  }

  #say() {
    const { value, error, trained, reason } = expectedMinimum(this.minima, this.n);
    const predicted = value === null ? `withheld: ${reason}` : `${number(value, 7)}${error === null ? "" : ` ± ${number(error, 2)}`}`;
    const facts = [["Depth n", String(this.n)], ["Predicted minimum E∞ + C₁/n", predicted], ["Trained minimum at this depth", trained === null ? "not trained" : number(trained, 7)]];
    this.expected.replaceChildren(...facts.map(([term, text]) => el("div", {}, el("dt", {}, term), el("dd", {}, text))));
    this.expected.dataset.depth = String(this.n);
  }

  async #fill() {
    if (this.signal.aborted) return;
    const { n, samples, model } = this;
    const value = expectedMinimum(this.minima, n).value;
    const point = (states, sample, i, steps) => ({ sample, order: i, group: samples.labels[sample] ?? "", ...(this.plane ? { x: states[i][0], y: states[i][1] } : { x: i / steps, y: states[i][0] }) });
    const rows = (all) => all.flatMap((states, sample) => thin(states.length).map((i) => point(states, sample, i, states.length - 1)));
    this.limitRows ??= rows(model.flow(64, samples.inputs));
    const network = rows(model.states(n, samples.inputs));
    const shallow = n >= 2 && n <= 160 ? [{ depth: n, value }] : [];
    await Promise.all([
      this.curve?.replace("chosen", shallow.map(({ depth }) => ({ depth }))),
      this.curve?.replace("expected", shallow),
      this.paths.replace("limit", this.limitRows),
      this.paths.replace("network", network),
      this.paths.replace("starts", network.filter((row) => row.order === 0)),
      this.decision?.samples.length ? this.regions.replace("samples", this.decision.samples) : null,
      this.decision ? this.regions.replace("cells", this.decision.cells(n)) : null,
    ]);
    this.charts.dataset.filled = String(n);
  }
}

/** Indices of a long path that are drawn, both ends among them. */
function thin(length, most = 129) {
  const step = Math.ceil(length / most);
  return Array.from({ length }, (_, i) => i).filter((i) => i % step === 0 || i === length - 1);
}

function nearest(depths, n) {
  return depths.reduce((best, depth, index) => (Math.abs(depth - n) < Math.abs(depths[best] - n) ? index : best), 0);
}
