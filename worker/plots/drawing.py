"""One plot from its numbers: chart, Vega-Lite and SVG."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import vl_convert
from altair.utils.schemapi import debug_mode

from service.contract.plots.data import PLOT_DATA
from service.contract.plots.index import PlotName, StoredPlot
from worker.plots import branches, decision_boundaries, minima, orders, parameters, training, trajectories
from worker.plots.svg import finished_svg

if TYPE_CHECKING:
    from collections.abc import Mapping


VEGA_LITE_VERSION: Final = "6.4"
"""Of Altair 6, as vl-convert calls it."""


MODULES: Final[Mapping[PlotName, Any]] = MappingProxyType(
    {
        PlotName.MINIMA: minima,
        PlotName.ORDERS: orders,
        PlotName.PARAMETERS: parameters,
        PlotName.TRAINING: training,
        PlotName.TRAJECTORIES: trajectories,
        PlotName.DECISION_BOUNDARIES: decision_boundaries,
        PlotName.BRANCHES: branches,
    }
)
"""Every plot: a module with ``TITLE``, and of its numbers ``describe`` and ``draw``, which returns Vega-Lite."""


@dataclass(frozen=True)
class Drawn:
    """A plot that is drawn."""

    plot: StoredPlot
    svg: bytes
    vega_lite: bytes


def draw(name: PlotName, content: str) -> Drawn:
    """Draw a plot from its numbers as JSON."""
    module, numbers = MODULES[name], PLOT_DATA[name].model_validate_json(content)
    description = module.describe(numbers)
    with debug_mode(False):  # Altair checks every object of a chart, which takes half of the time; the tests have it on
        spec = module.draw(numbers)
    raw = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE_VERSION, allowed_base_urls=[])
    svg, width, height = finished_svg(raw, name, module.TITLE, description)
    plot = StoredPlot(name=name, title=module.TITLE, description=description, width=width, height=height)
    return Drawn(plot, svg, json.dumps(spec, separators=(",", ":"), allow_nan=False).encode())
