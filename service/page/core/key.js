// Asks for a key, once, where the service wants one. It stays in a variable of this page and nowhere else.

import { button, el } from "./dom.js";

let asking = null;

/** Ask for a key; resolves with it, or with null where the user does not give one. */
export function askForKey(refused) {
  asking ??= ask(refused).finally(() => (asking = null)); // many calls may want it at once
  return asking;
}

function ask(refused) {
  return new Promise((resolve) => {
    const input = el("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true });
    const form = el(
      "form",
      { method: "dialog" },
      el("h2", { id: "key-title" }, "This service wants a key"),
      el("p", { class: refused ? "error" : "hint", id: "key-hint" },
        refused ? "The key was not taken. Is it complete, and still valid?"
          : "It is kept in this page's memory only, and forgotten when the page is closed or loaded again."),
      el("div", { class: "field" }, el("label", { for: "key" }, "Key"), input),
      el("div", { class: "actions" },
        el("button", { type: "submit", class: "primary" }, "Use this key"),
        button("Not now", () => dialog.close())),
    );
    const dialog = el("dialog", { "aria-labelledby": "key-title", "aria-describedby": "key-hint" }, form);
    let given = null;
    form.addEventListener("submit", () => (given = input.value.trim() || null));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(given);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
