"""How good predictions are, and how many of them change."""

from __future__ import annotations

from typing import Any, Final

from torch import Tensor

from deeplimit.mathematics.problem.terminal_loss import TerminalLoss

EVEN: Final = 0.5
"""Probability of the class +1 above which it is predicted."""


NO_TARGETS: Final = "the data have no targets"
NO_CLASSES: Final = "predictions are numbers, which have no classes"


def metrics_of(loss: TerminalLoss, z: Tensor, y: Tensor) -> dict[str, Any]:
    """Return the mean terminal loss of outputs z (S, m) on targets y, and the loss's own metrics.

    Of those that are not defined on these targets, which are None, ``withheld`` holds the reasons.
    """
    metrics = {"terminal_loss": float(loss.total(z, y)) / len(z), **loss.metrics(z, y)}
    reason = "one sample has no variance" if len(y) == 1 else "the targets do not vary"
    withheld = {name: reason for name, value in metrics.items() if value is None}
    return {**metrics, "withheld": withheld} if withheld else metrics


def changed_labels(own: Tensor, other: Tensor) -> float:
    """Return the share of samples whose class changes; one probability stands for a class and its complement."""
    if own.shape[1] == 1:
        return float(((own[:, 0] > EVEN) != (other[:, 0] > EVEN)).double().mean())
    return float((own.argmax(1) != other.argmax(1)).double().mean())
