"""Which drawings a page takes: SVG that neither runs nor fetches anything."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

from markupsafe import Markup

_SVG: Final = "{http://www.w3.org/2000/svg}"
_ELEMENTS: Final = frozenset(
    {
        *("svg", "g", "defs", "title", "desc", "style", "symbol", "use", "clipPath", "mask", "pattern", "marker"),
        *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan"),
        *("linearGradient", "radialGradient", "stop"),
    }
)
_WORDS: Final = frozenset({"aria-label", "aria-roledescription", "aria-description"})
"""Attributes that are read out, and may have any words in them: a column may well be called ``expression (log2)``."""
_REACHES_OUT: Final = re.compile(r"@import|url\s*\(\s*['\"]?\s*(?!['\"]?#)|expression\s*\(|javascript:", re.IGNORECASE)
_PROLOG: Final = re.compile(r"^\s*(<\?xml[^>]*\?>)?\s*(<!DOCTYPE[^>\[]*>)?\s*")


class UnfitDrawingError(Exception):
    """A drawing is not one that a page takes."""


def inline(content: bytes) -> Markup:
    """Return an SVG to put into a page.

    Drawings come from the worker and hold names of columns and classes, which are whatever a client sent. The page's
    Content-Security-Policy forbids scripts and requests too, for readers that keep to it.

    Raises
    ------
    UnfitDrawingError
        It is not SVG, or has an element, an attribute or an address that it needs not.
    """
    text = _PROLOG.sub("", content.decode(errors="replace"), count=1)
    if not text.startswith("<svg"):
        raise UnfitDrawingError("is not SVG")
    if "<!" in text or "<?" in text:  # comments and CDATA end elsewhere for a reader of HTML than for one of XML
        raise UnfitDrawingError("holds more than elements and text")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without a DOCTYPE there are no entities
    except ET.ParseError as error:
        raise UnfitDrawingError("is not well-formed") from error
    for element in root.iter():
        _check(element)
    return Markup(text)  # noqa: S704 - that is what the checks are for


def _check(element: ET.Element) -> None:
    tag = str(element.tag)
    if not tag.startswith(_SVG) or tag.removeprefix(_SVG) not in _ELEMENTS:
        raise UnfitDrawingError("has an element that is not for drawing")
    if tag == f"{_SVG}style" and _REACHES_OUT.search("".join(element.itertext())):
        raise UnfitDrawingError("fetches something")
    for name, value in element.attrib.items():
        local = name.rpartition("}")[2].lower()  # a reader of HTML goes by prefixes, whatever they stand for
        if local.startswith("on"):
            raise UnfitDrawingError("runs something")
        if (local == "href" and not value.startswith("#")) or (name not in _WORDS and _REACHES_OUT.search(value)):
            raise UnfitDrawingError("fetches something")
