// The verdict in words: the summary and the answer first, what was found below, the terms of the theory folded away.

import { details, el, section } from "../core/dom.js";
import { number, percent } from "../core/format.js";
import { finite } from "../math/prediction.js";

const HOLDS = new Map([[true, ["holds", "yes"]], [false, ["fails", "no"]], [null, ["open", "open"]]]);
const CONFIDENCE = {
  confirmed: "trained at this depth and confirmed", measured: "measured at trained depths", predicted: "predicted, not trained", undecided: "not decided",
};
const CONVERGES = new Map([
  [true, "Yes: as depth grows the trained networks settle on one limit."],
  [false, "No: the trained networks do not settle on one limit."],
  [null, "It cannot be told from these depths."],
]);

/** The one sentence that answers whether the study converges; results of earlier versions have only true, false or null. */
export const summaryOf = (verdict) => verdict?.summary ?? CONVERGES.get(verdict?.converges ?? null);

/** The part of a page that says what came out. */
export function verdictSection(verdict, title = "What came out") {
  const [tone] = HOLDS.get(verdict.converges ?? null);
  const findings = verdict.findings ?? (verdict.statements ?? []).map((text, i) => ({ text, holds: null, level: i === 0 ? "main" : "detail", plain: true }));
  const main = findings.filter((finding) => finding.level !== "detail" && finding.text !== summaryOf(verdict)); // said above already
  const more = findings.filter((finding) => finding.level === "detail");
  return section(title, { class: `card verdict ${tone}` },
    el("p", { class: "summary" }, summaryOf(verdict)),
    verdict.answer ? answerFacts(verdict.answer) : null,
    main.length ? el("ul", { class: "findings" }, main.map((finding) => findingItem(finding, verdict.answer?.change))) : null,
    more.length ? details(`${more.length} findings in the terms of the theory`, {}, el("ul", { class: "findings" }, more.map((finding) => findingItem(finding)))) : null);
}

function findingItem(finding, saidAbove = null) {
  const [tone, word] = HOLDS.get(finding.holds ?? null);
  return el("li", { class: finding.plain ? "" : tone },
    finding.plain ? null : el("span", { class: "mark" }, word), " ", finding.text,
    finding.advice && finding.advice !== saidAbove ? el("span", { class: "advice" }, ` ${finding.advice}`) : null,
    docsLink(finding.href));
}

/** Only addresses of the web: nothing that runs. */
function docsLink(href) {
  if (typeof href !== "string" || !/^https?:\/\//.test(href)) return null;
  return [" ", el("a", { href, rel: "noreferrer" }, "what this means")];
}

function answerFacts(answer) {
  const score = (value) => (finite(value) === null ? "–" : answer.metric === "accuracy" ? percent(value) : number(value));
  const where = answer.data === "validation" ? "on data held out" : "on the training data";
  const facts = [
    ["Depth to use", answer.depth === null ? "not decided" : String(answer.depth)],
    [`${capital(answer.metric ?? "metric")} there, ${where}`, score(answer.at_depth)],
    ["in the limit of depth", score(answer.in_the_limit)],
    ["How sure", CONFIDENCE[answer.confidence] ?? answer.confidence ?? "–"],
  ];
  return [
    el("dl", { class: "facts" }, facts.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value)))),
    answer.change ? el("p", { class: "advice" }, answer.change) : null,
  ];
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
