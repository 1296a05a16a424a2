// Drives a service with the types that openapi-typescript makes of its document, and prints what it found as JSON.
// Whatever the types do not allow stops the compiler.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Job = components["schemas"]["Job"];
type Spec = components["schemas"]["TrainSpec"] | components["schemas"]["EvaluateSpec"];

const client = createClient<paths>({ baseUrl: process.argv[2] ?? "" });
const csv = "left,right,side\n0,1,down\n1,0,up\n2,1,up\n1,2,down\n3,1,up\n1,3,down\n2,0,up\n0,2,down\n";

function got<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) {
    throw new Error(`${answer.response.status}: ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

// bodySerializer: openapi-fetch would send the text as JSON
const asItIs = (body: unknown) => body as string;

async function upload() {
  const named = got(
    await client.POST("/v1/datasets", {
      params: { query: { format: "csv", name: "sides" } },
      headers: { "Content-Type": "application/octet-stream" },
      body: csv,
      bodySerializer: asItIs,
    }),
  );
  const typed = got(
    await client.POST("/v1/datasets", { headers: { "Content-Type": "text/csv" }, body: csv, bodySerializer: asItIs }),
  );
  if (named.id !== typed.id) {
    throw new Error("the same file became two data sets");
  }
  return named;
}

async function finish(body: Spec): Promise<Job> {
  const created = got(await client.POST("/v1/jobs", { body }));
  if (!("status" in created)) {
    throw new Error("a dry run that was not asked for");
  }
  let job: Job = created;
  while (!job.done) {
    const params = { path: { job_id: job.id }, header: { prefer: "wait=20" } };
    job = got(await client.GET("/v1/jobs/{job_id}", { params }));
  }
  return job;
}

const dataset = await upload();
const spec: components["schemas"]["TrainSpec"] = {
  kind: "train",
  data: { source: "dataset", id: dataset.id },
  discrete: { depths: [4, 8] },
  training: { starts: 1, gradient_tolerance: 1e-5 },
};
const plan = got(await client.POST("/v1/jobs/plan", { body: spec }));
const trained = await finish(spec);
const results = got(
  await client.GET("/v1/jobs/{job_id}/results", { params: { path: { job_id: trained.id } } }),
);
if (!("models" in results)) {
  throw new Error("results of another kind");
}
const parameters = got(
  await client.GET("/v1/jobs/{job_id}/results/parameters", {
    params: { path: { job_id: trained.id }, query: { model: "discrete-8" } },
  }),
);
const evaluated = await finish({ kind: "evaluate", job_id: trained.id, models: ["discrete-8"] });

const refused = await client.POST("/v1/jobs", {
  body: { kind: "train", data: { source: "builtin", name: "iris" }, network: { state_dim: 3 } },
});
if (refused.error === undefined) {
  throw new Error("a specification that breaks the contract was taken");
}
// the compiler knows every code
const code: components["schemas"]["ErrorCode"] = refused.error.code;

console.log(
  JSON.stringify({
    class_names: dataset.targets?.class_names,
    planned: plan.spec.kind === "train" ? plan.spec.data.source : null,
    trained: trained.status,
    spec: trained.spec.kind,
    models: results.models.map((model) => model.model),
    accuracy: results.models.map((model) => model.train?.accuracy),
    K: typeof parameters === "object" && "K" in parameters ? parameters.K.length : null,
    evaluated: evaluated.status,
    refused: [refused.response.status, code, refused.error.errors?.map((item) => item.pointer)],
  }),
);
