"""Where predictions change class in the plane of two inputs: contours by marching squares (contourpy)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from contourpy import contour_generator

from service.contract.plots.data import BoundariesData, Boundary, BoundarySample
from worker.execution.plot_data.study import PlottedStudy, Withheld, depth_of, rounded, rounded_points
from worker.execution.plot_data.trajectories import chosen_samples

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

GRID: Final = 61
"""Points of the grid along either input."""
MARGIN: Final = 0.08
"""What is shown beyond the samples, in parts of their range."""
MOST_SAMPLES: Final = 150
_INPUTS: Final = 2


def decision_boundaries(study: PlottedStudy) -> BoundariesData:
    """Return the boundaries of every model in the units of the inputs.

    Raises
    ------
    Withheld
        The inputs are not two, or the targets are no classes.
    """
    problem = study.problem
    if not problem.loss.classes:
        raise Withheld("the targets are numbers, and have no classes to decide between")
    if problem.input_dim != _INPUTS:
        raise Withheld(f"they are drawn for two inputs, and there are {problem.input_dim}")
    scaling = study.prepared.standardisation
    mean, scale = (np.zeros(2), np.ones(2)) if scaling is None else (scaling.mean, scaling.scale)
    samples = problem.x[:, :_INPUTS].cpu().double().numpy() * scale + mean
    axes = [_range(samples[:, place]) for place in range(_INPUTS)]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, _INPUTS)
    x = problem.lift_inputs((grid - mean) / scale)
    models = []
    for model in study.models:
        study.checkpoint()
        z = study.outputs(model, x).detach().cpu().double().numpy()
        lines = boundaries_of(axes[0], axes[1], z.reshape(GRID, GRID, -1))
        models.append(Boundary(model=model.name, depth=depth_of(model), lines=[rounded_points(line) for line in lines]))
    y = problem.y.cpu().double().numpy().reshape(problem.samples, -1)[:, 0]
    shown = chosen_samples(y, MOST_SAMPLES)
    names = study.input_names if study.input_names is not None and len(study.input_names) == _INPUTS else None
    return BoundariesData(
        axes=list(names or ("input 1", "input 2")),
        x=[rounded(axes[0][0]), rounded(axes[0][-1])],
        y=[rounded(axes[1][0]), rounded(axes[1][-1])],
        samples=problem.samples,
        shown=[
            BoundarySample(x=rounded(samples[one, 0]), y=rounded(samples[one, 1]), label=study.label(y[one]))
            for one in shown
        ],
        models=models,
    )


def boundaries_of(x: Floats, y: Floats, z: Floats) -> list[Floats]:
    """Return lines (k, 2) along which the largest output changes.

    Parameters
    ----------
    x, y
        (P,) and (Q,) increasing coordinates of the grid.
    z
        (Q, P, m) outputs on it; one output decides by its sign.
    """
    lines: list[Floats] = []
    classes = z.shape[2]
    # the boundary of the last class is that of others with it
    for place in range(max(classes - 1, 1)):
        margin = z[:, :, 0] if classes == 1 else z[:, :, place] - np.delete(z, place, axis=2).max(axis=2)
        lines += contour_generator(x, y, np.ma.masked_invalid(margin)).lines(0.0)  # type: ignore[arg-type]  # it takes masked arrays
    return lines


def _range(values: Floats) -> Floats:
    low, high = float(values.min()), float(values.max())
    width = (high - low) or 1.0
    return np.linspace(low - MARGIN * width, high + MARGIN * width, GRID)
