"""The verdict of a study in the report's parts: summary, answer and findings, or the statements of earlier versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.report.parts import Answer, Finding
from service.report.texts import at, number

if TYPE_CHECKING:
    from service.report.parts import Json

SUMMARIES: Final = {
    True: "Yes: as depth grows, the trained networks settle on one limit.",
    False: "No: as depth grows, the trained networks do not settle on the limit.",
    None: "Undecided: this study cannot tell whether the trained networks settle on one limit.",
}
"""For verdicts without a summary of their own."""
FIRST: Final = 3
"""Statements that stand for the main findings of a verdict that has none; all of them are among the details."""
CONFIDENCE: Final = {
    "confirmed": "trained and confirmed",
    "measured": "measured at trained depths",
    "predicted": "predicted, not trained",
    "undecided": "undecided",
}
METRICS: Final = {"accuracy": "accuracy", "r2": "R²", "objective": "objective"}
DATA: Final = {"validation": "validation data", "train": "the training data"}


def answer_of(verdict: Json) -> Answer:
    """Return the verdict as a report shows it first."""
    summary = verdict.get("summary") or SUMMARIES[verdict["converges"]]
    found: Json = verdict.get("answer") or {}
    main = [entry for entry in verdict.get("findings") or () if entry["level"] == "main"]
    if verdict.get("findings"):
        findings = [_finding(entry) for entry in main if entry["text"] != summary]
    else:
        findings = [Finding(text, verdict["converges"]) for text in verdict["statements"][:FIRST]]
    return Answer(summary, _sentences(found), findings)


def all_findings(verdict: Json) -> list[Finding]:
    """Return every finding, or every statement where there are none."""
    if verdict.get("findings"):
        return [_finding(entry, explained=True) for entry in verdict["findings"]]
    return [Finding(text, verdict["converges"]) for text in verdict["statements"]]


def _finding(entry: Json, *, explained: bool = False) -> Finding:
    """Return a finding; a page's links are none that run, or hang on where the page happens to lie."""
    href = entry.get("href") or ""
    address = href if href.startswith(("https://", "http://")) else None
    reference = href if explained and href and address is None else None
    return Finding(entry["text"], entry.get("holds"), entry.get("advice"), address, reference)


def _sentences(found: Json) -> list[str]:
    sentences = []
    metric, where = METRICS.get(found.get("metric") or "", "metric"), DATA.get(found.get("data") or "", "the data")
    here, limit = at(found, "at_depth"), at(found, "in_the_limit")
    if found.get("depth") is not None:
        text = f"Depth {found['depth']} ({CONFIDENCE.get(found.get('confidence') or '', 'undecided')})"
        if here is not None:
            text += f": {metric} on {where} {number(here)}"
            text += f", and {number(limit)} in the limit" if limit is not None else ""
        sentences.append(f"{text}.")
    if found.get("change"):
        sentences.append(str(found["change"]))
    return sentences
