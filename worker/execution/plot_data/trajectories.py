"""Some training samples on their way through every network and the continuum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from service.contract.plots.data import Path, Projection, TrajectoriesData
from worker.execution.plot_data.study import PlottedStudy, Withheld, depth_of, rounded

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

MOST_SAMPLES: Final = 30
TIMES: Final = 32
"""Steps between the states that are kept of a path."""
_PLANE: Final = 2


def trajectories(study: PlottedStudy) -> TrajectoriesData:
    """Return states at some times; of more than two entries, their projection on the plane that shows most."""
    problem = study.problem
    chosen = chosen_samples(_groups(study), MOST_SAMPLES)
    x = problem.x[chosen]
    found = []
    for model in study.models:
        study.checkpoint()
        states = study.states(model, x, TIMES).detach().cpu().double().numpy()
        keep = np.unique(np.linspace(0, len(states) - 1, min(len(states), TIMES + 1)).round().astype(int))
        if np.isfinite(states).all():
            found.append((model, keep / (len(states) - 1), states[keep]))
    if not found:
        raise Withheld("no trajectory is finite")
    projection = None
    if problem.state_dim > _PLANE:
        projection = _plane(found[-1][2])
        centre, directions = np.array(projection.centre), np.array(projection.directions)
        found = [(model, t, (states - centre) @ directions.T) for model, t, states in found]
    y = problem.y[chosen].cpu().double().numpy().reshape(len(chosen), -1)[:, 0]
    classes = [study.label(value) for value in y] if problem.loss.classes else None
    return TrajectoriesData(
        samples=problem.samples,
        inputs=_lists(x[:, : problem.input_dim].cpu().double().numpy()),
        targets=None if classes else [rounded(value) for value in y],
        classes=classes,
        projection=projection,
        models=[
            Path(model=model.name, depth=depth_of(model), t=[rounded(each) for each in t], states=_lists(states))
            for model, t, states in found
        ],
    )


def chosen_samples(groups: Floats, most: int) -> list[int]:
    """Return which samples to show, spread over the data and over the classes, in their order."""
    if len(groups) <= most:
        return list(range(len(groups)))
    order = np.argsort(groups, kind="stable")
    return sorted(order[np.linspace(0, len(groups) - 1, most).round().astype(int)].tolist())


def _groups(study: PlottedStudy) -> Floats:
    """Return (S,) classes, or the first targets, so that what is chosen spreads over all of them."""
    y: Floats = study.problem.y.cpu().double().numpy().reshape(study.problem.samples, -1)[:, 0]
    return y


def _plane(states: Floats) -> Projection:
    """Return the plane of the two largest principal components of all states (T, S, d)."""
    flat = states.reshape(-1, states.shape[-1])
    centre = flat.mean(axis=0)
    _, scales, directions = np.linalg.svd(flat - centre, full_matrices=False)
    directions = directions[:_PLANE]
    if len(directions) < _PLANE:  # a single state
        directions = np.eye(_PLANE, flat.shape[1])
    # the sign of a principal direction is arbitrary: its largest entry is positive
    signs = np.sign(directions[np.arange(_PLANE), np.abs(directions).argmax(axis=1)])
    total = float(np.square(scales).sum())
    share = float(np.square(scales[:_PLANE]).sum()) / total if total > 0.0 else 1.0
    return Projection(
        centre=_lists(centre), directions=_lists(directions * signs[:, np.newaxis]), explained=rounded(share)
    )


def _lists(values: Floats) -> list:  # type: ignore[type-arg]  # as deep as the array
    """Return nested lists of rounded numbers."""
    return np.vectorize(rounded, otypes=[float])(values).tolist()  # type: ignore[no-any-return]  # lists of lists
