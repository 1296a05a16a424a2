// The dry run: what a specification comes to, or what is wrong with it, each error at the field it points to.

import { post, Problem } from "../core/api.js";
import { el } from "../core/dom.js";
import { bytes, number } from "../core/format.js";
import { nearest } from "./pointers.js";

/** Ask what a specification comes to; returns `{estimate, spec}` or the problem. */
export async function dryRun(spec, signal) {
  try {
    return { plan: await post("v1/jobs/plan", spec, { signal }), problem: null };
  } catch (error) {
    if (error instanceof Problem && error.status >= 400 && error.status < 500) return { plan: null, problem: error };
    throw error;
  }
}

/** The estimate in words. */
export function estimateText({ estimate, spec }) {
  const parts = [`${estimate.parameters.toLocaleString("en")} trained numbers in the largest model`, `${bytes(estimate.memory_bytes)} of memory`, `about ${number(estimate.work_flops, 2)} operations`];
  const at = estimate.at_most ? ` The depth that is sought may be up to ${estimate.at_most.depth}.` : "";
  const depths = spec.discrete && Array.isArray(spec.discrete.depths) ? ` Depths ${spec.discrete.depths.join(", ")}${spec.continuum ? " and the limit" : ""}.` : "";
  return `It holds up: ${parts.join(", ")}.${depths}${at}`;
}

/** Put each error at its field; returns those that no field is there for, and the fields that have one. */
export function placeErrors(errors, fields) {
  for (const field of fields.values()) field.setError(null);
  const texts = new Map();
  const elsewhere = [];
  for (const error of errors) {
    const place = nearest(error.pointer ?? "", new Set(fields.keys()));
    if (place === null || place === "") elsewhere.push(error);
    else texts.set(place, [...(texts.get(place) ?? []), place === error.pointer ? error.detail : `${error.pointer.slice(place.length)}: ${error.detail}`]);
  }
  for (const [place, lines] of texts) fields.get(place).setError(`${lines.join("; ")}.`);
  return { elsewhere, marked: [...texts.keys()].map((place) => [place, fields.get(place), texts.get(place).join("; ")]) };
}

/** A list of everything that is wrong, each a way to its field. */
export function errorSummary({ elsewhere, marked }) {
  const items = [
    ...marked.map(([place, field, text]) => el("li", {}, el("a", { href: "#", on: { click: (event) => {
      event.preventDefault();
      for (let at = field.element; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
      field.input.focus();
    } } }, field.label.textContent || place), `: ${text}`)),
    ...elsewhere.map((error) => el("li", {}, error.pointer ? el("code", {}, error.pointer) : "As a whole", `: ${error.detail}`)),
  ];
  return el("ul", {}, items);
}
