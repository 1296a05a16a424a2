"""What the diagnostics of a study are expected to cost, part by part, so that progress can count them.

The numbers are what parts took beside fits of the same studies, rounded: progress is a guess of what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from deeplimit.mathematics.minimise import Solution
from deeplimit.mathematics.study.fitter import CONTINUUM_WORK
from deeplimit.mathematics.study.progress import DiagnosticsProgress, Meter

CERTIFICATES: Final = "certificates"
CLASSIFICATION: Final = "classification"
ADVICE: Final = "depth_advice"
VERDICT: Final = "verdict"


@dataclass(frozen=True)
class _Part:
    """What a part is called, and its work beside a fit: of every network, and of the continuum."""

    words: str
    networks: float = 0.0
    limit: float = 0.0


_PARTS: Final = {
    CERTIFICATES: _Part("whether every optimum is one", 0.15, 0.15),
    "performance": _Part("accuracy", 0.01, 0.01),
    "minima": _Part("the optimum against depth", 0.0, 0.12),
    "minimisers": _Part("weights against depth", 0.03),
    "consecutive": _Part("weights from depth to depth", 0.03),
    "states": _Part("trajectories against depth", 0.0, 0.15),
    "predictions": _Part("predictions against depth", 0.0, 0.12),
    "recovery": _Part("the limit sampled at every depth", 0.02),
    "lift": _Part("every network lifted to the limit", 0.0, 0.35),
    "regularity": _Part("how smooth the weights are", 0.01),
    "compactness": _Part("whether the weights stay bounded", 0.02),
    "euler_lagrange": _Part("the equations of the limit", 0.0, 0.05),
    "independent_check": _Part("the limit by an independent method", 0.0, 0.1),
    CLASSIFICATION: _Part("what the weights tend to", 0.05),
    ADVICE: _Part("which depth an error needs", 0.0, 0.08),
    VERDICT: _Part("the verdict"),
}


def diagnostics_work(depths: Iterable[int], *, continuum: bool) -> dict[str, float]:
    """Return the expected work of every part, in layers of a fit, of networks of these depths."""
    layers, limit = float(sum(depths)), CONTINUUM_WORK if continuum else 0.0
    return {name: part.networks * layers + part.limit * limit for name, part in _PARTS.items()}


def counted_checkpoint(
    meter: Meter, depths: Iterable[int], last: tuple[str, Solution], *, continuum: bool
) -> Callable[[], None]:
    """Return a checkpoint that counts these diagnostics; ``last`` is what was trained last."""
    words = {name: part.words for name, part in _PARTS.items()}
    return DiagnosticsProgress(meter, diagnostics_work(depths, continuum=continuum), words, *last)
