// Which inputs the slider lets flow: samples of the study where its worker kept some, else inputs that this page chooses.

import { get, send } from "../core/api.js";

const MOST = 30;

/** `{inputs, labels, groups, description, own}`: standardised inputs, the group of each, and what they are. */
export async function samplesOf(job, results, model, signal) {
  return (await keptSamples(job, results, signal)) ?? chosenInputs(model.parameters.input_dim);
}

async function keptSamples(job, results, signal) {
  if (!job.links.plots) return null;
  try {
    const path = `v1/jobs/${job.id}/plots`;
    const { body: index } = await get(path, { signal });
    if (!index.plots.some((plot) => plot.name === "trajectories")) return null;
    const response = await send("GET", `${path}/trajectories`, { headers: { Accept: "application/json" }, signal });
    const data = await response.json();
    const inputs = data.inputs?.slice(0, MOST);
    if (!Array.isArray(inputs) || inputs.length === 0) return null;
    const names = results.data?.classes ?? null;
    const classes = (data.classes ?? []).slice(0, MOST);
    const labels = classes.map((one) => (Number.isInteger(one) ? (names?.[one] ?? `class ${one}`) : String(one)));
    return { inputs, labels, names, groups: [...new Set(labels)], own: true, description: `${inputs.length} samples of the study, by colour and shape of their true class where there is one.` };
  } catch (error) {
    if (signal.aborted) throw error;
    return null; // the pictures have no trajectories: the page's own inputs will do
  }
}

/** Inputs over two standard deviations around the mean: a line, a lattice, or steps along the axes. */
export function chosenInputs(features) {
  const steps = [-2, -1, 0, 1, 2];
  let inputs;
  if (features === 1) inputs = [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2].map((x) => [x]);
  else if (features === 2) inputs = steps.flatMap((x) => steps.map((y) => [x, y]));
  else {
    inputs = Array.from({ length: Math.min(features, 8) }, (_, column) => [-1.5, 1.5].map((x) => Array.from({ length: features }, (_unused, i) => (i === column ? x : 0)))).flat();
  }
  return { inputs, labels: [], names: null, groups: [], own: false, description: `${inputs.length} inputs that this page chose, within two standard deviations of the mean; no samples.` };
}
