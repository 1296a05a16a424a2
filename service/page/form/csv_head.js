// The first line of a CSV, read in the browser to offer its columns by name. The service reads the file itself.

const FIRST_BYTES = 65_536;

/** Names of the columns as the first line has them, or an empty list where the file is no plain CSV. */
export async function columnsOf(file) {
  const text = (await file.slice(0, FIRST_BYTES).text()).replace(/^\uFEFF/, "");
  const names = firstRecord(text);
  const plausible = names.length > 1 && names.every((name) => name.trim() !== "" && name.length <= 1000);
  return plausible ? names.map((name) => name.trim()) : [];
}

/** Cells of the first record; quotes may hold commas, line breaks and doubled quotes (RFC 4180). */
export function firstRecord(text) {
  const cells = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (quoted) {
      if (character === '"' && text[i + 1] === '"') (cell += '"'), (i += 1);
      else if (character === '"') quoted = false;
      else cell += character;
    } else if (character === '"' && cell === "") quoted = true;
    else if (character === ",") (cells.push(cell), (cell = ""));
    else if (character === "\n" || character === "\r") break;
    else cell += character;
  }
  cells.push(cell);
  return cells;
}
