// Elements from values. Text only ever becomes text: nothing here or elsewhere on the page parses HTML.

/** Make an element: attributes, `on` for listeners, and children, of which null and false are left out. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Take everything out of an element. */
export function clear(element) {
  element.replaceChildren();
  return element;
}

let ids = 0;

/** An id that nothing else on the page has. */
export const uniqueId = (stem) => `${stem}-${(ids += 1)}`;

/** A button, which never submits a form by accident. */
export function button(text, onClick, attributes = {}) {
  return el("button", { type: "button", ...attributes, on: { click: onClick } }, text);
}

/** A part of a view under its own heading. */
export function section(title, attributes, ...children) {
  const id = uniqueId("part");
  return el("section", { "aria-labelledby": id, ...attributes }, el("h2", { id }, title), ...children);
}

/** A table with a caption; cells are texts, numbers as they are to be read, or elements. */
export function table(caption, head, rows, { rowHeads = true, hideCaption = false } = {}) {
  const cell = (tag, value, attributes) => el(tag, attributes, value === null || value === undefined || value === "" ? "–" : value);
  const grid = el(
    "table",
    {},
    el("caption", { class: hideCaption ? "unseen" : null }, caption),
    el("thead", {}, el("tr", {}, head.map((text) => cell("th", text, { scope: "col" })))),
    el("tbody", {}, rows.map((row) =>
      el("tr", {}, row.map((value, column) =>
        column === 0 && rowHeads ? cell("th", value, { scope: "row" }) : cell("td", value, {}))))),
  );
  // what is wider than the screen scrolls in its own frame, by keyboard too
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, grid);
}

/** Something folded away. */
export function details(summary, attributes, ...children) {
  return el("details", attributes, el("summary", {}, summary), ...children);
}
