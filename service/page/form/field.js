// One field: label, hint, input and the place for its error, tied together for who hears them.

import { el, uniqueId } from "../core/dom.js";

/** A field of the form; `input` is any element that takes a value. */
export class Field {
  constructor(label, input, { hint = null, className = "" } = {}) {
    this.id = uniqueId("field");
    this.input = input;
    input.id = this.id;
    this.error = el("p", { class: "error", id: `${this.id}-error`, hidden: true });
    this.hint = hint ? el("p", { class: "hint", id: `${this.id}-hint` }, hint) : null;
    this.label = el("label", { for: this.id }, label);
    this.element = el("div", { class: `field ${className}` }, this.label, this.hint, input, this.error);
    this.setError(null);
  }

  /** Show what is wrong, or nothing. */
  setError(text) {
    this.error.textContent = text ?? "";
    this.error.hidden = !text;
    if (text) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
    const described = [this.hint?.id, text ? this.error.id : null].filter(Boolean).join(" ");
    if (described) this.input.setAttribute("aria-describedby", described);
    else this.input.removeAttribute("aria-describedby");
  }
}

/** A list of options as a select. */
export function select(options, value, onChange, attributes = {}) {
  const element = el("select", { ...attributes, on: { change: (event) => onChange(event.target.value) } },
    options.map(([key, text]) => el("option", { value: key }, text)));
  element.value = value;
  return element;
}

/** A text input that reports what is typed. */
export function textInput(value, onInput, attributes = {}) {
  const element = el("input", { type: "text", autocomplete: "off", spellcheck: "false", ...attributes, on: { input: (event) => onInput(event.target.value) } });
  element.value = value;
  return element;
}
