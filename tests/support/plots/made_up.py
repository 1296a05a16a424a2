"""Made-up numbers of every plot: small, and with what is hard to draw."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from service.contract.names import PLOTS, plot_key
from service.contract.plots.data import PLOT_DATA
from service.contract.plots.index import PlotName, PlotsFile, StoredPlot

if TYPE_CHECKING:
    from service.contract.values.answer import Answer

DEPTHS = (8, 16, 32)
MODELS = (*((f"discrete-{depth}", depth) for depth in DEPTHS), ("continuum", None))
HOSTILE = '<script>&"ü'
"""A class, or a column, as a table may name it."""


def each_model(**parts: Any) -> list[dict[str, Any]]:
    return [{"model": name, "depth": depth, **parts} for name, depth in MODELS]


def _made_up() -> dict[PlotName, dict[str, Any]]:
    curve = [[k / 8, math.sin(k)] for k in range(9)]
    history = [[k, 10.0**-k] for k in range(8)]
    return {
        PlotName.MINIMA: {
            "depths": [{"depth": n, "objective": 1 + 2 / n, "slope": 2.0, "converged": n > 8} for n in DEPTHS],
            "limit": 1.0,
            "limit_is": "trained",
            "predicted_slope": 2.0,
        },
        PlotName.ORDERS: {
            "between": False,
            "series": [
                {
                    "quantity": "minima",
                    "label": "minima",
                    "expected": 1.0,
                    "order": 1.0,
                    "points": [
                        {"depth": 8, "value": -0.1},
                        {"depth": 16, "value": -0.01},
                        {"depth": 32, "value": 0.02},
                        {"depth": 64, "value": 0.01},
                    ],
                },
                {
                    "quantity": "lift",
                    "label": "lift",
                    "expected": None,
                    "order": None,
                    "points": [{"depth": 8, "value": 0.02}, {"depth": 64, "value": 0.0101}],
                },
            ],
        },
        PlotName.PARAMETERS: {
            "entries": [
                {"parameter": "K", "index": [1, 2], "curves": each_model(points=curve)},
                {"parameter": "b", "index": [1], "curves": each_model(points=[[t, 0.0] for t, _ in curve])},
            ],
            "of": 6,
        },
        PlotName.TRAINING: {
            "tolerance": 1e-7,
            "models": each_model(
                status="max_iterations", converged=False, iterations=7, excess=history[:-1], gradient_norm=history
            ),
        },
        PlotName.TRAJECTORIES: {
            "samples": 200,
            "inputs": [[0.0, 1.0], [1.0, 0.0]],
            "targets": None,
            "classes": [HOSTILE, "up"],
            "projection": None,
            "models": each_model(t=[0.0, 0.5, 1.0], states=[[[0.0, k], [k, 1.0]] for k in (0.0, 1.0, 3.0)]),
        },
        PlotName.DECISION_BOUNDARIES: {
            "axes": [HOSTILE, "weight"],
            "x": [0.0, 1.0],
            "y": [0.0, 1.0],
            "samples": 2,
            "shown": [{"x": 0.1, "y": 0.2, "label": HOSTILE}, {"x": 0.8, "y": 0.9, "label": "up"}],
            "models": each_model(lines=[[[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]]),
        },
        PlotName.BRANCHES: {
            "models": ["8", "16", "continuum"],
            "branches": [
                {
                    "branch": index,
                    "verdict": index == 1,
                    "status": "saddle" if index == 2 else "persists",
                    "starts": 2,
                    "points": [{"model": "8", "objective": 1.0 + index}, {"model": "16", "objective": 0.5 + index}],
                }
                for index in range(3)
            ],
        },
    }


def numbers() -> dict[PlotName, Answer]:
    """The numbers of every plot."""
    return {name: PLOT_DATA[name].model_validate(body) for name, body in _made_up().items()}


def plot_files(svg: bytes, withheld: dict[str, str] | None = None) -> dict[str, bytes]:
    """What a worker leaves of one plot, the minima, with this SVG."""
    plot = StoredPlot(name="minima", title="Minima", description="They fall.", width=40, height=20)
    index = PlotsFile(plots=[plot], withheld=withheld or {})
    return {
        PLOTS: index.model_dump_json().encode(),
        plot_key("minima", "svg"): svg,
        plot_key("minima", "data"): numbers()[PlotName.MINIMA].model_dump_json().encode(),
        plot_key("minima", "vega"): b'{"$schema":"https://vega.github.io/schema/vega-lite/v6.json","description":"d"}',
    }
