"""The page of verdicts: every specification of one is quoted and drawn, and pictures can be taken anywhere."""

from __future__ import annotations

import re

from tests.examples.conftest import EXAMPLES
from tests.examples.verdict_page import PAGE, QUOTED, same
from tests.support.markdown import ROOT


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
