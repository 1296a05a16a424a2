"""A page takes drawings that neither run nor fetch anything, and says why it does not take others."""

from __future__ import annotations

import json
import re

import pytest

from service.contract.plots.index import PlotName
from service.report.drawings import UnfitDrawingError, inline
from service.report.pictures import NOT_DRAWN, pictures_of
from tests.support.plots.made_up import HOSTILE, numbers
from worker.plots.drawing import draw

NS = 'xmlns="http://www.w3.org/2000/svg"'
GOOD = (
    f'<svg {NS} viewBox="0 0 9 9" role="img"><title>a &lt;script&gt; b</title>'
    "<style>@media (prefers-color-scheme: dark) { .a { fill: #fff } }</style>"
    '<defs><clipPath id="c"><rect width="9" height="9"/></clipPath></defs>'
    '<g clip-path="url(#c)"><use href="#c"/></g></svg>'
)


@pytest.mark.parametrize(
    "prolog", ["", '<?xml version="1.0"?>\n', '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "x" "y">']
)
def test_a_drawing_stays_as_it_is(prolog: str) -> None:
    assert inline((prolog + GOOD).encode()) == GOOD


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("<html></html>", "is not SVG"),
        ("<svg", "is not well-formed"),
        (f"<svg {NS}><script>alert(1)</script></svg>", "has an element"),
        ("<svg><g/></svg>", "has an element"),
        (f'<svg {NS}><foreignObject><p xmlns="http://www.w3.org/1999/xhtml"/></foreignObject></svg>', "has an element"),
        (f'<svg {NS}><image href="http://evil.example/x.png"/></svg>', "has an element"),
        (f'<svg {NS}><g onclick="alert(1)"/></svg>', "runs something"),
        (f'<svg {NS}><use href="http://evil.example/x.svg#a"/></svg>', "fetches something"),
        (f'<svg {NS} xmlns:xlink="urn:a"><use xlink:href="//evil.example/x.svg#a"/></svg>', "fetches something"),
        (f'<svg {NS} xmlns:a="http://www.w3.org/1999/xlink"><use a:HREF="data:,x"/></svg>', "fetches something"),
        (f'<svg {NS}><use href="javascript:alert(1)"/></svg>', "fetches something"),
        (f'<svg {NS}><g fill="url(http://evil.example/x)"/></svg>', "fetches something"),
        (f'<svg {NS}><style>@import "http://evil.example/x.css";</style></svg>', "fetches something"),
        (f"<svg {NS}><style>.a {{ fill: url( 'http://evil.example/x' ) }}</style></svg>", "fetches something"),
        (f"<svg {NS}><desc><![CDATA[><script>alert(1)</script>]]></desc></svg>", "holds more than"),
        (f"<svg {NS}><!-- a --></svg>", "holds more than"),
        (f'<!DOCTYPE svg [<!ENTITY a "b">]><svg {NS}><text>&a;</text></svg>', "is not SVG"),
    ],
)
def test_what_a_page_does_not_take(content: str, why: str) -> None:
    with pytest.raises(UnfitDrawingError) as unfit:
        inline(content.encode())
    assert why in str(unfit.value)


@pytest.mark.parametrize("called", [HOSTILE, "expression (log2)", "url(http://a) @import javascript: <!-- ]]>"])
def test_a_page_takes_whatever_the_worker_draws(called: str) -> None:
    """Whatever columns and classes are called."""
    ids: list[str] = []
    for name, made_up in numbers().items():
        told = made_up.model_dump_json().replace(json.dumps(HOSTILE, ensure_ascii=False), json.dumps(called))
        drawn = draw(PlotName(name), told).svg.decode()
        assert inline(drawn.encode()) == drawn
        ids += re.findall(r'\bid="([^"]+)"', drawn)
    assert ids
    assert len(set(ids)) == len(ids)


def test_three_pictures_are_chosen() -> None:
    """Decision boundaries where they were drawn, or else the training; and the reason where one was withheld."""
    everything = pictures_of(None, lambda _: GOOD.encode())
    assert [picture.title for picture in everything] == [
        "Minima against depth",
        "Orders of convergence",
        "Decision boundaries of all depths",
    ]
    index = {"plots": [{"name": "training", "title": "How it went"}], "withheld": {"orders": "There is one depth."}}
    some = pictures_of(index, lambda name: GOOD.encode() if name in {"minima", "training"} else None)
    assert [(picture.title, picture.svg is None, picture.reason) for picture in some] == [
        ("Minima against depth", False, ""),
        ("Orders of convergence", True, "There is one depth."),
        ("How it went", False, ""),
    ]
    (none,) = pictures_of(None, lambda _: None)
    assert none.reason == NOT_DRAWN
