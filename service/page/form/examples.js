// Specifications to start from. Only the fields that say something; the rest keeps its default.

import { resolve } from "./schema.js";

export const EXAMPLES = [
  {
    title: "Two moons", text: "Two classes in the plane; a few seconds.",
    spec: { kind: "train", name: "two moons", data: { source: "builtin", name: "moons", samples: 200, noise: 0.1, validation_fraction: 0.2 },
      network: { state_dim: 4 }, objective: { alpha: { K: 0.001, b: 0.001, W: 0.001, c: 0.001 } }, discrete: { depths: [8, 16, 32, 64] } },
  },
  {
    title: "Breast cancer", text: "Real data: 569 samples, 30 inputs.",
    spec: { kind: "train", name: "breast cancer", data: { source: "builtin", name: "breast_cancer", validation_fraction: 0.2 }, discrete: { depths: [8, 16, 32, 64] } },
  },
  {
    title: "The depth for a gap", text: "Which depth is within 0.001 of the limit?",
    spec: { kind: "train", name: "iris, which depth", data: { source: "builtin", name: "iris", validation_fraction: 0.2 }, discrete: { depths: { gap: 0.001 } } },
  },
  { title: "My own table", text: "A CSV with a column to predict.", spec: { kind: "train", data: { source: "dataset", validation_fraction: 0.2 }, discrete: { depths: [8, 16, 32, 64] } } },
];

/** A new specification of another kind of job. */
export const BLANK = {
  train: EXAMPLES[0].spec,
  evaluate: { kind: "evaluate", job_id: "" },
  diagnose: { kind: "diagnose", networks: [] },
};

/** What a job was given, as a specification to change: only what a new one may say, without what a new job has of its own. */
export function like(job, root) {
  const spec = known(structuredClone(job.spec), root, root);
  delete spec.external_id;
  if (spec.metadata && Object.keys(spec.metadata).length === 0) delete spec.metadata;
  if (spec.name) spec.name = `${spec.name}, again`.slice(0, 200);
  else delete spec.name;
  if (spec.data?.source === "inline") spec.data = { source: "dataset" }; // its samples are not in the record
  return spec;
}

/** A value without the fields that its schema does not have. */
function known(value, raw, root) {
  const { schema } = resolve(raw, root);
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  let described = schema;
  if (schema.discriminator) {
    const reference = schema.discriminator.mapping[value[schema.discriminator.propertyName]];
    if (reference === undefined) return value;
    described = resolve({ $ref: reference }, root).schema;
  }
  if (!described.properties) return value;
  const kept = Object.entries(value).filter(([name]) => name in described.properties);
  return Object.fromEntries(kept.map(([name, part]) => [name, known(part, described.properties[name], root)]));
}
