// How an error looks: what is wrong in words, each part of it, and the id under which the log has it.

import { el } from "./dom.js";

/** A box with what the service said. */
export function problemBox(error) {
  const items = error.errors ?? [];
  return el(
    "div",
    { class: "box bad", role: "alert" },
    el("p", {}, error.message || "Something went wrong."),
    items.length > 1
      ? el("ul", {}, items.map((item) => el("li", {}, `${item.pointer ?? item.parameter ?? ""} ${item.detail}`.trim())))
      : null,
    error.requestId ? el("p", { class: "hint" }, `The service's log has it under ${error.requestId}.`) : null,
  );
}
