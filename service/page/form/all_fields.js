// Every field of a specification, made from its JSON Schema. A blank field is left out, and its default shown in it.

import { clear, details, el } from "../core/dom.js";
import { Field, select, textInput } from "./field.js";
import { join, put, valueAt } from "./pointers.js";
import { fieldKind, labelOf, plain, readText, resolve, writeText } from "./schema.js";

/** Builds the fields of one kind of job over a draft. */
export class AllFields {
  constructor(root, draft) {
    this.root = root;
    this.draft = draft;
    const top = el("div", { class: "grid" });
    this.element = el("div", { class: "stack" }, top);
    this.fields = new Map();
    for (const [name, schema] of Object.entries(root.properties)) {
      const simple = !["object", "choice"].includes(fieldKind(resolve(schema, root).schema, root));
      if (name !== "kind") this.#property(simple ? top : this.element, name, schema, join("", name), root.required?.includes(name), 0);
    }
  }

  #property(place, name, raw, pointer, required, level) {
    const { schema, nullable } = resolve(raw, this.root);
    const kind = fieldKind(schema, this.root);
    if (kind === "const") return;
    if (kind === "object") this.#object(place, name, schema, pointer, nullable, level);
    else if (kind === "choice") this.#choice(place, name, schema, pointer, nullable, level);
    else this.#leaf(place, name, schema, pointer, kind, nullable, required);
  }

  #group(place, name, schema, level) {
    const inside = el("div", { class: "grid" });
    const intro = schema.description ? el("p", { class: "hint" }, plain(schema.description)) : null;
    if (level > 0) {
      place.append(el("fieldset", {}, el("legend", {}, labelOf(name)), intro, inside));
    } else {
      const fold = details(labelOf(name), { class: "fold", open: name === "data" }, intro, inside);
      place.append(fold);
    }
    return inside;
  }

  #object(place, name, schema, pointer, nullable, level) {
    const inside = this.#group(place, name, schema, level);
    const members = el("div", { class: "members" });
    const fill = () => {
      this.#forget(pointer);
      clear(members);
      if (valueAt(this.draft.spec, pointer) === null) return;
      for (const [part, sub] of Object.entries(schema.properties)) this.#property(members, part, sub, join(pointer, part), schema.required?.includes(part), level + 1);
    };
    if (nullable) {
      const off = valueAt(this.draft.spec, pointer) === null;
      const field = new Field(`${labelOf(name)} at all`, select([["on", "yes"], ["off", "no: null"]], off ? "off" : "on", (value) => {
        put(this.draft.spec, pointer, value === "off" ? null : undefined);
        fill();
        this.draft.changed();
      }));
      this.fields.set(pointer, field);
      inside.append(field.element);
    }
    inside.append(members);
    fill();
  }

  #choice(place, name, schema, pointer, nullable, level) {
    const { propertyName, mapping } = schema.discriminator;
    const inside = this.#group(place, name, schema, level);
    const members = el("div", { class: "members" });
    const tag = join(pointer, propertyName);
    const fill = () => {
      this.#forget(pointer, tag);
      clear(members);
      const chosen = valueAt(this.draft.spec, tag);
      if (!mapping[chosen]) return;
      const { schema: variant } = resolve({ $ref: mapping[chosen] }, this.root);
      for (const [part, sub] of Object.entries(variant.properties)) {
        if (part !== propertyName) this.#property(members, part, sub, join(pointer, part), variant.required?.includes(part), level + 1);
      }
    };
    const options = [...(nullable ? [["", "left open"]] : valueAt(this.draft.spec, tag) ? [] : [["", "choose"]]), ...Object.keys(mapping).map((key) => [key, labelOf(key)])];
    const field = new Field(labelOf(propertyName), select(options, valueAt(this.draft.spec, tag) ?? "", (value) => {
      put(this.draft.spec, pointer, value === "" ? undefined : { [propertyName]: value });
      fill();
      this.draft.changed();
    }));
    this.fields.set(tag, field);
    inside.append(field.element, members);
    fill();
  }

  #leaf(place, name, schema, pointer, kind, nullable, required) {
    const value = valueAt(this.draft.spec, pointer);
    const byDefault = schema.default;
    const shownDefault = byDefault === undefined || byDefault === null ? (required ? "required" : "left open") : `${writeText(kind === "enum" ? "text" : kind, byDefault)}, unless said`;
    const write = (next) => {
      put(this.draft.spec, pointer, next);
      this.draft.changed();
    };
    let input;
    if (kind === "enum") {
      input = select([["", shownDefault], ...schema.enum.map((one) => [String(one), String(one)])], value ?? "", (next) => write(next === "" ? undefined : next));
    } else if (kind === "boolean") {
      input = select([["", `${byDefault === true ? "yes" : byDefault === false ? "no" : "left open"}${byDefault === undefined || byDefault === null ? "" : ", unless said"}`], ["true", "yes"], ["false", "no"]], value === undefined || value === null ? "" : String(value), (next) => write(next === "" ? undefined : next === "true"));
    } else {
      const attributes = { placeholder: shownDefault, inputmode: kind === "number" ? "decimal" : null };
      input = textInput(writeText(kind, value), (text) => {
        try {
          const next = readText(kind === "numbers" || kind === "number" ? loosely(kind, text) : kind, text);
          field.setError(null);
          this.draft.unreadable.delete(pointer);
          write(next);
        } catch (error) {
          field.setError(`${labelOf(name)} ${error.message}.`);
          this.draft.unreadable.add(pointer);
          this.draft.changed();
        }
      }, attributes);
    }
    const field = new Field(labelOf(name), input, { hint: plain(schema.description) });
    this.fields.set(pointer, field);
    place.append(field.element);
  }

  /** Fields below a pointer that is filled anew are gone. */
  #forget(pointer, except = null) {
    for (const known of this.fields.keys()) if (known.startsWith(`${pointer}/`) && known !== except) this.fields.delete(known);
    for (const known of [...this.draft.unreadable]) if (known.startsWith(`${pointer}/`)) this.draft.unreadable.delete(known);
  }
}

/** Words and objects are written as JSON where a list or a number may stand too. */
function loosely(kind, text) {
  return /^\s*[[{"]/.test(text) ? "json" : kind;
}
