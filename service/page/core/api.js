// Calls of the service: problems as errors, a key when one is asked for, and following a job without a busy loop.

/** Where the service is: this file lies below it, whatever a proxy puts in front. */
export const ROOT = new URL("../../", import.meta.url);

/** What the service refused, as its problem+json says it. */
export class Problem extends Error {
  constructor(status, code, detail, errors = [], requestId = null) {
    super(detail);
    this.status = status;
    this.code = code;
    this.errors = errors;
    this.requestId = requestId;
  }
}

let key = null; // in memory only: gone with the page
let wanted = null;

/** Set what asks the user for a key; it gets the challenge and resolves with a key or null. */
export function onKeyWanted(ask) {
  wanted = ask;
}

/** Whether answers depend on a key, so that frames and images cannot fetch them by themselves. */
export const hasKey = () => key !== null;

export const address = (path) => new URL(path, ROOT);

async function problemOf(response) {
  try {
    const body = await response.json();
    return new Problem(response.status, body.code, body.detail, body.errors ?? [], body.request_id);
  } catch {
    return new Problem(response.status, "http_error", `The service answered ${response.status}.`);
  }
}

/** Send a request and return the response, which is a success or a 304. */
export async function send(method, path, { headers = {}, body, signal, query } = {}) {
  const url = address(path);
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, one);
  }
  for (;;) {
    const sent = { ...headers, ...(key === null ? {} : { Authorization: `Bearer ${key}` }) };
    let response;
    try {
      response = await fetch(url, { method, headers: sent, body, signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Problem(0, "unreachable", "The service does not answer.");
    }
    if (response.status === 401 && response.headers.has("WWW-Authenticate") && wanted !== null) {
      const given = await wanted(key !== null);
      if (given !== null) {
        key = given;
        continue;
      }
    }
    if (response.ok || response.status === 304) return response;
    throw await problemOf(response);
  }
}

/** Read JSON; `etag` comes with it. */
export async function get(path, options = {}) {
  const response = await send("GET", path, options);
  return { body: response.status === 304 ? null : await response.json(), etag: response.headers.get("ETag") };
}

/** Send JSON and read the answer. */
export async function post(path, value, options = {}) {
  const headers = { "Content-Type": "application/json", ...options.headers };
  const body = value === undefined ? undefined : JSON.stringify(value);
  const response = await send("POST", path, { ...options, headers: value === undefined ? options.headers : headers, body });
  return response.status === 204 ? null : response.json();
}

/** A pause that ends early when the view is left. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

const WAIT_S = 25;
const LONGEST_PAUSE_MS = 30_000;
const BETWEEN_MS = 1000; // from a question that brought nothing new to the next, where a proxy drops Prefer

/** Call `onJob` with a job now and at every change until it is done; `onTrouble` with what is in the way meanwhile. */
export async function follow(id, signal, onJob, onTrouble = () => {}) {
  let etag = null;
  let revision = null;
  let trouble = 0;
  while (!signal.aborted) {
    try {
      const headers = etag === null ? {} : { "If-None-Match": etag, Prefer: `wait=${WAIT_S}` };
      const asked = performance.now();
      const answer = await get(`v1/jobs/${encodeURIComponent(id)}`, { headers, signal });
      if (trouble > 0) onTrouble(null);
      trouble = 0;
      etag = answer.etag ?? etag;
      if (answer.body !== null && answer.body.revision !== revision) {
        revision = answer.body.revision;
        await onJob(answer.body);
        if (answer.body.done) return;
      } else {
        await pause(Math.max(0, BETWEEN_MS - (performance.now() - asked)), signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem) || (error.status !== 0 && error.status < 500)) throw error;
      trouble += 1;
      onTrouble(error);
      await pause(Math.min(1000 * 2 ** (trouble - 1), LONGEST_PAUSE_MS), signal);
    }
  }
}

let described = null;

/** The paths and parameters that this service has, read once; what a later version adds is used where it is there. */
export function offers(method, path, parameter = null) {
  described ??= get("openapi.json").then(({ body }) => body.paths, (error) => ((described = null), Promise.reject(error)));
  return described.then((paths) => {
    const operation = paths[path]?.[method];
    if (operation === undefined) return false;
    return parameter === null || (operation.parameters ?? []).some((one) => one.name === parameter);
  });
}
