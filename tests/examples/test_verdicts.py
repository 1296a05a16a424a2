"""The verdicts that docs/verdict.md quotes, each from its own specification."""

from __future__ import annotations

import re

import pytest

from tests.examples.conftest import EXAMPLES, Service
from tests.support.markdown import ROOT

PAGE = (ROOT / "docs" / "verdict.md").read_text()
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")


def quoted() -> dict[str, list[str]]:
    """Sentences by the specification that stands above them."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in PAGE.splitlines():
        if said := re.fullmatch(r"`examples/(\S+\.json)`", line):
            name = said[1]
        if line.startswith("> "):
            found.setdefault(name, []).append(line[2:])
    return found


QUOTED = quoted()


def same(claimed: str, said: str) -> bool:
    """Whether two sentences are one but for digits that follow the machine."""
    if NUMBER.split(claimed) != NUMBER.split(said):
        return False
    pairs = zip(NUMBER.findall(claimed), NUMBER.findall(said), strict=True)
    return all(float(one) == pytest.approx(float(other), rel=0.15) for one, other in pairs)


@pytest.mark.parametrize("name", QUOTED)
def test_the_service_says_what_the_page_quotes(name: str, service: Service) -> None:
    verdict = service.trained(name)["diagnostics"]["verdict"]
    summary, *others = QUOTED[name]
    assert same(summary, verdict["summary"]), verdict["summary"]
    findings = verdict["findings"]
    sentences = [text for each in findings for text in (each["text"], each["advice"]) if text is not None]
    assert [claimed for claimed in others if not any(same(claimed, said) for said in sentences)] == []


def test_every_specification_of_a_verdict_is_quoted_and_drawn() -> None:
    assert {f"verdicts/{path.name}" for path in (EXAMPLES / "verdicts").glob("*.json")} <= set(QUOTED)
    drawn = set(re.findall(r"\]\(pictures/([a-z-]+\.svg)\)", PAGE + (ROOT / "docs" / "gallery.md").read_text()))
    assert drawn == {path.name for path in (ROOT / "docs" / "pictures").glob("*.svg")}
    assert len(drawn) == len(QUOTED) + 1


def test_pictures_are_small_named_and_draw_on_nothing_else() -> None:
    for path in (ROOT / "docs" / "pictures").glob("*.svg"):
        text = path.read_text()
        assert len(text) < 80_000, path
        assert re.search(r"<svg[^>]* role=\"img\"><title>[A-Z][^<]+\.</title>", text), path
        assert not re.search(r"<script|<image|href=", text), path


def test_another_sentence_or_number_is_told_apart() -> None:
    assert same("orders 0.996 from depth 32", "orders 0.995 from depth 32")
    assert not same("orders 0.996 from depth 32", "orders 0.996 from depth 64")
    assert not same("orders 0.996", "order 0.996")
