"""How well every model does on data, from which depth on as well as the limit, and from which on no sample tells.

Two models are compared on the same samples. With d_s the difference of their scores of sample s, the mean of d is known
to two of its standard errors, 2 (var d / S)^½; for classes, where d is −1, 0 or 1, that is McNemar's comparison (1947,
Psychometrika 12:153). A difference that nobody would act on is none; one within that is not told from none, which says
as much of the number of samples as of the models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.measure.states import outputs
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.problem.terminal_loss import TerminalLoss
from deeplimit.mathematics.study.branches import StationaryPoint

SLIGHT: Final = 0.005
"""Differences of accuracy or R² that are none: they do not show in two digits."""
_STANDARD_ERRORS: Final = 2.0


@dataclass(frozen=True)
class PerformanceRow:
    """One network.

    Attributes
    ----------
    value
        Of the metric.
    difference
        From the value that it is compared with.
    same
        Whether the difference is none.
    apart
        Whether the samples tell it from none.
    """

    depth: int
    value: float
    difference: float
    same: bool
    apart: bool


@dataclass(frozen=True)
class Performance:
    """One metric of every network, against the continuum's, or without a continuum the deepest network's.

    Attributes
    ----------
    metric
        ``accuracy`` or ``r2``; both are better when larger.
    data
        ``train`` or ``validation``.
    limit
        Of the continuum, or None.
    reference
        Of what the networks are compared with.
    """

    metric: str
    data: str
    samples: int
    limit: float | None
    reference: float
    rows: list[PerformanceRow]

    @property
    def same_from(self) -> int | None:
        """The least trained depth from which on every network does as well as what it is compared with, or None."""
        return self._since([not row.same for row in self.rows])

    @property
    def not_told_from(self) -> int | None:
        """The least trained depth from which on the samples tell no network from what it is compared with, or None."""
        return self._since([row.apart for row in self.rows])

    def _since(self, differs: list[bool]) -> int | None:
        found = None
        for row, differing in zip(reversed(self.rows), reversed(differs), strict=True):
            if differing:
                break
            found = row.depth
        return found

    def at(self, depth: int | None) -> float | None:
        """Return the value at a trained depth, or None."""
        return next((row.value for row in self.rows if row.depth == depth), None)


def measure_performance(subject: Subject) -> Performance | None:
    """Measure accuracy or R² on the validation samples, else on the training samples; None where it is not defined."""
    held_out = subject.targets is not None
    inputs = subject.inputs if held_out else subject.problem.x
    targets = subject.problem.y if subject.targets is None else subject.targets
    models: list[StationaryPoint] = [*subject.points, *([] if subject.continuum is None else [subject.continuum])]
    if not models or any(not math.isfinite(model.solution.objective) for model in models):
        return None
    loss = subject.problem.loss
    found = [outputs(subject, model, inputs) for model in models]
    named = [loss.metrics(z, targets) for z in found]
    ((metric, _),) = named[0].items()
    values = [value for each in named if (value := each[metric]) is not None]
    if len(values) < len(models):
        return None
    scores = [_scores(loss, z, targets) for z in found]
    rows = []
    for point, value, score in zip(subject.points, values, scores, strict=False):
        difference = value - values[-1]
        same = abs(difference) <= SLIGHT
        apart = not same and abs(difference) > _STANDARD_ERRORS * _standard_error(score - scores[-1])
        rows.append(PerformanceRow(point.depth, value, difference, same, apart))
    limit = None if subject.continuum is None else values[-1]
    return Performance(metric, "validation" if held_out else "train", len(inputs), limit, values[-1], rows)


def _scores(loss: TerminalLoss, z: Tensor, y: Tensor) -> Tensor:
    """Return each sample's part (S,) of the metric, whose mean differs between models as the metric does."""
    if loss.classes:
        return ((z.argmax(1) == y) if z.shape[1] > 1 else (z * y > 0)[:, 0]).double()
    errors = (z - y).square().sum(1)
    return (-errors / (y - y.mean(0)).square().sum(1).mean()).double()


def _standard_error(differences: Tensor) -> float:
    return float(torch.sqrt(differences.var(correction=0) / len(differences)))
