// JSON Schema as the form needs it: references resolved, null taken apart, and what kind of field fits.

/** A schema without `$ref`, and whether null may stand in its place. */
export function resolve(schema, root) {
  let found = schema;
  while (found.$ref) found = { ...lookUp(found.$ref, root), ...without(found, "$ref") };
  const options = found.anyOf;
  if (!options || !options.some((one) => one.type === "null")) return { schema: found, nullable: false };
  const others = options.filter((one) => one.type !== "null");
  const rest = without(found, "anyOf");
  if (others.length > 1) return { schema: { ...rest, anyOf: others }, nullable: true };
  return { schema: { ...resolve(others[0], root).schema, ...rest }, nullable: true };
}

function lookUp(reference, root) {
  return reference.replace(/^#\//, "").split("/").reduce((part, token) => part[token.replaceAll("~1", "/").replaceAll("~0", "~")], root);
}

function without(schema, name) {
  const rest = { ...schema };
  delete rest[name];
  return rest;
}

/** Which field fits a resolved schema: object, choice (of objects, by a tag), enum, boolean, number, text, numbers, texts or json. */
export function fieldKind(schema, root) {
  if (schema.discriminator) return "choice";
  if (schema.const !== undefined) return "const";
  if (schema.enum) return "enum";
  if (schema.type === "object") return schema.properties ? "object" : "json";
  if (schema.type === "boolean") return "boolean";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "string") return "text";
  if (schema.type === "array" && schema.items) {
    const { schema: items } = resolve(schema.items, root);
    if (items.type === "integer" || items.type === "number") return "numbers";
    if (items.type === "string" || items.enum) return "texts";
  }
  return "json";
}

/** Read what somebody typed; throws a message for people where it is not of the kind. Blank is undefined: the default. */
export function readText(kind, text) {
  const typed = text.trim();
  if (typed === "") return undefined;
  if (kind === "text") return text;
  if (kind === "texts") return typed.split(",").map((part) => part.trim()).filter(Boolean);
  if (kind === "number") return readNumber(typed);
  if (kind === "numbers") return typed.split(/[\s,;]+/).filter(Boolean).map(readNumber);
  try {
    return JSON.parse(typed);
  } catch {
    throw new Error("is not JSON: text stands in double quotes, lists in [ ]");
  }
}

function readNumber(text) {
  const value = Number(text.replace("−", "-"));
  if (!Number.isFinite(value)) throw new Error(/^\d+,\d+$/.test(text) ? "is not a number: write a point for the decimals" : "is not a number");
  return value;
}

/** The text that stands for a value in a field. */
export function writeText(kind, value) {
  if (value === undefined || value === null) return "";
  if (kind === "texts" || kind === "numbers") return Array.isArray(value) ? value.join(", ") : JSON.stringify(value);
  if (kind === "json") return JSON.stringify(value);
  return String(value);
}

/** A description without the marks of code that it is written with. */
export const plain = (description) => description?.replaceAll("`", "") ?? null;

/** A property's name as a label. */
export function labelOf(name) {
  const words = name.replaceAll("_", " ");
  return words.length > 1 ? words.charAt(0).toUpperCase() + words.slice(1) : words;
}
