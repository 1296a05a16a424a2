// Bringing a table: dropped or chosen, sent, refused with what helps or kept with what was read.

import { offers, send } from "../core/api.js";
import { announce } from "../core/announce.js";
import { button, clear, details, el } from "../core/dom.js";
import { bytes } from "../core/format.js";
import { columnsOf } from "./csv_head.js";
import { Field, select } from "./field.js";
import { previewOf } from "./preview.js";
import { remediesFor } from "./remedies.js";

const TYPES = { csv: "text/csv", parquet: "application/vnd.apache.parquet", npz: "application/x-npz", safetensors: "application/vnd.safetensors" };

export class Upload {
  /** `onKept` gets the record of a data set that the service keeps. */
  constructor(signal, onKept) {
    Object.assign(this, { signal, onKept, file: null, columns: [], options: {}, offered: { categorical: false } });
    this.chooser = el("input", { type: "file", id: "upload-file", accept: Object.keys(TYPES).map((ending) => `.${ending}`).join(","), on: { change: () => this.#take(this.chooser.files[0]) } });
    this.zone = el("div", { class: "drop", on: {
      dragover: (event) => (event.preventDefault(), this.zone.classList.add("over")),
      dragleave: () => this.zone.classList.remove("over"),
      drop: (event) => {
        event.preventDefault();
        this.zone.classList.remove("over");
        if (!event.dataTransfer.files.length) return; // a piece of text
        this.chooser.files = event.dataTransfer.files; // which then says its name
        this.#take(event.dataTransfer.files[0]);
      },
    } }, el("label", { for: "upload-file" }, "Drop a CSV here, or choose a file"), this.chooser, el("p", { class: "hint" }, "Also Parquet, NPZ and safetensors. The last column is what is predicted, unless you say another."));
    this.choices = el("div");
    this.state = el("div", { class: "upload-state" });
    this.element = el("div", { class: "upload wide" }, this.zone, this.state, this.choices);
  }

  async #take(file) {
    if (!file) return;
    this.file = file;
    this.options = {};
    this.ending = file.name.split(".").pop().toLowerCase();
    clear(this.choices);
    clear(this.state);
    if (!(this.ending in TYPES)) {
      this.state.append(el("div", { class: "box bad", role: "alert" }, el("p", {}, `A file that ends in .${this.ending} is not read. Save the table as CSV, with commas between cells.`)));
      return;
    }
    try {
      this.offered.categorical = await offers("post", "/v1/datasets", "categorical");
      this.columns = this.ending === "csv" ? await columnsOf(file) : [];
    } catch {
      this.columns = [];
    }
    await this.#send();
  }

  async #send() {
    const { file, options } = this;
    this.state.replaceChildren(el("p", { role: "status" }, `Sending ${file.name}, ${bytes(file.size)} …`));
    const query = { name: file.name.replace(/\.[^.]*$/, "").slice(0, 200) || null, ...options };
    try {
      const response = await send("POST", "v1/datasets", { body: file, headers: { "Content-Type": TYPES[this.ending] }, query, signal: this.signal });
      const record = await response.json();
      if (file !== this.file) return; // another was chosen meanwhile
      const preview = await previewOf(record, this.signal);
      this.state.replaceChildren(preview);
      announce(`${file.name} is kept: ${record.samples ?? "no"} samples`);
      this.onKept(record);
    } catch (error) {
      if (this.signal.aborted || file !== this.file) return;
      this.#refused(error);
    }
    this.#showChoices();
  }

  /** What is wrong, and the buttons that would mend it. */
  #refused(error) {
    const items = (error.errors ?? []).length > 1 ? error.errors : [];
    const remedies = remediesFor(error, this.columns);
    const box = el("div", { class: "box bad", role: "alert", tabindex: "-1" },
      el("p", {}, el("strong", {}, "The table was not taken. "), items.length ? null : error.message),
      items.length ? el("ul", {}, items.map((item) => el("li", {}, item.detail))) : null,
      remedies.length ? el("p", {}, "What helps:") : null,
      remedies.length ? el("div", { class: "actions" }, remedies.map(({ text, options, first }) => button(text, () => {
        Object.assign(this.options, options);
        this.#send();
      }, { class: first ? "primary" : "remedy" }))) : null);
    this.state.replaceChildren(box);
    box.focus();
  }

  /** The same choices whether it was taken or not, so that a wrong guess can be put right. */
  #showChoices() {
    clear(this.choices);
    if (this.ending !== "csv" && this.ending !== "parquet") return;
    const again = (change) => {
      for (const [name, value] of Object.entries(change)) {
        if (value === "") delete this.options[name];
        else this.options[name] = value;
      }
      this.#send();
    };
    const chooser = (label, name, options) => new Field(label, select(options, this.options[name] ?? "", (value) => again({ [name]: value }))).element;
    const inside = el("div", { class: "grid" });
    if (this.columns.length > 1) {
      const target = select([["", `${this.columns.at(-1)}, the last`], ...this.columns.slice(0, -1).map((name) => [name, name])], [this.options.targets].flat()[0] ?? "", (value) => again({ targets: value, inputs: "" }));
      inside.append(new Field("Column to predict", target).element);
    }
    if (this.ending === "csv") inside.append(chooser("First row", "header", [["", "as it looks"], ["present", "names of the columns"], ["absent", "data"]]));
    inside.append(chooser("Rows with a missing value", "missing", [["", "refuse the table"], ["drop", "leave them out"], ["label", "a missing target is a label"]]));
    if (this.offered.categorical) inside.append(chooser("Columns of text", "categorical", [["", "refuse the table"], ["encode", "turn into numbers"], ["drop", "leave them out"]]));
    this.choices.append(details("How the table is read", { open: true }, inside));
  }
}
