// The list of studies: live while the page is looked at, filtered, page by page, and two to compare.

import { get, pause, Problem } from "../core/api.js";
import { announce } from "../core/announce.js";
import { button, clear, el } from "../core/dom.js";
import { duration, leftOutText, nameOf, number, percent, STATUS, time } from "../core/format.js";
import { problemBox } from "../core/problem.js";
import { go, jobAddress, withQuery } from "../core/router.js";
import { progressBar, phaseText } from "../job/progress.js";

const PAGE = 20;
const SHORTEST_MS = 1500;
const LONGEST_MS = 20_000;
const KINDS = { train: "study", evaluate: "evaluation", diagnose: "diagnosis" };

export async function jobsView({ body, say, route, signal }) {
  say("Studies");
  const list = new List(signal);
  const chosen = { status: route.query.get("status") ?? "", kind: route.query.get("kind") ?? "" };
  const cursors = []; // of the pages before
  let cursor = null;
  let wake = () => {};

  const reload = () => wake();
  const filter = (id, label, options) => el("div", { class: "field inline" }, el("label", { for: id }, label),
    el("select", { id, on: { change: (event) => {
      chosen[id.replace("filter-", "")] = event.target.value;
      history.replaceState(null, "", withQuery("#/", chosen)); // the address is of what is seen
      cursors.length = 0;
      cursor = null;
      reload();
    } } }, options.map(([value, text]) => el("option", { value, selected: value === chosen[id.replace("filter-", "")] }, text))));
  const newer = button("Newer", () => ((cursor = cursors.pop() ?? null), reload()));
  const older = button("Older", () => (cursors.push(cursor), (cursor = list.next), reload()));
  const trouble = el("div");
  body.append(
    el("div", { class: "bar" },
      filter("filter-status", "State", [["", "any"], ...Object.entries(STATUS)]),
      filter("filter-kind", "Kind", [["", "any"], ...Object.entries(KINDS)]),
      el("a", { class: "button primary", href: "#/new" }, "New study")),
    trouble, list.element,
    el("div", { class: "actions" }, newer, older, list.compare));

  let rest = SHORTEST_MS;
  while (!signal.aborted) {
    try {
      const asked = { limit: PAGE, cursor, ...chosen };
      const { body: page } = await get("v1/jobs", { query: asked, signal });
      clear(trouble);
      const changed = list.show(page, { filtered: Boolean(chosen.status || chosen.kind), later: cursor !== null });
      newer.disabled = cursor === null;
      older.disabled = list.next === null;
      // what moves is looked at often, what stands still less and less
      rest = changed ? SHORTEST_MS : Math.min(rest * 1.4, page.items.some((job) => !job.done) ? 4000 : LONGEST_MS);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status !== 0 && error.status < 500) throw error;
      if (!trouble.hasChildNodes()) trouble.append(problemBox(error));
      rest = Math.min(rest * 2, LONGEST_MS);
    }
    const shorter = new AbortController();
    signal.addEventListener("abort", () => shorter.abort(), { once: true });
    wake = () => ((rest = SHORTEST_MS), shorter.abort());
    await pause(rest, shorter.signal);
    while (document.hidden && !signal.aborted && !shorter.signal.aborted) await pause(1000, signal);
  }
}

/** The entries by job, changed in place, so that focus and ticks stay where they are. */
class List {
  constructor() {
    this.items = el("ul", { class: "jobs" });
    this.empty = el("div");
    this.leftOut = el("p", { class: "hint", hidden: true });
    this.element = el("div", {}, this.empty, this.items, this.leftOut);
    this.entries = new Map();
    this.next = null;
    this.ticked = new Set();
    this.compare = button("Compare the two", () => {
      const [a, b] = [...this.ticked];
      go(withQuery("#/compare", { a, b }));
    }, { disabled: true });
  }

  /** Show a page; returns whether anything is different. */
  show(page, { filtered, later }) {
    this.next = page.next_cursor;
    clear(this.empty);
    const leftOut = page.left_out ?? 0;
    this.leftOut.hidden = leftOut === 0;
    this.leftOut.textContent = leftOutText(leftOut, "study", "studies");
    if (page.items.length === 0 && leftOut === 0) {
      this.empty.append(el("p", { class: "hint" }, filtered || later ? "No study is like that."
        : ["Nothing has been submitted yet. ", el("a", { href: "#/new" }, "Start with an example or your own CSV.")]));
    }
    let changed = false;
    const order = page.items.map((job) => {
      let entry = this.entries.get(job.id);
      if (entry === undefined) {
        entry = new Entry(job, (on) => this.#tick(job.id, on));
        this.entries.set(job.id, entry);
      }
      changed = entry.update(job) || changed;
      return entry.element;
    });
    const shown = new Set(page.items.map((job) => job.id));
    for (const id of [...this.entries.keys()]) {
      if (!shown.has(id)) {
        this.entries.delete(id);
        this.#tick(id, false);
        changed = true;
      }
    }
    if (order.length !== this.items.children.length || order.some((one, i) => one !== this.items.children[i])) {
      this.items.replaceChildren(...order);
      changed = true;
    }
    return changed;
  }

  #tick(id, on) {
    if (on) this.ticked.add(id);
    else this.ticked.delete(id);
    this.compare.disabled = this.ticked.size !== 2;
  }
}

class Entry {
  constructor(job, onTick) {
    this.revision = null;
    this.status = null;
    this.link = el("a", { href: jobAddress(job.id) }, nameOf(job));
    this.badge = el("span");
    this.facts = el("p", { class: "hint" });
    this.now = el("div", { class: "now" });
    this.tick = el("input", { type: "checkbox", id: `tick-${job.id}`, on: { change: (event) => onTick(event.target.checked) } });
    this.choice = el("label", { class: "tick", for: `tick-${job.id}` }, this.tick, "compare", el("span", { class: "unseen" }, ` ${nameOf(job)}`));
    this.element = el("li", {}, el("div", { class: "head" }, el("h2", {}, this.link), this.badge), this.now, this.facts, this.choice);
  }

  update(job) {
    if (job.revision === this.revision) return false;
    if (this.status !== null && this.status !== job.status && job.done) announce(`${nameOf(job)} is ${STATUS[job.status]}`);
    this.revision = job.revision;
    this.status = job.status;
    this.badge.className = `badge ${job.status}`;
    this.badge.textContent = STATUS[job.status] ?? job.status;
    this.choice.hidden = !(job.status === "succeeded" && job.kind === "train");
    clear(this.now);
    if (!job.done && job.progress !== null) {
      const objective = job.progress.objective;
      this.now.append(progressBar(job.progress.fraction, `Progress of ${nameOf(job)}`),
        el("span", {}, `${percent(job.progress.fraction)} · ${phaseText(job.progress)}${objective === null || objective === undefined ? "" : ` · E = ${number(objective)}`}`));
    } else if (job.error !== null) {
      this.now.append(el("span", { class: "error" }, job.error.detail));
    }
    const took = job.finished_at && job.started_at ? (new Date(job.finished_at) - new Date(job.started_at)) / 1000 : null;
    this.facts.textContent = [KINDS[job.kind] ?? job.kind, time(job.created_at), took === null ? null : `took ${duration(took)}`].filter(Boolean).join(" · ");
    return true;
  }
}
