"""K(t), b(t) and V(t) of every depth over the continuum's: the entries that vary most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, cast

import numpy as np
import torch

from deeplimit.mathematics.model.blocks import apart
from deeplimit.mathematics.model.residual_network import DiscreteParameters
from service.contract.plots.data import Curve, Entry, ParametersData
from worker.execution.plot_data.study import PlottedStudy, Withheld, depth_of, rounded_points

if TYPE_CHECKING:
    import numpy.typing as npt

    from deeplimit.mathematics.model.flow import ContinuumParameters

MOST: Final = {"K": 4, "b": 2}
MOST_TWO_LAYER: Final = {"K": 2, "b": 2, "V": 2}
"""Entries that are shown of each parameter."""
POINTS: Final = 65
"""Points of a curve, at the most."""

Values = dict[str, tuple["npt.NDArray[np.float64]", "npt.NDArray[np.float64]"]]
"""Times (T,) and values (T, …) by parameter."""


def parameters(study: PlottedStudy) -> ParametersData:
    """Return the entries with the largest range over time, in the continuum or else in the deepest network."""
    problem = study.problem
    most = MOST_TWO_LAYER if problem.regime.two_layer else MOST
    held = set(problem.fixed) | ({"V"} if "K" in problem.fixed else set())
    names = [name for name in most if name not in held]
    if not names:
        raise Withheld("K and b are held constant (network.fixed)")
    models = [(model, _values(study, model.parameters)) for model in study.models]
    reference = models[-1][1]
    entries, of = [], 0
    for name in names:
        values = reference[name][1]
        of += values[0].size
        spread = np.ptp(values, axis=0)
        if not (spread > 0.0).any():
            spread = np.abs(values[0])  # constant weights: the largest
        largest = np.argsort(-spread, axis=None, kind="stable")[: most[name]]
        for place in sorted(largest.tolist()):
            index = np.unravel_index(place, values.shape[1:])
            curves = [
                Curve(
                    model=model.name,
                    depth=depth_of(model),
                    points=rounded_points(zip(found[name][0], found[name][1][(slice(None), *index)], strict=True)),
                )
                for model, found in models
            ]
            parameter = cast("Literal['K', 'b', 'V']", name)
            entries.append(Entry(parameter=parameter, index=[int(part) + 1 for part in index], curves=curves))
    return ParametersData(entries=entries, of=of)


def _values(study: PlottedStudy, theta: DiscreteParameters | ContinuumParameters) -> Values:
    """Return K, b and V at the nodes i/n of a network, or at equal times of the continuum."""
    if isinstance(theta, DiscreteParameters):
        keep = np.unique(np.linspace(0, theta.depth - 1, min(theta.depth, POINTS)).round().astype(int))
        K, b, t = theta.K, theta.b, keep / theta.depth
    else:
        t = np.linspace(0.0, 1.0, POINTS)
        K, b = theta.sample(torch.as_tensor(t).to(theta.b))
        keep = np.arange(POINTS)
    parts = {**apart(study.problem, K), "b": b}
    return {name: (t, value.detach().cpu().double().numpy()[keep]) for name, value in parts.items()}
