// Tables of a finished job: its models, the minima by depth, and what the other kinds of job found.

import { el, section, table } from "../core/dom.js";
import { duration, number, percent } from "../core/format.js";
import { finite } from "../math/prediction.js";

const metricOf = (metrics) => {
  if (!metrics) return null;
  if (finite(metrics.accuracy) !== null) return percent(metrics.accuracy);
  return finite(metrics.r2) === null ? null : `R² ${number(metrics.r2)}`;
};

/** Each trained model with what it reached, and why that is not known of some. */
export function modelsTable(models) {
  const held = models.some((model) => model.validation);
  const reasons = new Set(models.flatMap(({ withheld }) => [withheld?.objective, withheld?.train]).filter(Boolean));
  return [table("The trained models", ["model", "ended as", "objective E", "loss", "training", ...(held ? ["held out"] : []), "iterations", "time"],
    models.map((model) => [model.model, model.status.replaceAll("_", " "), number(model.objective, 7), number(model.terminal_loss), metricOf(model.train),
      ...(held ? [metricOf(model.validation)] : []), String(model.iterations), duration(finite(model.wall_time_s))])),
  ...[...reasons].map((reason) => el("p", { class: "hint" }, `Not given: ${reason}.`))];
}

/** E_n, its distance from the limit and the observed order, by depth. */
export function minimaTable(minima, caption = "Minima by depth") {
  return table(caption, ["depth n", "minimum Eₙ", "gap Eₙ − E∞", "order", "n · gap", "predicted"],
    (minima.depths ?? []).map((row) => [String(row.depth), number(row.objective, 7), number(row.gap), number(row.order, 3), number(row.slope), number(row.predicted_slope)]));
}

export function limitLine(minima) {
  if (finite(minima?.continuum) === null) return null;
  const slope = finite(minima.predicted_slope);
  return el("p", {}, `E∞ = ${number(minima.continuum, 8)}, trained as a continuum.`, slope === null ? null : ` The gap is expected to be ${number(slope)}/n.`);
}

/** Results of an evaluation. */
export function evaluationSection(results) {
  const metrics = [...new Set(results.evaluations.flatMap((one) => Object.keys(one.metrics ?? {})))];
  return section("Evaluated models", { class: "card" },
    table("Metrics by model", ["model", "depth", ...metrics.map((name) => name.replaceAll("_", " "))],
      results.evaluations.map((one) => [one.model, one.depth === null || one.depth === undefined ? null : String(one.depth), ...metrics.map((name) => number(one.metrics?.[name]))])),
    results.sampled ? table("Depths that were sampled from the continuum, against it", ["depth", "states differ by", "predictions differ by"],
      results.sampled.depths.map((row) => [String(row.depth), number(row.states?.sup_error), number(row.predictions?.sup_error)])) : null);
}

/** Results of a diagnosis. */
export function diagnosisSection(results) {
  const { classification } = results;
  const evidence = Object.entries(classification?.evidence ?? {}).filter(([, value]) => value !== null && typeof value !== "object");
  return section("What the weights tend to", { class: "card" },
    el("p", { class: "summary" }, String(classification?.class ?? "undecided").replaceAll("_", " ")),
    evidence.length ? table("The evidence", ["quantity", "value"], evidence.map(([name, value]) => [name.replaceAll("_", " "), number(value)])) : null);
}
