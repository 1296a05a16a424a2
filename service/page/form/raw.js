// The specification as JSON, for who knows it by heart or has one at hand.

import { el } from "../core/dom.js";
import { Field } from "./field.js";

const HERE = "/"; // no pointer of a specification: what is wrong with the text itself

export class RawFields {
  constructor(draft) {
    this.draft = draft;
    const area = el("textarea", { rows: "22", spellcheck: "false", autocomplete: "off", class: "code", on: { input: () => this.#read(area.value) } });
    area.value = JSON.stringify(draft.spec, null, 2);
    this.field = new Field("Specification", area, { hint: "What POST /v1/jobs takes. Fields that are left out have their defaults." });
    this.fields = new Map(); // errors are listed by their pointers, as there are no fields to put them at
    this.element = this.field.element;
  }

  #read(text) {
    try {
      const value = JSON.parse(text);
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw new SyntaxError("it must be an object");
      this.draft.spec = value;
      this.draft.unreadable.delete(HERE);
      this.field.setError(null);
    } catch (error) {
      this.draft.unreadable.add(HERE);
      this.field.setError(`This is not JSON: ${error.message}.`);
    }
    this.draft.changed();
  }
}
