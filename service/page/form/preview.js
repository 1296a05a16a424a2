// What the service read: columns with their ranges, classes and the first rows; from the record alone where it has no more.

import { get, offers } from "../core/api.js";
import { el, table } from "../core/dom.js";
import { count, number } from "../core/format.js";

/** Elements that show a kept data set. */
export async function previewOf(record, signal) {
  const facts = factsOf(record);
  const place = el("div", { class: "box good" }, el("p", {}, el("strong", {}, `${record.name ?? "The table"} was read: `), facts, "."));
  if (record.kind !== "samples") return place;
  try {
    if (await offers("get", "/v1/datasets/{dataset_id}/preview")) {
      const { body } = await get(`v1/datasets/${record.id}/preview`, { signal });
      place.append(columnsTable(body), rowsTable(body));
      return place;
    }
  } catch (error) {
    if (signal.aborted) throw error;
  }
  if (record.columns) place.append(el("p", { class: "hint" }, `Inputs: ${record.columns.join(", ")}.`));
  const classes = record.targets?.class_names;
  if (classes) place.append(el("p", { class: "hint" }, `Classes: ${classes.map((name, i) => `${name} (${record.targets.class_counts[i]})`).join(", ")}.`));
  return place;
}

function factsOf(record) {
  if (record.kind === "weights") return `weights of a network of depth ${record.depth}`;
  const { targets } = record;
  const parts = [count(record.samples, "sample"), count(record.features, "input")];
  if (!targets) parts.push("no targets");
  else if (targets.kind === "classes") parts.push(count((targets.class_counts ?? []).length || 0, "class", "classes"));
  else parts.push(count(targets.outputs, "number to predict", "numbers to predict"));
  if (record.dropped_rows) parts.push(`${count(record.dropped_rows, "row")} left out`);
  return parts.join(", ");
}

function columnsTable({ columns }) {
  return table("Columns", ["column", "used as", "kind", "least", "most", "classes"], columns.map((column) => [
    column.name, column.role, column.type, number(column.minimum), number(column.maximum),
    column.classes ? column.classes.map((one) => `${one.name} (${one.samples})`).join(", ") : null,
  ]));
}

function rowsTable({ columns, rows }) {
  return table(`First ${count(rows.length, "row")}`, columns.map((column) => column.name), rows.map((row) => row.map((cell) => (typeof cell === "number" ? number(cell, 6) : cell === null ? null : String(cell)))), { rowHeads: false });
}
