"""What docs/verdict.md quotes: sentences by the specification they are about."""

from __future__ import annotations

import re

import pytest

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
