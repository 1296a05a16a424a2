// Draws with Vega, whose expressions are interpreted: the page's policy forbids to evaluate text as a program.

import { details, el, table } from "../core/dom.js";
import { theme } from "./theme.js";

const VEGA = "../vendor/vega-6.4.0.min.js";
const VEGA_LITE = "../vendor/vega-lite-6.4.3.min.js";
const INTERPRETER = "../vendor/vega-interpreter-2.3.2.js";

let loaded = null;

/** Load the libraries, once, when the first chart is drawn. */
function libraries() {
  loaded ??= (async () => {
    await script(VEGA);
    const [{ expressionInterpreter }] = await Promise.all([import(INTERPRETER), script(VEGA_LITE)]);
    return { vega: globalThis.vega, vegaLite: globalThis.vegaLite, expressionInterpreter };
  })();
  return loaded;
}

function script(path) {
  return new Promise((resolve, reject) => {
    const source = new URL(path, import.meta.url).href;
    document.head.append(el("script", { src: source, on: { load: resolve, error: () => reject(new Error(`${source} did not load`)) } }));
  });
}

/** Nothing is fetched for a chart: its data are in it. */
const LOADER = {
  load: () => Promise.reject(new Error("charts load nothing")),
  sanitize: () => Promise.reject(new Error("charts link nowhere")),
};

const dark = matchMedia("(prefers-color-scheme: dark)");

/** A chart with its description for who does not see it, and its numbers as a table. */
export class Chart {
  /** `make(width)` returns a Vega-Lite specification; `numbers` is `{caption, head, rows}` or null; `own` is false for those with a look of their own, which is made for white paper. */
  constructor({ title, description, make, numbers = null, renderer = "svg", own = true }) {
    this.own = own;
    this.make = make;
    this.renderer = renderer;
    this.area = el("div", { class: own ? "chart" : "chart paper", role: "img", "aria-label": `${title}. ${description}` });
    this.caption = el("figcaption", {}, el("strong", {}, title), " ", el("span", {}, description));
    this.element = el("figure", {}, this.caption, this.area, numbers === null ? null
      : details("The numbers", {}, table(numbers.caption, numbers.head, numbers.rows, { hideCaption: true })));
    this.view = null;
    this.width = 0;
    this.turn = Promise.resolve();
  }

  /** Draw, and draw again when the width or the colour scheme changes, until the view is left. */
  start(signal) {
    const observer = new ResizeObserver(() => {
      const width = Math.floor(this.area.clientWidth);
      if (width > 0 && width !== this.width) this.draw(signal);
    });
    observer.observe(this.area);
    const recolour = () => this.draw(signal);
    dark.addEventListener("change", recolour, { signal });
    signal.addEventListener("abort", () => {
      observer.disconnect();
      this.view?.finalize();
    }, { once: true });
    return this;
  }

  /** Draw from the start. */
  draw(signal) {
    this.turn = this.turn.then(() => this.#draw(signal)).catch((error) => {
      this.area.textContent = `This chart could not be drawn: ${error.message}`;
    });
    return this.turn;
  }

  async #draw(signal) {
    const { vega, vegaLite, expressionInterpreter } = await libraries();
    const width = Math.floor(this.area.clientWidth);
    if (signal?.aborted || width === 0) return;
    this.width = width;
    this.view?.finalize();
    const specification = vegaLite.compile({ ...this.make(width), background: "transparent" }, { config: this.own ? theme() : {} }).spec;
    this.view = new vega.View(vega.parse(specification, null, { ast: true }), {
      expr: expressionInterpreter,
      renderer: this.renderer,
      container: this.area,
      loader: LOADER,
      logLevel: vega.Error,
      hover: false,
    });
    await this.view.runAsync();
    this.area.firstElementChild?.setAttribute("aria-hidden", "true"); // the frame describes it
    this.area.dataset.drawn = "true";
  }

  /** Put other rows in place of a named data set, without drawing the rest again. */
  async replace(name, rows) {
    await this.turn;
    if (this.view === null) return;
    this.view.data(name, rows).resize(); // labels of other values take other room
    await this.view.runAsync();
  }

  describe(description) {
    this.caption.lastChild.textContent = description;
    this.area.setAttribute("aria-label", `${this.caption.firstChild.textContent}. ${description}`);
  }
}
