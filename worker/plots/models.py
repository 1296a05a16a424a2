"""How models are named, coloured, dashed and shaped, the same in every plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import altair as alt

from worker.plots.palette import CONTINUUM, depth_colours, shapes
from worker.plots.style import DASHED

if TYPE_CHECKING:
    from collections.abc import Sequence

THE_CONTINUUM: Final = "continuum"
WIDEST, NARROWEST = 5.0, 1.6
"""Pixels of lines that lie over each other."""


class Model(Protocol):
    """A model as plot data have it."""

    @property
    def depth(self) -> int | None:
        """n, or None for the continuum."""


def label_of(model: Model) -> str:
    """Return what a model is called: ``n = 64``, or the continuum."""
    return THE_CONTINUUM if model.depth is None else f"n = {model.depth}"


class ModelScales:
    """Colour, dash and shape of every model: blues for networks, and the continuum apart from them."""

    def __init__(self, models: Sequence[Model]) -> None:
        networks = [model for model in models if model.depth is not None]
        self.labels = [label_of(model) for model in models]
        self._colours = depth_colours(len(networks)) if networks else []
        self._shapes = shapes(len(networks))
        self._dashes: list[list[int]] = [[1, 0] for _ in networks]
        if len(networks) < len(models):
            self._colours = [*self._colours, CONTINUUM]
            self._shapes = [*self._shapes, "stroke"]
            self._dashes = [*self._dashes, DASHED]
        most = max(len(networks) - 1, 1)
        self._widths = [WIDEST - (WIDEST - NARROWEST) * place / most for place in range(len(models))]
        self._widths[-1] = NARROWEST

    def colour(self, legend: alt.Legend | None = None) -> alt.Color:
        """Return the encoding by colour."""
        scale = alt.Scale(domain=self.labels, range=self._colours)
        return alt.Color("model:N", scale=scale, legend=legend, title=None, sort=None)

    def dash(self, legend: alt.Legend | None = None) -> alt.StrokeDash:
        """Return the encoding by dashes."""
        scale = alt.Scale(domain=self.labels, range=self._dashes)
        return alt.StrokeDash("model:N", scale=scale, legend=legend, title=None, sort=None)

    def width(self) -> alt.StrokeWidth:
        """Return the encoding by width: shallow networks wide, so that deeper ones do not hide them."""
        scale = alt.Scale(domain=self.labels, range=self._widths)
        return alt.StrokeWidth("model:O", scale=scale, legend=None, sort=None)  # Vega-Lite warns of N

    def shape(self, legend: alt.Legend | None = None) -> alt.Shape:
        """Return the encoding by shape."""
        scale = alt.Scale(domain=self.labels, range=self._shapes)
        return alt.Shape("model:N", scale=scale, legend=legend, title=None, sort=None)


def legend(columns: int = 4, **more: Any) -> alt.Legend:
    """Return a legend, below the plot unless said."""
    look = {"orient": "bottom", "direction": "horizontal", "columns": columns, "labelLimit": 100, "symbolSize": 60}
    return alt.Legend(**{**look, **more})
