// What helps when an upload is refused: the parameter that would let it through, as a button.

const TEXT_CODES = new Set(["not_a_number", "text_column", "text_in_column"]);

/** Buttons for a refusal: what each says, and the options that it sets. `offered` says whether a parameter exists. */
export function remediesFor(error, columns, offered) {
  const found = [];
  const add = (text, options) => {
    if (!found.some((one) => one.text === text)) found.push({ text, options });
  };
  for (const item of error.errors ?? []) {
    const code = item.code ?? "";
    const about = `${item.parameter ?? ""} ${item.detail ?? ""}`;
    if (code === "missing_value" || /missing=/.test(about)) {
      add("Leave out rows with a missing value", { missing: "drop" });
      if (/target|label/i.test(about)) add("Take a missing target as a label", { missing: "label" });
    }
    if (code === "ambiguous_header" || item.parameter === "header") {
      add("The first row names the columns", { header: "present" });
      add("The first row is data", { header: "absent" });
    }
    if (offered.categorical && (TEXT_CODES.has(code) || /categorical/.test(about))) {
      add("Turn text columns into numbers, one for each value", { categorical: "encode" });
      add("Leave text columns out", { categorical: "drop" });
    }
    const named = columns.filter((name) => about.includes(`'${name}'`));
    if (!offered.categorical && TEXT_CODES.has(code) && named.length) {
      const rest = (options) => columns.filter((name) => !named.includes(name) && name !== (options.targets ?? columns.at(-1)));
      add(`Leave out ${named.join(", ")}`, (options) => ({ inputs: rest(options), targets: options.targets ?? columns.at(-1) }));
    }
  }
  return found;
}
