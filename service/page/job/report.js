// The report of a job, in a frame that may run nothing.

import { address, hasKey, send } from "../core/api.js";
import { details, el, section } from "../core/dom.js";

/** The report where the job has one; it is fetched when it is unfolded. */
export function reportSection(job, signal) {
  if (!job.links.report) return section("Report", { class: "card" }, el("p", { class: "hint" }, "This job has no report to show."));
  const path = `v1/jobs/${job.id}/report`;
  const place = el("div");
  let shown = false;
  const folded = details("Read the report here", { on: { toggle: async () => {
    if (shown || !folded.open) return;
    shown = true;
    const frame = el("iframe", { title: "Report of this study", sandbox: "", class: "report", referrerpolicy: "no-referrer" });
    try {
      if (hasKey()) frame.srcdoc = await (await send("GET", path, { signal })).text(); // a frame by itself would go without the key
      else frame.src = address(path).href;
      place.append(frame);
    } catch (error) {
      shown = false;
      place.replaceChildren(el("p", { class: "error" }, error.message));
    }
  } } }, place);
  return section("Report", { class: "card" }, el("p", { class: "hint" }, "One page with the question, the answer, pictures and the specification; it can be kept and sent on."), folded,
    hasKey() ? null : el("p", {}, el("a", { href: address(path).href, target: "_blank", rel: "noopener" }, "Open the report in a tab of its own")));
}
