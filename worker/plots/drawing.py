"""One plot from its numbers: chart, Vega-Lite and SVG."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import vl_convert
from altair.utils.schemapi import debug_mode

from service.contract.plots.data import (
    BoundariesData,
    BranchesData,
    MinimaData,
    OrdersData,
    ParametersData,
    PlotData,
    TrainingData,
    TrajectoriesData,
)
from service.contract.plots.index import PlotName, StoredPlot
from worker.plots import branches, decision_boundaries, minima, orders, parameters, training, trajectories
from worker.plots.svg import finished_svg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.plots.style import Spec

VEGA_LITE_VERSION: Final = "6.4"
"""Of Altair 6, as vl-convert calls it."""


@dataclass(frozen=True)
class Drawing:
    """How one plot is drawn: its numbers' type, its title, its description and its chart."""

    data: type[PlotData]  # type: ignore[valid-type]  # a union of classes
    title: str
    describe: Callable[[Any], str]
    draw: Callable[[Any], Spec]


DRAWINGS: Final[Mapping[PlotName, Drawing]] = MappingProxyType(
    {
        name: Drawing(data, module.TITLE, module.describe, module.draw)
        for name, data, module in (
            (PlotName.MINIMA, MinimaData, minima),
            (PlotName.ORDERS, OrdersData, orders),
            (PlotName.PARAMETERS, ParametersData, parameters),
            (PlotName.TRAINING, TrainingData, training),
            (PlotName.TRAJECTORIES, TrajectoriesData, trajectories),
            (PlotName.DECISION_BOUNDARIES, BoundariesData, decision_boundaries),
            (PlotName.BRANCHES, BranchesData, branches),
        )
    }
)
"""Every plot."""


@dataclass(frozen=True)
class Drawn:
    """A plot that is drawn."""

    plot: StoredPlot
    svg: bytes
    vega_lite: bytes


def draw(name: PlotName, content: str) -> Drawn:
    """Draw a plot from its numbers as JSON."""
    drawing = DRAWINGS[name]
    numbers = drawing.data.model_validate_json(content)  # type: ignore[attr-defined]
    description = drawing.describe(numbers)
    with debug_mode(False):  # Altair checks every object of a chart, which takes half of the time; the tests have it on
        spec = drawing.draw(numbers)
    raw = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE_VERSION, allowed_base_urls=[])
    svg, width, height = finished_svg(raw, name, drawing.title, description)
    plot = StoredPlot(name=name, title=drawing.title, description=description, width=width, height=height)
    return Drawn(plot, svg, json.dumps(spec, separators=(",", ":"), allow_nan=False).encode())
