// A new study: an example or one's own table to start from, the fields that matter or all of them, checked before it is sent.

import { get, post, Problem } from "../core/api.js";
import { announce } from "../core/announce.js";
import { button, clear, el, section } from "../core/dom.js";
import { leftOutText } from "../core/format.js";
import { go, jobAddress } from "../core/router.js";
import { AllFields } from "../form/all_fields.js";
import { BLANK, EXAMPLES, like } from "../form/examples.js";
import { Field, select } from "../form/field.js";
import { PlainFields } from "../form/plain.js";
import { dryRun, errorSummary, estimateText, placeErrors } from "../form/plan.js";
import { put } from "../form/pointers.js";
import { RawFields } from "../form/raw.js";
import { Upload } from "../form/upload.js";

const VIEWS = { plain: "Plain", all: "All fields", json: "JSON" };
const QUIET_MS = 500;
const KIND_NAMES = { train: "Study: train and measure", evaluate: "Evaluation of a study", diagnose: "Diagnosis of weights trained elsewhere" };

export async function newView({ body, say, route, signal }) {
  say("New study");
  const [{ body: capabilities }, { body: sets }, from] = await Promise.all([
    get("v1/capabilities", { signal }),
    get("v1/datasets", { query: { limit: 100 }, signal }),
    route.query.get("from") ? get(`v1/jobs/${encodeURIComponent(route.query.get("from"))}`, { signal }).then((answer) => answer.body) : null,
  ]);
  const spec = from ? like(from, capabilities.kinds[from.kind]) : structuredClone(EXAMPLES[0].spec);
  if (sets.left_out > 0) body.append(el("p", { class: "hint" }, leftOutText(sets.left_out, "data set")));
  new Composer(body, { capabilities, sets: sets.items, spec, signal });
}

/** Holds the draft; every view of it writes to the same one. */
class Composer {
  constructor(body, { capabilities, sets, spec, signal }) {
    Object.assign(this, { capabilities, sets, signal, mode: spec.kind === "train" ? "plain" : "all", timer: null, asked: 0 });
    this.draft = { spec, unreadable: new Set(), changed: () => this.#changed() };
    this.upload = new Upload(signal, (record) => this.#kept(record));
    this.place = el("div", { class: "stack" });
    this.verdict = el("div", { class: "check" });
    this.submit = el("button", { type: "submit", class: "primary" }, "Start it");
    this.kind = new Field("Kind of job", select(Object.keys(capabilities.kinds).map((name) => [name, KIND_NAMES[name] ?? name]), spec.kind, (kind) => this.#start(BLANK[kind] ?? { kind })));
    const tabs = el("div", { class: "tabs", role: "group", "aria-label": "How to fill it in" },
      Object.entries(VIEWS).map(([mode, text]) => button(text, () => this.#show(mode), { "data-mode": mode })));
    const form = el("form", { class: "stack", novalidate: true, on: { submit: (event) => (event.preventDefault(), this.#send()) } },
      el("div", { class: "bar low" }, tabs, this.kind.element), this.place, this.verdict, el("div", { class: "actions" }, this.submit));
    this.tabs = tabs;
    body.append(section("Start from", {}, el("div", { class: "examples" }, EXAMPLES.map((example) => button([el("strong", {}, example.title), el("span", {}, example.text)], () => this.#start(example.spec), { class: "example" })))), form);
    this.#show(this.mode);
  }

  #start(spec) {
    this.draft.spec = structuredClone(spec);
    this.#show(spec.kind === "train" ? (this.mode === "json" ? "json" : this.mode) : this.mode === "plain" ? "all" : this.mode);
    announce("The form is filled in");
  }

  #show(mode) {
    const { spec } = this.draft;
    this.draft.unreadable.clear();
    this.mode = mode;
    this.kind.input.value = spec.kind;
    const root = this.capabilities.kinds[spec.kind];
    const plain = this.tabs.querySelector('[data-mode="plain"]');
    plain.disabled = spec.kind !== "train";
    for (const tab of this.tabs.children) tab.setAttribute("aria-pressed", String(tab.dataset.mode === mode));
    if (mode === "plain") this.view = new PlainFields({ root, draft: this.draft, capabilities: this.capabilities, upload: this.upload.element, sets: this.sets });
    else if (mode === "all") this.view = new AllFields(root, this.draft);
    else this.view = new RawFields(this.draft);
    clear(this.place).append(this.view.element);
    this.#changed();
  }

  #kept(record) {
    this.sets = [record, ...this.sets.filter((one) => one.id !== record.id)];
    put(this.draft.spec, "/data/id", record.id);
    if (!this.draft.spec.name && record.name) {
      put(this.draft.spec, "/name", record.name);
      const field = this.view.fields.get("/name");
      if (field) field.input.value = record.name;
    }
    if (this.view.showData) {
      this.view.sets = this.sets;
      this.view.showData();
    }
    this.#changed();
  }

  #changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#check(false), QUIET_MS);
  }

  /** Ask the service; `loudly` puts the focus where the errors are. Returns whether it holds up. */
  async #check(loudly) {
    clearTimeout(this.timer);
    if (this.signal.aborted) return false;
    if (this.draft.unreadable.size > 0) {
      this.#say("bad", el("p", {}, "Some fields cannot be read; they say why."), loudly);
      return false;
    }
    if (!loudly && this.draft.spec.data?.source === "dataset" && !this.draft.spec.data.id) {
      this.#say("quiet", el("p", {}, "Bring a table, or choose one that is kept already."), false);
      return false;
    }
    const turn = (this.asked += 1);
    try {
      const { plan, problem } = await dryRun(this.draft.spec, this.signal);
      if (turn !== this.asked) return false; // something newer is being asked
      const placed = placeErrors(problem?.errors ?? [], this.view.fields);
      if (problem === null) {
        this.#say("good", el("p", {}, estimateText(plan)), false);
        return true;
      }
      const nothing = placed.marked.length + placed.elsewhere.length === 0;
      this.#say("bad", nothing ? el("p", {}, problem.message) : [el("p", {}, "It does not hold up yet:"), errorSummary(placed)], loudly);
    } catch (error) {
      if (this.signal.aborted) return false;
      this.#say("bad", el("p", {}, error.message), loudly);
    }
    return false;
  }

  #say(tone, content, loudly) {
    const box = el("div", { class: `box ${tone}`, role: loudly ? "alert" : "status", tabindex: "-1" }, content);
    clear(this.verdict).append(box);
    if (loudly) box.focus();
  }

  async #send() {
    this.submit.disabled = true;
    try {
      if (!(await this.#check(true))) return;
      // the same key for the same attempt: a lost answer does not make two jobs
      const key = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const job = await post("v1/jobs", this.draft.spec, { headers: { "Idempotency-Key": key }, signal: this.signal });
      go(jobAddress(job.id));
    } catch (error) {
      if (this.signal.aborted) return;
      if (error instanceof Problem) this.#say("bad", [el("p", {}, error.message), errorSummary(placeErrors(error.errors, this.view.fields))], true);
      else throw error;
    } finally {
      this.submit.disabled = false;
    }
  }
}
