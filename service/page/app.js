// Starts the page: which view an address shows, where the focus goes, and what the footer says.

import { get, onKeyWanted } from "./core/api.js";
import { announce } from "./core/announce.js";
import { clear, el } from "./core/dom.js";
import { count } from "./core/format.js";
import { askForKey } from "./core/key.js";
import { problemBox } from "./core/problem.js";
import { parse } from "./core/router.js";
import { compareView } from "./views/compare.js";
import { jobView } from "./views/job.js";
import { jobsView } from "./views/jobs.js";
import { newView } from "./views/new.js";

const VIEWS = { jobs: jobsView, new: newView, job: jobView, compare: compareView };

const main = document.getElementById("main");
let leaving = new AbortController();
let first = true;

async function show() {
  leaving.abort(); // what the view before still waits for
  leaving = new AbortController();
  const { signal } = leaving;
  const route = parse(location.hash);
  for (const link of document.querySelectorAll("nav [data-route]")) {
    if (link.dataset.route === route.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  clear(main);
  const heading = el("h1", { tabindex: "-1" });
  const body = el("div", { class: "view" });
  main.append(heading, body);
  const say = (title) => {
    heading.textContent = title;
    document.title = `${title} · deeplimit`;
  };
  const view = VIEWS[route.view];
  try {
    if (view === undefined) {
      say("There is nothing here");
      body.append(el("p", {}, "This address leads nowhere. ", el("a", { href: "#/" }, "See the studies.")));
    } else {
      const shown = view({ body, say, route, signal });
      if (!first) heading.focus();
      await shown;
    }
  } catch (error) {
    if (signal.aborted) return;
    if (!heading.textContent) say("Something went wrong");
    body.append(problemBox(error));
    announce(error.message);
  } finally {
    first = false;
  }
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address after # is the view
  main.focus();
});
onKeyWanted(askForKey);
for (const start of [show, showAbout]) {
  window.addEventListener("hashchange", start);
  start();
}

/** Who answers, and how many train; asked with every view, because workers come and go. */
async function showAbout() {
  try {
    const { body } = await get("v1/capabilities");
    document.getElementById("about").replaceChildren(
      `deeplimit ${body.version} · ${count(body.workers.length, "worker")} · `,
      el("a", { href: new URL("../openapi.json", import.meta.url).href }, "API description"));
  } catch {
    // the view says what is wrong
  }
}
