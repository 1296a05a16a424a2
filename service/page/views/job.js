// The page of one job: what it does while it runs, what came out, and what can be done next.

import { address, follow, get, hasKey, post, send } from "../core/api.js";
import { announce } from "../core/announce.js";
import { button, clear, details, el, section } from "../core/dom.js";
import { duration, nameOf, STATUS, time } from "../core/format.js";
import { problemBox } from "../core/problem.js";
import { go, withQuery } from "../core/router.js";
import { depthSection } from "../job/depth.js";
import { plotsSection } from "../job/plots.js";
import { LiveProgress } from "../job/progress.js";
import { reportSection } from "../job/report.js";
import { diagnosisSection, evaluationSection, limitLine, minimaTable, modelsTable } from "../job/tables.js";
import { verdictSection } from "../job/verdict.js";

export async function jobView({ body, say, route, signal }) {
  say("Study");
  const badge = el("span");
  const facts = el("p", { class: "hint" });
  const actions = el("div", { class: "actions" });
  const trouble = el("div");
  const live = new LiveProgress(signal);
  const outcome = el("div", { class: "stack" });
  const specification = el("div");
  body.append(el("div", { class: "bar" }, badge, facts), actions, trouble, live.element, outcome, specification);
  live.element.hidden = true;
  let before = null;

  await follow(route.id, signal, async (job) => {
    say(nameOf(job));
    badge.className = `badge ${job.status}`;
    badge.textContent = STATUS[job.status] ?? job.status;
    facts.textContent = factsOf(job);
    if (before !== null && before !== job.status) announce(`${nameOf(job)} is ${STATUS[job.status] ?? job.status}`);
    if (before === null || before !== job.status) {
      showActions(actions, job, trouble, signal);
      clear(specification).append(specificationPart(job));
    }
    before = job.status;
    if (job.done) {
      live.element.remove();
      await showOutcome(outcome, job, signal);
    } else {
      live.element.hidden = false;
      live.update(job);
    }
  }, (error) => {
    clear(trouble);
    if (error !== null) trouble.append(problemBox(error), el("p", { class: "hint" }, "The page goes on asking."));
  });
}

function factsOf(job) {
  const took = job.finished_at && job.started_at ? (new Date(job.finished_at) - new Date(job.started_at)) / 1000 : null;
  const parts = [job.kind, time(job.created_at), took === null ? null : `took ${duration(took)}`, job.attempt > 1 ? `attempt ${job.attempt}` : null, `id ${job.id}`];
  return parts.filter(Boolean).join(" · ");
}

function showActions(place, job, trouble, signal) {
  const attempt = (action) => async (event) => {
    event.target.disabled = true;
    try {
      await action();
    } catch (error) {
      event.target.disabled = false;
      clear(trouble).append(problemBox(error));
    }
  };
  const stillHere = place.contains(document.activeElement);
  clear(place);
  if (job.links.cancel && job.status !== "cancelling") {
    place.append(button("Cancel", attempt(() => post(`v1/jobs/${job.id}/cancel`, undefined, { signal })), { class: "danger" }));
  }
  place.append(el("a", { class: "button", href: withQuery("#/new", { from: job.id }) }, "New study like this"));
  if (job.status === "succeeded" && job.kind === "train") place.append(el("a", { class: "button", href: withQuery("#/compare", { a: job.id }) }, "Compare with another"));
  if (job.links.export && !hasKey()) place.append(el("a", { class: "button", href: address(`v1/jobs/${job.id}/export`).href }, "Take the model away"));
  if (job.done) place.append(deleteButton(job, attempt));
  if (stillHere) place.querySelector("button, a")?.focus();
}

/** Deleting asks once more, in the same place. */
function deleteButton(job, attempt) {
  const remove = attempt(async () => {
    await send("DELETE", `v1/jobs/${job.id}`);
    announce("The study is deleted");
    go("#/");
  });
  const first = button("Delete", (event) => {
    if (first.dataset.sure) return remove(event);
    first.dataset.sure = "yes";
    first.textContent = "Delete it for good?";
    return null;
  }, { class: "danger" });
  first.addEventListener("blur", () => {
    delete first.dataset.sure;
    first.textContent = "Delete";
  });
  return first;
}

async function showOutcome(place, job, signal) {
  clear(place);
  if (job.status === "failed") {
    place.append(section("It failed", { class: "card verdict fails" }, el("p", { class: "summary" }, job.error.detail),
      el("p", { class: "hint" }, job.error.retryable ? "The same study may succeed when it is submitted again." : "It would fail again as it is.")));
    return;
  }
  if (job.status !== "succeeded") {
    place.append(el("p", {}, "It was cancelled before there were results."));
    return;
  }
  const { body: results } = await get(`v1/jobs/${job.id}/results`, { signal });
  const parts = job.kind === "train" ? await trainParts(job, results, signal) : [job.kind === "evaluate" ? evaluationSection(results) : diagnosisSection(results)];
  place.append(...parts.filter(Boolean), reportSection(job, signal));
}

async function trainParts(job, results, signal) {
  const { diagnostics, models } = results;
  const minima = diagnostics.minima;
  const tables = section("Numbers", { class: "card" },
    minima?.depths?.length ? minimaTable(minima) : null, limitLine(minima), models.length ? modelsTable(models) : null);
  return [
    verdictSection(diagnostics.verdict),
    await plotsSection(job, results, signal),
    await depthSection(job, results, signal),
    models.length || minima?.depths?.length ? tables : null,
  ];
}

function specificationPart(job) {
  return details("The specification, with every default filled in", { class: "card" }, el("pre", { tabindex: "0" }, JSON.stringify(job.spec, null, 2)));
}
