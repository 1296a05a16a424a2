"""How far predictions and the terminal loss of one and the same weights, integrated anew, are from a model's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.problem.terminal_loss import TerminalLoss

VARIES: Final = 1e-8
"""An output whose range is a smaller share of its size counts as not varying."""


@dataclass(frozen=True)
class Change:
    """How far predictions are from the model's own.

    Attributes
    ----------
    prediction_change
        The largest, in the user's units.
    relative_change
        The largest over outputs of an output's change in units of its spread; ``output`` is which, from 0.
    """

    prediction_change: float
    relative_change: float
    output: int


class Comparison:
    """What a model's own outputs are compared by: each prediction by its own spread, the loss by one scale.

    Parameters
    ----------
    loss
        Terminal loss.
    own
        (S, m) linear outputs z of the model.
    scale
        (m,) factors from scaled targets back to the user's units.
    targets
        Of these samples, as the loss takes them; None without any.

    Attributes
    ----------
    predictions
        (S, m) h of the model's own outputs.
    spreads
        (m,) what a change of each prediction is small or large beside: 1 for probabilities, else its range over the
        samples, in the user's units. Where it does not vary, as over a single sample, it is the output's ``scale``,
        which is a deviation of the training's targets, or without one its largest absolute value.
    own_loss
        Mean terminal loss of the model's own outputs; None without targets.
    loss_scale
        What a change of the loss is small or large beside: the own loss, or if that is more the loss of giving every
        sample the same. That is the targets' variance for squared error, so that the change is one of r2, or the sum of
        the squared spreads where targets do not vary; and log m for classes. None without targets.
    """

    def __init__(self, loss: TerminalLoss, own: Tensor, scale: Tensor | None, targets: Tensor | None) -> None:
        self._loss, self._targets = loss, targets
        self.predictions = loss.predict(own)
        self._units = own.new_ones(own.shape[1]) if scale is None else scale
        self.spreads = torch.ones_like(self._units) if loss.classes else self._ranges(scale)
        self.own_loss = self.loss(own)
        self.loss_scale: float | None = None
        if targets is not None and self.own_loss is not None:
            self.loss_scale = max(self.own_loss, self._uninformed(targets))

    def change(self, other: Tensor) -> Change:
        """Return how far the predictions of other outputs (S, m) are from the model's own."""
        changes = _or_infinite((self._loss.predict(other) - self.predictions).abs() * self._units).amax(0)
        relative = _or_infinite(changes / self.spreads)
        worst = int(relative.argmax())
        return Change(float(changes.max()), float(relative[worst]), worst)

    def loss(self, z: Tensor) -> float | None:
        """Return the mean terminal loss of outputs (S, m); None without targets."""
        return None if self._targets is None else float(self._loss.total(z, self._targets)) / len(z)

    def loss_change(self, other: Tensor) -> float:
        """Return how far the loss of other outputs (S, m) is from the model's own, by its scale; 0 without targets."""
        loss = self.loss(other)
        if loss is None or self.own_loss is None or self.loss_scale is None:
            return 0.0
        return abs(loss - self.own_loss) / self.loss_scale

    def _ranges(self, scale: Tensor | None) -> Tensor:
        values = self.predictions * self._units
        size, span = values.abs().amax(0), values.amax(0) - values.amin(0)
        spreads = torch.where(span > VARIES * size, span, size if scale is None else scale)
        return torch.where(spreads > 0.0, spreads, 1.0)

    def _uninformed(self, y: Tensor) -> float:
        if self._loss.classes:
            return math.log(max(2, self.predictions.shape[1]))
        if bool((y != y[:1]).any()):
            return float((y - y.mean(0)).square().sum(1).mean())
        return float((self.spreads / self._units).square().sum())


def _or_infinite(values: Tensor) -> Tensor:
    return torch.where(values.isfinite(), values, math.inf)
