// Numbers, times and sizes as people read them. The exact digits are in the JSON that each view links to.

/** A number with few digits; what is not finite keeps its word, and null is a dash. */
export function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(Math.max(0, digits - 1)).replace("e", " × 10^").replace("^+", "^").replace("-", "−").replace(/\^-/, "^−").replace(/\^(−?)(\d+)/, (_, sign, power) => superscript(sign + power));
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

const SUPERSCRIPTS = { "−": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

function superscript(text) {
  return [...text].map((character) => SUPERSCRIPTS[character]).join("");
}

/** A share as percent. */
export function percent(share) {
  return typeof share === "number" ? `${(100 * share).toFixed(1).replace(/\.0$/, "")} %` : "–";
}

/** Seconds as a duration. */
export function duration(seconds) {
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** A time, as the reader's own clock has it. */
export function time(text) {
  return text ? new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : "–";
}

/** Bytes. */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = count;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toPrecision(3)} ${units[unit]}`;
}

/** One thing or many. */
export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** How a job is called. */
export const nameOf = (job) => job.name ?? `${job.kind} ${job.id.slice(0, 8)}`;

/** Where a job stands, in a word. */
export const STATUS = { queued: "waiting", running: "running", cancelling: "being cancelled", succeeded: "done", failed: "failed", cancelled: "cancelled" };

/** What is said of a list from which records are left out. */
export const leftOutText = (n, one, many) => `${count(n, one, many)} ${n === 1 ? "is" : "are"} left out: damaged, or of a later version.`;
