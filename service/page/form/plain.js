// The few fields that most people need. What they do not say keeps its default, and what else the draft says stays.

import { el } from "../core/dom.js";
import { Field, select, textInput } from "./field.js";
import { put, valueAt } from "./pointers.js";
import { labelOf, readText, resolve, writeText } from "./schema.js";

const GENERATED = ["moons", "circles", "spirals"];
const ALPHAS = ["K", "b", "W", "c"];
const STRENGTHS = [["0.0001", "0.0001: very weak"], ["0.001", "0.001: weak"], ["0.01", "0.01, unless said"], ["0.1", "0.1: strong"]];

export class PlainFields {
  /** `upload` is the element in which a data set is dropped; `sets` are the uploaded ones. */
  constructor({ root, draft, capabilities, upload, sets }) {
    Object.assign(this, { root, draft, capabilities, upload, sets });
    this.fields = new Map();
    this.element = el("div", { class: "stack" });
    this.data = el("div", { class: "grid" });
    this.element.append(
      el("fieldset", { class: "card" }, el("legend", {}, "Which data"), this.data),
      el("fieldset", { class: "card" }, el("legend", {}, "How deep"), this.#depths()),
      el("fieldset", { class: "card" }, el("legend", {}, "How it is trained"), this.#training()));
    this.showData();
  }

  #add(place, pointer, field) {
    this.fields.set(pointer, field);
    place.append(field.element);
    return field;
  }

  #typed(place, pointer, label, kind, { hint = null, placeholder = "" } = {}) {
    const input = textInput(writeText(kind, valueAt(this.draft.spec, pointer)), (text) => {
      try {
        const value = readText(kind, text);
        field.setError(null);
        this.draft.unreadable.delete(pointer);
        put(this.draft.spec, pointer, value);
      } catch (error) {
        field.setError(`${label} ${error.message}.`);
        this.draft.unreadable.add(pointer);
      }
      this.draft.changed();
    }, { placeholder, inputmode: kind === "number" ? "decimal" : null });
    const field = this.#add(place, pointer, new Field(label, input, { hint }));
    return field;
  }

  /** Show the fields of the data that are chosen. */
  showData() {
    const { spec } = this.draft;
    const source = valueAt(spec, "/data/source") ?? "";
    for (const known of [...this.fields.keys()]) if (known.startsWith("/data")) this.fields.delete(known);
    this.data.replaceChildren();
    const options = [["builtin", "A set that comes with the service"], ["dataset", "My own table"], ...(source === "inline" ? [["inline", "Samples in the specification"]] : []), ...(source === "" ? [["", "choose"]] : [])];
    this.#add(this.data, "/data/source", new Field("Data", select(options, source, (value) => {
      put(spec, "/data", value === "builtin" ? { source: value, name: "moons", validation_fraction: 0.2 } : { source: value, validation_fraction: 0.2 });
      this.showData();
      this.draft.changed();
    })));
    if (source === "builtin") this.#builtin();
    if (source === "dataset") this.#uploaded();
    if (source !== "") {
      this.#typed(this.data, "/data/validation_fraction", "Part held out for validation", "number", { placeholder: "0: none", hint: "0.2 keeps a fifth to test on." });
    }
  }

  #builtin() {
    const { spec } = this.draft;
    const sets = this.capabilities.datasets;
    const describe = (name) => `${labelOf(name)} (${sets[name].samples ?? "generated"}, ${sets[name].features} inputs, ${sets[name].classes === null ? "numbers" : `${sets[name].classes} classes`})`;
    this.#add(this.data, "/data/name", new Field("Set", select(Object.keys(sets).map((name) => [name, describe(name)]), valueAt(spec, "/data/name") ?? "moons", (name) => {
      put(spec, "/data/name", name);
      if (!GENERATED.includes(name)) for (const part of ["samples", "noise", "seed"]) put(spec, `/data/${part}`, undefined);
      this.showData();
      this.draft.changed();
    })));
    if (!GENERATED.includes(valueAt(spec, "/data/name"))) return;
    this.#typed(this.data, "/data/samples", "Samples", "number", { placeholder: "200" });
    this.#typed(this.data, "/data/noise", "Noise", "number", { placeholder: "0.1", hint: "Standard deviation." });
  }

  #uploaded() {
    const { spec } = this.draft;
    const chosen = valueAt(spec, "/data/id") ?? "";
    const known = this.sets.filter((one) => one.kind === "samples").map((one) => [one.id, `${one.name ?? one.id.slice(0, 8)} (${one.samples} samples)`]);
    const options = [["", known.length ? "choose, or bring a file below" : "bring a file below"], ...known];
    if (chosen && !known.some(([id]) => id === chosen)) options.push([chosen, chosen.slice(0, 12)]);
    this.#add(this.data, "/data/id", new Field("Uploaded table", select(options, chosen, (id) => {
      put(spec, "/data/id", id === "" ? undefined : id);
      this.draft.changed();
    })));
    this.data.append(this.upload);
  }

  #depths() {
    const place = el("div", { class: "grid" });
    const { spec } = this.draft;
    const inside = el("div");
    const wanted = () => valueAt(spec, "/discrete/depths/gap") !== undefined;
    const show = () => {
      for (const known of [...this.fields.keys()]) if (known.startsWith("/discrete/depths")) this.fields.delete(known);
      inside.replaceChildren();
      if (wanted()) this.#typed(inside, "/discrete/depths/gap", "Gap to the limit's minimum", "number", { hint: "The smallest depth within it is sought, and trained as a check." });
      else this.#typed(inside, "/discrete/depths", "Depths", "numbers", { placeholder: "8, 16, 32, 64", hint: "Numbers of layers, growing; doubling shows the order best." });
    };
    const mode = new Field("What to find", select([["depths", "Train these depths"], ["gap", "Find the depth for a gap"]], wanted() ? "gap" : "depths", (value) => {
      put(spec, "/discrete/depths", value === "gap" ? { gap: 0.001 } : undefined);
      show();
      this.draft.changed();
    }));
    place.append(mode.element, inside);
    show();
    return place;
  }

  #training() {
    const place = el("div", { class: "grid" });
    const { spec } = this.draft;
    const activations = resolve(resolve(this.root.properties.network, this.root).schema.properties.activation, this.root).schema.enum;
    this.#add(place, "/network/activation", new Field("Activation σ", select([["", "tanh, unless said"], ...activations.map((one) => [one, one])], valueAt(spec, "/network/activation") ?? "", (value) => {
      put(spec, "/network/activation", value === "" ? undefined : value);
      this.draft.changed();
    })));
    const alphas = ALPHAS.map((name) => valueAt(spec, `/objective/alpha/${name}`));
    const same = alphas.every((one) => one === alphas[0]);
    const options = [...STRENGTHS];
    const current = same ? String(alphas[0] ?? 0.01) : "mixed";
    if (!options.some(([key]) => key === current)) options.push([current, same ? current : "different for each parameter"]);
    this.#add(place, "/objective/alpha", new Field("Regularisation α", select(options, current, (value) => {
      if (value === "mixed") return;
      for (const name of ALPHAS) put(spec, `/objective/alpha/${name}`, value === "0.01" ? undefined : Number(value));
      this.draft.changed();
    }), { hint: "Stronger keeps neighbouring layers closer." }));
    this.#typed(place, "/network/state_dim", "State dimension d", "number", { placeholder: "as many as inputs", hint: "More gives the network room." });
    this.#typed(place, "/name", "Name", "text", { placeholder: "for you to find it again" });
    return place;
  }
}
