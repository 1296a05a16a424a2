"""From the SVG that vl-convert writes to the one that is kept: small, for light and dark, to stand in a page.

Vega writes a screen reader's tree of marks; here the plot is one picture with a title and a description, so that tree
goes, and with it what is invisible. Coordinates are rounded to a tenth of a pixel. One style sheet, in the
picture itself, turns the palette for dark ground.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

from worker.plots.palette import IN_THE_DARK
from worker.plots.style import FONT

NAMESPACE: Final = "http://www.w3.org/2000/svg"
CLASS: Final = "deeplimit-plot"
_NUMBER: Final = re.compile(r"-?\d*\.\d+(?:e-?\d+)?")
_NUMERIC: Final = frozenset({"d", "transform", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "cx", "cy", "r"})
_DROPPED: Final = frozenset({"role", "class", "pointer-events", "font-family", "aria-hidden"})
_REFERENCE: Final = re.compile(r"url\(#([^)]+)\)")
_EMPTY: Final = re.compile(r"M0,0h0v0h0Z")
_NOTHING_MOVED: Final = "translate(0,0)"


def finished_svg(svg: str, name: str, title: str, description: str) -> tuple[bytes, int, int]:
    """Return the SVG that is kept, with its width and height in pixels.

    Parameters
    ----------
    svg
        As vl-convert writes it.
    name
        Of the plot; ids begin with it, so that several plots can stand in one page.
    """
    ET.register_namespace("", NAMESPACE)
    root = ET.fromstring(svg)  # noqa: S314 - written by vl-convert from a chart of our own
    width, height = (round(float(root.get(side, "0"))) for side in ("width", "height"))
    _clean(root, name)
    view = root.get("viewBox", f"0 0 {width} {height}")
    root.attrib.clear()
    root.attrib.update(
        {
            "class": CLASS,
            "viewBox": view,
            "width": str(width),
            "height": str(height),
            "role": "img",
            "font-family": FONT,
        }
    )
    told = [_element("title", title), _element("desc", description), _element("style", _dark(root))]
    for place, element in enumerate(told):
        root.insert(place, element)
    return ET.tostring(root, encoding="utf-8", xml_declaration=False), width, height


def _element(tag: str, text: str) -> ET.Element:
    element = ET.Element(f"{{{NAMESPACE}}}{tag}")
    element.text = text
    return element


def _clean(parent: ET.Element, name: str) -> None:
    """Make an element and all below it small, from the leaves up."""
    kept: list[ET.Element] = []
    for child in parent:
        _clean(child, name)
        tag = child.tag.removeprefix(f"{{{NAMESPACE}}}")
        _rewrite(child, name)
        if tag == "g" and not len(child):
            continue
        if tag == "path" and (_EMPTY.fullmatch(child.get("d", "")) or child.attrib.keys() <= {"d"}):
            continue
        if tag == "g" and not child.attrib:
            kept += list(child)
        else:
            kept.append(child)
    parent[:] = kept


def _rewrite(element: ET.Element, name: str) -> None:
    for key in list(element.attrib):
        value = element.attrib[key]
        if key in _DROPPED or key.startswith("aria-") or (key == "opacity" and value == "1"):
            del element.attrib[key]
        elif key in _NUMERIC:
            element.attrib[key] = _NUMBER.sub(lambda found: _short(found[0]), value)
        elif key == "id":
            element.attrib[key] = f"{name}-{value}"
        elif "url(#" in value:
            element.attrib[key] = _REFERENCE.sub(rf"url(#{name}-\1)", value)
    if element.get("transform") == _NOTHING_MOVED:
        del element.attrib["transform"]


def _short(number: str) -> str:
    value = round(float(number), 1)
    return f"{value:g}"


def _dark(root: ET.Element) -> str:
    """Return the style sheet: each colour of the palette that is there, by its place on dark ground."""
    used = {(key, element.get(key)) for element in root.iter() for key in ("fill", "stroke", "stop-color")}
    named = {"#ffffff": ("#ffffff", "white")}
    rules = [
        f'.{CLASS} [{key}="{written}"]{{{key}:{dark}}}'
        for light, dark in IN_THE_DARK.items()
        for written in named.get(light, (light,))
        for key in ("fill", "stroke", "stop-color")
        if (key, written) in used
    ]
    return f"@media (prefers-color-scheme:dark){{{''.join(rules)}}}"
