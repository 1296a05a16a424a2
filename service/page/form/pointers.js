// JSON pointers (RFC 6901): reading and writing a place of the specification.

export const join = (pointer, name) => `${pointer}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;

const tokens = (pointer) => pointer.split("/").slice(1).map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));

/** The value at a pointer, or undefined. */
export function valueAt(document, pointer) {
  return tokens(pointer).reduce((part, token) => (part === null || part === undefined ? undefined : part[token]), document);
}

/** Put a value there, making the objects on the way; undefined takes it away, and with it objects that are left empty. */
export function put(document, pointer, value) {
  const path = tokens(pointer);
  const last = path.pop();
  const way = [document];
  for (const token of path) {
    const here = way.at(-1);
    if (value === undefined && (here[token] === undefined || here[token] === null)) return;
    if (typeof here[token] !== "object" || here[token] === null) here[token] = {};
    way.push(here[token]);
  }
  if (value !== undefined) {
    way.at(-1)[last] = value;
    return;
  }
  delete way.at(-1)[last];
  for (let depth = path.length; depth > 0; depth -= 1) {
    if (Array.isArray(way[depth]) || Object.keys(way[depth]).length > 0) return;
    delete way[depth - 1][path[depth - 1]];
  }
}

/** The registered pointer that an error belongs to: its own, or the nearest around it. */
export function nearest(pointer, known) {
  let place = pointer;
  while (place !== "" && !known.has(place)) place = place.slice(0, place.lastIndexOf("/"));
  return known.has(place) ? place : null;
}
