"""Robustness to noise on the inputs: how much predictions and metrics change with its size.

Noise is independent and normal, its standard deviation a level times each input column's own in the training data. One
seed gives every model the same draws, and every level the same directions, so that curves can be compared. With
x' = x + level · unit ⊙ ξ, ξ standard normal, the change is h(x') − h(x); its root mean square is the level times the
model's mean sensitivity where h is linear. Yan, Du, Tan and Feng (2020), *On robustness of neural ordinary differential
equations*, compare models by the same kind of curve.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from deeplimit.mathematics.evaluation.fitted import Fitted
from deeplimit.mathematics.evaluation.metrics import NO_CLASSES, NO_TARGETS, changed_labels, metrics_of


@dataclass(frozen=True)
class NoiseRow:
    """One level of noise, over all draws.

    Attributes
    ----------
    rms_change, sup_change
        Changes of predictions h from those on clean inputs, in the user's units: root mean square over samples, outputs
        and draws, and the largest.
    changed_labels
        Share of samples and draws whose class changes; None for numbers.
    metrics, deviations
        Mean and population standard deviation over draws of what `metrics_of` gives; None without targets.
    withheld
        The reasons of what is None.
    """

    noise: float
    rms_change: float
    sup_change: float
    changed_labels: float | None
    metrics: Mapping[str, Any] | None
    deviations: Mapping[str, Any] | None
    withheld: dict[str, str]


@dataclass(frozen=True)
class Noise:
    """Levels, draws at each, and the seed."""

    levels: Sequence[float]
    repeats: int
    seed: int


def noise_curve(
    model: Fitted,
    noise: Noise,
    unit: Tensor,
    *,
    scale: Tensor | None = None,
    targets: Tensor | None = None,
    tick: Callable[[], None] | None = None,
) -> list[NoiseRow]:
    """Return the curve of changes against noise.

    Parameters
    ----------
    model
        Its problem's data are the clean inputs.
    noise
        Levels, draws, seed.
    unit
        (f,) standard deviations of the input columns, in the units that the model takes: 1 where data were
        standardised, and for a column that does not vary.
    scale
        (m,) factors from scaled targets back to the user's units.
    targets
        Targets as the problem's loss takes them; None without any.
    tick
        Called after every draw; raising from it stops the evaluation.

    Returns
    -------
    list[NoiseRow]
        In the order of the levels.
    """
    problem = model.problem
    predict, loss = problem.loss.predict, problem.loss
    clean = predict(model.output(problem.x))
    factor = clean.new_ones(clean.shape[1]) if scale is None else scale
    classes, withheld = loss.classes, dict[str, str]()
    if not classes:
        withheld["changed_labels"] = NO_CLASSES
    if targets is None:
        withheld |= {"metrics": NO_TARGETS, "deviations": NO_TARGETS}
    rows = []
    for level in noise.levels:
        generator = np.random.default_rng(noise.seed)
        squares = sup = changed = 0.0
        draws: list[dict[str, Any]] = []
        for _ in range(noise.repeats):
            draw = generator.standard_normal((problem.samples, problem.input_dim))
            x = problem.x.clone()
            x[:, : problem.input_dim] += level * unit * problem.tensor(draw)
            z = model.output(x)
            noisy = predict(z)
            change = (noisy - clean).abs() * factor
            squares += float(change.square().mean())
            sup = float(np.maximum(sup, float(change.max())))  # hands on NaN, which max would lose
            if classes:
                changed += changed_labels(clean, noisy)
            if targets is not None:
                draws.append(metrics_of(loss, z, targets))
            if tick is not None:
                tick()
        rows.append(
            NoiseRow(
                noise=level,
                rms_change=math.sqrt(squares / noise.repeats),
                sup_change=sup,
                changed_labels=changed / noise.repeats if classes else None,
                metrics=_over(draws, np.mean) if draws else None,
                deviations=_over(draws, np.std) if draws else None,
                withheld=withheld,
            )
        )
    return rows


def _over(draws: Sequence[Mapping[str, Any]], statistic: Callable[[list[float]], Any]) -> dict[str, Any]:
    """Return a statistic of each metric over the draws; what is not defined depends on targets alone."""
    first = draws[0]
    return {
        name: float(statistic([draw[name] for draw in draws])) if isinstance(value, float) else value
        for name, value in first.items()
    }
