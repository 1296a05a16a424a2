// Addresses after the #: which view, of which job, with which query. A link is an ordinary link.

/** Read an address such as `#/jobs/ID` or `#/compare?a=ID&b=ID`. */
export function parse(hash) {
  const [path, search = ""] = hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(decode);
  const query = new URLSearchParams(search);
  if (parts.length === 0) return { view: "jobs", query };
  if (parts[0] === "jobs" && parts.length === 2) return { view: "job", id: parts[1], query };
  if (parts.length === 1 && ["new", "compare"].includes(parts[0])) return { view: parts[0], query };
  return { view: null, query };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const jobAddress = (id) => `#/jobs/${encodeURIComponent(id)}`;

/** An address with a query, without what is empty. */
export function withQuery(path, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value) query.set(name, value);
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export function go(address) {
  location.hash = address;
}
