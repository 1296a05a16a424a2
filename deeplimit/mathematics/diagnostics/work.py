"""What the diagnostics of a study are expected to cost, part by part, so that progress can count them.

The numbers are rounded means of what ``python -m benchmarks.diagnostics`` counts and times, in the unit of
expected_work.py: progress is a guess of what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import LAYERED, Problem
from deeplimit.mathematics.problem.regime import Integrator, Regime
from deeplimit.mathematics.study.branch_certificates import certifying
from deeplimit.mathematics.study.branches import Branch
from deeplimit.mathematics.study.expected_work import STAGES, of_certificate
from deeplimit.mathematics.study.progress import DiagnosticsProgress, Meter
from deeplimit.mathematics.study.saddles import certified_at_once

CERTIFICATES: Final = "judging"
"""Certificates, and Newton steps towards the exact minimisers."""
CLASSIFICATION: Final = "classification"
ADVICE: Final = "depth_advice"
VERDICT: Final = "verdict"
_CHECK: Final = "independent_check"
MOST_FUNCTIONS: Final = 100
"""Unknown functions above which the independent check is skipped: its cost grows with their cube."""
_A_FUNCTION: Final = 250.0
_ALL_FUNCTIONS: Final = 65000.0
"""Work of that check, an unknown function and of ``MOST_FUNCTIONS`` coupled ones: none of it is a gradient's. Timed
beside the rest of studies of 6 to 20 samples in two dimensions: 15, 18 and 81 thousand for 36, 60 and 92 functions."""


@dataclass(frozen=True)
class _Part:
    """What a part is called, and its work for each layer of every network, for each network, and of the continuum."""

    words: str
    layer: float = 0.0
    network: float = 0.0
    limit: float = 0.0


_PARTS: Final = {
    CERTIFICATES: _Part("whether every optimum is one", 1.5, 200.0, 4500.0),
    "certificates": _Part("whether every optimum is one", 0.02),
    "performance": _Part("accuracy", 0.02),
    "minima": _Part("the optimum against depth", 0.05),
    "minimisers": _Part("weights against depth", 0.3),
    "consecutive": _Part("weights from depth to depth", 0.05),
    "states": _Part("trajectories against depth", 0.05),
    "predictions": _Part("predictions against depth", 0.5, 0.0, 200.0),
    "recovery": _Part("the limit sampled at every depth", 0.05),
    "lift": _Part("every network lifted to the limit", 0.1, 0.0, 800.0),
    "regularity": _Part("how smooth the weights are", 0.05),
    "compactness": _Part("whether the weights stay bounded", 0.2),
    "euler_lagrange": _Part("the equations of the limit", 0.0, 0.0, 50.0),
    _CHECK: _Part("the limit by an independent method", 0.0, 0.0, 100.0),
    CLASSIFICATION: _Part("what the weights tend to", 0.7),
    ADVICE: _Part("which depth an error needs", 0.3),
    VERDICT: _Part("the verdict"),
}


def unknown_functions(problem: Problem) -> int:
    """Return how many the boundary-value problem of the limit has: 2dS + 2d² + 2d."""
    d = problem.state_dim
    return 2 * d * problem.samples + 2 * d * d + 2 * d


def diagnostics_work(depths: Collection[int], *, continuum: bool, functions: int = 0) -> dict[str, float]:
    """Return the expected work of every part, in gradients of a layer, for networks of these depths.

    Parameters
    ----------
    functions
        Unknown ones of the independent check, which is not made where they are too many.
    """
    layers, networks, limit = float(sum(depths)), float(len(depths)), 1.0 if continuum else 0.0
    work = {name: part.layer * layers + part.network * networks + part.limit * limit for name, part in _PARTS.items()}
    if continuum and functions <= MOST_FUNCTIONS:
        work[_CHECK] += _A_FUNCTION * functions + _ALL_FUNCTIONS * (functions / MOST_FUNCTIONS) ** 3
    return work


def _functions(problem: Problem) -> int:
    """Return the unknown functions of the independent check, 0 where it is not made for other reasons."""
    plain = replace(problem.regime, integrator=Integrator.EULER) == Regime()
    free = not any(name in problem.fixed for name in LAYERED)
    return unknown_functions(problem) if problem.smooth and plain and free else 0


def expected_diagnostics(problem: Problem, depths: Collection[int], *, continuum: bool) -> float:
    """Return the expected work of all diagnostics of a study that has yet to be trained."""
    work = sum(diagnostics_work(depths, continuum=continuum, functions=_functions(problem)).values())
    left = [depth for depth in depths if problem.smooth and not certified_at_once(ResidualNetwork(problem, depth))]
    return work + sum(of_certificate(depth, first=depth == min(depths)) for depth in left)


def counted_checkpoint(meter: Meter, branch: Branch, *, judged: bool = False) -> Callable[[], None]:
    """Return a checkpoint that counts the diagnostics of a branch, with the certificates that are left to be made.

    ``judged`` says that how well every minimiser is known has been told before, and is kept.
    """
    words = {name: part.words for name, part in _PARTS.items()}
    limit = branch.continuum
    functions = 0 if limit is None else _functions(limit.flow.problem)
    work = diagnostics_work(branch.points, continuum=limit is not None, functions=functions)
    if judged:
        work[CERTIFICATES] = 0.0
    for depth, point in branch.points.items():
        if point.certificate is None and point.network.problem.smooth:
            work[certifying(point)] = of_certificate(depth, first=depth == min(branch.points))
    if (fit := branch.continuum) is not None and fit.certificate is None and fit.flow.problem.smooth:
        work[certifying(fit)] = of_certificate(STAGES)
    words |= dict.fromkeys(work.keys() - words.keys(), words[CERTIFICATES])
    return DiagnosticsProgress(meter, work, words, *branch.last)
