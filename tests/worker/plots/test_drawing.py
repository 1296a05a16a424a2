"""Every plot is drawn: its Vega-Lite is valid and self-contained, its SVG small, inert and of one piece."""

from __future__ import annotations

import json
import re
from functools import cache
from xml.etree import ElementTree as ET

import altair as alt
import pytest

from service.contract.plots.data import MinimaData
from service.contract.plots.index import PlotName
from tests.support.plots.made_up import HOSTILE, numbers
from worker.plots.drawing import Drawn, draw
from worker.plots.palette import IN_THE_DARK

SVG = "{http://www.w3.org/2000/svg}"
EVERY = pytest.mark.parametrize("name", list(PlotName))
NAMED = {PlotName.DECISION_BOUNDARIES, PlotName.TRAJECTORIES}
"""Plots that show names of other people's making."""


@cache
def drawn(name: PlotName) -> Drawn:
    return draw(name, numbers()[name].model_dump_json())


def svg(name: PlotName) -> ET.Element:
    return ET.fromstring(drawn(name).svg)  # noqa: S314 - of our own drawing


@EVERY
def test_the_chart_is_vega_lite_with_its_data_inside(name: PlotName) -> None:
    spec = json.loads(drawn(name).vega_lite)
    kind = alt.ConcatChart if "concat" in spec else alt.LayerChart
    assert kind.from_dict(spec, validate=True).to_dict(validate=True)["datasets"] == spec["datasets"]
    assert spec["description"] == drawn(name).plot.description
    text = json.dumps({key: value for key, value in spec.items() if key != "$schema"})
    assert "http" not in text
    assert '"url"' not in text
    assert '"href"' not in text
    tables = set(re.findall(r'"data": \{"name": "(table-\d+)"\}', text))
    assert tables == set(spec["datasets"])


@EVERY
def test_the_svg_is_one_inert_picture(name: PlotName) -> None:
    root = svg(name)
    assert (root.tag, root.get("class"), root.get("role")) == (f"{SVG}svg", "deeplimit-plot", "img")
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert [child.tag for child in root][:3] == [f"{SVG}{tag}" for tag in ("title", "desc", "style")]
    assert root[1].text == drawn(name).plot.description
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    shapes = {"g", "path", "line", "rect", "text", "tspan", "defs", "clipPath", "linearGradient", "stop"}
    assert tags <= {"svg", "title", "desc", "style", *shapes}
    attributes = {key for element in root.iter() for key in element.attrib}
    assert not any(key.startswith("on") or "href" in key for key in attributes)
    assert "http" not in drawn(name).svg.decode().replace("http://www.w3.org/2000/svg", "")


@EVERY
def test_its_ids_are_its_own(name: PlotName) -> None:
    root, text = svg(name), drawn(name).svg.decode()
    ids = [element.get("id", "") for element in root.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    assert all(one.startswith(f"{name}-") for one in ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)


@EVERY
def test_it_turns_for_dark_ground(name: PlotName) -> None:
    """Every colour that is not of the palette would be left as it is."""
    root, used = svg(name), set()
    for element in root.iter():
        used |= {element.get(key, "none") for key in ("fill", "stroke")}
    assert used - {"none", "transparent"} <= {*IN_THE_DARK, "white"}
    style = root[2].text or ""
    for colour in used & set(IN_THE_DARK):
        assert f'="{colour}"]' in style
    assert style.startswith("@media (prefers-color-scheme:dark){.deeplimit-plot ")


@EVERY
def test_it_is_small_and_can_be_read_on_a_phone(name: PlotName) -> None:
    assert len(drawn(name).svg) < 25_000
    assert 300 <= drawn(name).plot.width <= 420
    texts = svg(name).iter(f"{SVG}text")
    sizes = {float(element.get("font-size", "12").removesuffix("px")) for element in texts}
    assert min(sizes) * 320 / drawn(name).plot.width >= 9


@EVERY
def test_the_description_has_numbers(name: PlotName) -> None:
    assert re.search(r"\d", drawn(name).plot.description)
    assert drawn(name).plot.description.endswith(".")


@pytest.mark.parametrize("name", sorted(NAMED))
def test_names_are_words_and_nothing_else(name: PlotName) -> None:
    assert any(element.text == HOSTILE for element in svg(name).iter(f"{SVG}text"))
    assert b"<script" not in drawn(name).svg


def test_no_line_leads_across_a_change_of_sign() -> None:
    spec = json.loads(drawn(PlotName.ORDERS).vega_lite)
    rows = [row for row in spec["datasets"]["table-0"] if row["quantity"] == "minima"]
    assert [(row["run"], row["negative"]) for row in rows] == [
        ("minima-0", True), ("minima-0", True), ("minima-1", False), ("minima-1", False),
    ]  # fmt: skip
    assert [row["size"] for row in rows] == [0.1, 0.01, 0.02, 0.01]
    negative = [layer for layer in spec["layer"] if layer["mark"].get("filled") is False]
    assert len(negative) == 1
    assert {row["depth"] for row in spec["datasets"][negative[0]["data"]["name"]]} == {8, 16}


def test_labels_of_lines_that_end_together_are_apart() -> None:
    texts = [
        element
        for element in svg(PlotName.ORDERS).iter(f"{SVG}text")
        if (element.text or "") in {"minima 1.00", "lift"}
    ]
    heights = [float((element.get("transform") or "").split(",")[1].rstrip(")")) for element in texts]
    assert len(heights) == 2
    assert abs(heights[0] - heights[1]) >= 14


def test_the_gap_runs_into_the_predicted_slope() -> None:
    spec = json.loads(drawn(PlotName.MINIMA).vega_lite)
    (diamond,) = [
        layer for panel in spec["concat"] for layer in panel["layer"] if layer["mark"].get("shape") == "diamond"
    ]
    assert spec["datasets"][diamond["data"]["name"]] == [{"step": 0.0, "slope": 2.0}]


def test_the_predicted_slope_is_told_beside_the_line() -> None:
    """Above the highest place of the line that the label passes, where the line lies below what is predicted."""
    rises = [{"depth": n, "objective": 1 + 2 / n, "slope": s, "converged": True} for n, s in ((8, 1.0), (64, 2.1))]
    made_up = {"depths": rises, "limit": 1.0, "limit_is": "trained", "predicted_slope": 2.0}
    spec = json.loads(draw(PlotName.MINIMA, MinimaData.model_validate(made_up).model_dump_json()).vega_lite)
    (label,) = [layer for layer in spec["concat"][1]["layer"] if layer["mark"].get("text", "").startswith("predicted")]
    assert spec["datasets"][label["data"]["name"]] == [{"step": 0.0, "slope": 2.1}]
    assert label["mark"]["dy"] < 0


def test_what_stopped_early_is_an_open_cross() -> None:
    spec = json.loads(drawn(PlotName.MINIMA).vega_lite)
    (crosses, _) = [
        layer for panel in spec["concat"] for layer in panel["layer"] if layer["mark"].get("shape") == "cross"
    ]
    assert [row["depth"] for row in spec["datasets"][crosses["data"]["name"]]] == [8]
    assert spec["title"]["subtitle"] == ["Open crosses: stopped before a minimum"]
