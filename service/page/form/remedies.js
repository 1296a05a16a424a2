// What helps when an upload is refused: the parameters that would let it through, as buttons.

const WORDS = {
  "missing=drop": "Leave out rows with a missing value",
  "missing=label": "Take a missing target as a label",
  "categorical=encode": "Turn columns of text into numbers, one for each text",
  "categorical=drop": "Leave out columns of text",
  "header=present": "The first row names the columns",
  "header=absent": "The first row is data",
  "inputs_only=true": "There is nothing to predict in it",
};

/** Buttons for a refusal: what each says, and the options that it sets; all that is proposed together comes first. */
export function remediesFor(error, columns) {
  const items = error.errors ?? [];
  const proposed = [...new Set(items.flatMap((item) => item.remedies ?? guessed(item)))];
  const single = proposed.map((remedy) => ({ text: WORDS[remedy] ?? inWords(remedy), options: optionsOf([remedy]) }));
  const firsts = new Map(); // of each parameter the first: alternatives of one another go not together
  for (const remedy of proposed) if (!firsts.has(nameOf(remedy))) firsts.set(nameOf(remedy), remedy);
  const together = [...firsts.values()];
  const all = together.length > 1 ? [{ text: `All that is proposed: ${together.map((one) => lower(WORDS[one] ?? inWords(one))).join("; ")}`, options: optionsOf(together), first: true }] : [];
  return [...all, ...single, ...(proposed.length === 0 ? leavingOut(items, columns) : [])];
}

/** What an earlier version of the service says in its details alone. */
function guessed(item) {
  const text = `${item.parameter ?? ""} ${item.detail ?? ""}`;
  const found = Object.keys(WORDS).filter((remedy) => text.includes(remedy));
  if (item.code === "missing_value" && !found.length) found.push("missing=drop");
  if (item.code === "ambiguous_header") found.push("header=present", "header=absent");
  return found;
}

/** Columns that are at fault by name can be left out by naming the others. */
function leavingOut(items, columns) {
  const named = columns.filter((name) => items.some((item) => item.column === name || (item.detail ?? "").includes(`'${name}'`)));
  const target = columns.at(-1);
  const rest = columns.filter((name) => !named.includes(name) && name !== target);
  if (named.length === 0 || rest.length === 0 || named.includes(target)) return [];
  return [{ text: `Leave out ${named.join(", ")}`, options: { inputs: rest, targets: target } }];
}

const nameOf = (remedy) => remedy.slice(0, remedy.indexOf("="));
const valueOf = (remedy) => remedy.slice(remedy.indexOf("=") + 1);
const lower = (text) => text.charAt(0).toLowerCase() + text.slice(1);

function inWords(remedy) {
  return nameOf(remedy) === "targets" ? `Predict ${valueOf(remedy)}` : `Add ${remedy}`;
}

function optionsOf(remedies) {
  const options = {};
  for (const remedy of remedies) options[nameOf(remedy)] = valueOf(remedy);
  return options;
}
