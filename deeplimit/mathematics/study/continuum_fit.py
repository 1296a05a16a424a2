"""Fitting the continuum model: minimise in a basis, estimate what basis and steps still hide, refine, repeat.

Both estimates compare with a refined discretisation at the minimiser reached, where E is stationary, so that the change
of the minimum is the change of E to first order:

* steps: E with 2N steps or more against N, times 2^p/(2^p − 1) for a method of order p, which leaves 1/2^p of its error
  (Richardson); p is 4, and 2 across the kinks of σ;
* basis: in white coordinates the Hessian in directions that the basis lacks is close to 2α, so the gradient there, at
  the refined basis, promises a decrease of ‖g‖²/(4α).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from deeplimit.mathematics.journal import kept
from deeplimit.mathematics.kernels.tableau import RK4
from deeplimit.mathematics.minimise import Budget, HistoryRow, Observer, Solution, minimise
from deeplimit.mathematics.minimise.carried_inverse import KnownCurvature, inverse_hessian_of
from deeplimit.mathematics.minimise.driver import OtherStart
from deeplimit.mathematics.minimise.lbfgs import InverseHessian
from deeplimit.mathematics.minimise.solution import rounding
from deeplimit.mathematics.model.coordinates import ContinuumBasis, LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters, Flow
from deeplimit.mathematics.problem.learning_problem import LAYERED, Problem
from deeplimit.mathematics.watch import OutOfTimeError, until

if TYPE_CHECKING:
    from deeplimit.mathematics.minimise.certificate import Certificate

_SCALE_FLOOR: Final = 1e-3
"""The tolerance is relative to max(|E_∞|, this)."""
_DEGREES: Final = (8, 12, 16, 24, 32, 48, 64)
_CELLS: Final = (16, 32, 64, 128)
_FIRST_STEPS: Final = 16
MOST_STEPS: Final = 2048
"""Steps of a flow, at the most."""
_SHARE: Final = 0.4
"""Share of the tolerance that the steps may take, and the basis as much; a fifth is left to the optimisation."""
_OPTIMISATION_SHARE: Final = 0.5
"""An optimisation error above this share of the tolerance, and above the other two, is what refinement cannot help."""
_BELOW_BASIS: Final = 0.1
"""Steps are not refined for an error below this share of the basis', beside which it does not show."""
_STEP_MARGIN: Final = 4.0
"""The next steps aim so many times below the error that is worthwhile, since their order holds only in the limit."""
_GROWTH: Final = (2, 8)
"""Least and most factor of the steps: fewer change little, and more would trust a coarse estimate too far."""
_STAGNANT: Final = 0.9
"""An estimate that keeps more than this share of the one before is not worth a refinement."""
_OUT_OF_TIME: Final = "the time limit was reached"
_ROUNDINGS: Final = 4.0
"""A discretisation error below so many roundings of E is not told from 0."""
_KINK_ORDER: Final = 2
"""Order of a Runge-Kutta method whose steps cross kinks of σ."""
_FURTHER_HALVINGS: Final = 4.0 / 3.0
"""Halving cells on and on adds 1 + 1/4 + 1/16 + … of the first halving's decrease, for functions of H²."""


@dataclass(frozen=True)
class ContinuumOptions:
    """How E_∞ is sought.

    Attributes
    ----------
    basis
        ``auto`` (Legendre for smooth σ, piecewise linear for others), ``legendre`` or ``piecewise_linear``.
    tolerance
        Asked estimate of |error of E_∞| / max(|E_∞|, 1e-3).
    """

    basis: str = "auto"
    tolerance: float = 1e-8

    def ladder(self, problem: Problem) -> list[ContinuumBasis]:
        """Return the bases to try, coarse to fine; constants have one, without error."""
        if problem.regime.constant:
            return [LegendreIncrements(0)]
        legendre = problem.smooth if self.basis == "auto" else self.basis == "legendre"
        if legendre:
            return [LegendreIncrements(p) for p in _DEGREES]
        return [PiecewiseLinearIncrements(m) for m in _CELLS]


@dataclass
class ContinuumFit:
    """A trained continuum model.

    Attributes
    ----------
    solution
        The minimisation at the finest resolution, with the counts and history of every resolution.
    step_error, basis_error
        Estimated |error of E_∞| from the integration and from the basis, absolute; infinite where there was no time to
        tell.
    limited
        Why refinement stopped before the asked tolerance, or None.
    certificate
        What the Hessian says of it, once it is known.
    """

    flow: Flow
    parameters: ContinuumParameters
    solution: Solution
    step_error: float
    basis_error: float
    limited: str | None = None
    certificate: Certificate | None = None

    @property
    def name(self) -> str:
        """Always ``continuum``."""
        return "continuum"

    @property
    def model(self) -> Flow:
        """The discretised objective that ``solution`` is a stationary point of."""
        return self.flow

    @property
    def error(self) -> float:
        """Estimated |error of E_∞|, absolute, optimisation included."""
        return self.step_error + self.basis_error + self.solution.error_estimate

    @property
    def error_known(self) -> bool:
        """Whether the time sufficed to estimate the errors."""
        return self.solution.evaluated and (math.isfinite(self.basis_error) or math.isfinite(self.step_error))

    @property
    def tolerance_reached(self) -> float:
        """``error`` relative to max(|E_∞|, 1e-3)."""
        return self.error / _scale(self.solution)


@dataclass(frozen=True)
class Beginning:
    """What the fit of a continuum model begins with.

    Attributes
    ----------
    start
        A lift, or a generator to draw a start from: refinement begins at the coarsest resolution. A flow in one of the
        bases of the options and flat coordinates (length,) in it: refinement goes on from there.
    predict
        Gives another start for the coarsest resolution, to weigh against a lift.
    near
        What is known of the Hessian of a model nearby.
    carry
        Whether each resolution begins with what was learnt of the Hessian at the one before.
    scale
        Standard deviation of a drawn start's coordinates.
    """

    start: ContinuumParameters | torch.Generator | tuple[Flow, Tensor]
    predict: Callable[[Flow], Tensor | None] | None = None
    near: KnownCurvature | None = None
    carry: bool = True
    scale: float = 0.5

    def place(self, problem: Problem, ladder: list[ContinuumBasis]) -> tuple[Flow, Tensor]:
        """Return the first resolution and the coordinates in it."""
        if isinstance(self.start, tuple):
            return self.start
        flow = Flow(problem, ladder[0], _steps_for(ladder[0], _FIRST_STEPS))
        if isinstance(self.start, ContinuumParameters):
            return flow, flow.project(self.start)
        draw = torch.randn(flow.coordinates.length, generator=self.start, dtype=torch.float64)
        return flow, (self.scale * draw).to(problem.x)

    def other(self, flow: Flow) -> OtherStart | None:
        """Return what is weighed against the start."""
        predicted = None if self.predict is None else self.predict(flow)
        return None if predicted is None else OtherStart(predicted)


def fit_continuum(
    problem: Problem,
    begin: Beginning,
    options: ContinuumOptions,
    budget: Budget,
    observer: Observer | None = None,
) -> ContinuumFit:
    """Fit the continuum model.

    The result's status is that of the last minimisation; a tolerance that could not be reached is no failure, and
    ``limited`` says what stopped it.

    Raises
    ------
    ValueError
        If the regime has no limit problem.
    """
    if not problem.regime.has_continuum:
        raise ValueError(f"the scaling {problem.regime.scaling.value} has no continuum problem")
    ladder = options.ladder(problem)
    flow, u = begin.place(problem, ladder)
    level = [basis.size for basis in ladder].index(flow.basis.size)
    near, other = begin.near, begin.other(flow)
    steps = flow.steps
    merged = _Merged(observer)
    previous, fit = math.inf, None
    while True:
        left = replace(budget, max_iterations=max(1, budget.max_iterations - merged.work))
        inverse = inverse_hessian_of(flow, near) if begin.carry else InverseHessian()
        found = minimise(flow, u, left, merged, curvature_floor=problem.curvature_floor, inverse=inverse, other=other)
        if fit is not None and not found.evaluated:
            fit.limited = _OUT_OF_TIME
            return fit
        solution = merged.add(found)
        near, other = KnownCurvature(flow, found.inverse), None
        step_error, basis_error = _errors_in_time(flow, found, budget)
        fit = ContinuumFit(flow, flow.parameters(solution.u), solution, step_error, basis_error)
        target = options.tolerance * _scale(solution)
        if fit.error <= target:
            return fit
        fit.limited = _limit(fit, budget, ladder, level, previous, target)
        if fit.limited is not None:
            return fit
        previous = fit.error
        if basis_error > _SHARE * target and level + 1 < len(ladder):
            level += 1
        worthwhile = max(target, _BELOW_BASIS * basis_error)
        if step_error > _SHARE * worthwhile or basis_error <= _SHARE * target:
            growth = math.ceil((_STEP_MARGIN * step_error / worthwhile) ** (1.0 / RK4.order))
            steps = min(MOST_STEPS, flow.steps * min(max(growth, _GROWTH[0]), _GROWTH[1]))
        flow = Flow(problem, ladder[level], _steps_for(ladder[level], max(steps, flow.steps)))
        u = flow.encode(fit.parameters)


class _Merged:
    """Keeps one history and one count over several resolutions."""

    def __init__(self, observer: Observer | None) -> None:
        self._observer = observer
        self._done: list[Solution] = []

    def __call__(self, row: HistoryRow) -> None:
        if self._observer is not None:
            self._observer(self._renumbered(row))

    @property
    def work(self) -> int:
        """Iterations and Hessian products so far."""
        return sum(solution.work for solution in self._done)

    def add(self, solution: Solution) -> Solution:
        """Return ``solution`` with the counts and the history of every resolution so far, this one included."""
        merged = solution.after(self._done)
        self._done.append(solution)
        return merged

    def _renumbered(self, row: HistoryRow) -> HistoryRow:
        return replace(row, iteration=row.iteration + sum(s.iterations for s in self._done))


def _scale(solution: Solution) -> float:
    """Return what the tolerance is relative to."""
    return max(abs(solution.objective), _SCALE_FLOOR)


def _steps_for(basis: ContinuumBasis, steps: int) -> int:
    """Return at least ``steps``, such that every cell of a piecewise-linear basis is a whole number of them."""
    if isinstance(basis, LegendreIncrements):
        return steps
    return basis.cells * math.ceil(steps / basis.cells)


def _errors_in_time(flow: Flow, solution: Solution, budget: Budget) -> tuple[float, float]:
    """Return the estimated errors by steps and by basis; infinite where the time was up before they were known."""
    if not solution.evaluated:
        return math.inf, math.inf
    try:
        with until(budget.last):
            by_steps, by_basis = kept(
                "discretisation errors", [solution.u], partial(_discretisation_errors, flow, solution)
            )
    except OutOfTimeError:
        return math.inf, math.inf
    return by_steps, by_basis


def _discretisation_errors(flow: Flow, solution: Solution) -> tuple[float, float]:
    """Return the estimated errors of E_∞ by steps and by basis, from one evaluation with both refined.

    The second is Σ_A ‖P g_A‖²/(4 α_A), P the projection onto what the refined basis adds. The steps are refined with
    it: a gradient along oscillations that the steps do not resolve is aliasing.
    """
    finer: ContinuumBasis
    if isinstance(flow.basis, LegendreIncrements):
        finer = LegendreIncrements(2 * flow.basis.degree)
    else:
        finer = PiecewiseLinearIncrements(2 * flow.basis.cells)
    refined = Flow(flow.problem, finer, max(2 * flow.steps, 2 * finer.size if finer.family == "legendre" else 0))
    evaluation = refined.evaluate(refined.encode(flow.parameters(solution.u)))
    change = abs(evaluation.objective - solution.objective)
    gradient = refined.coordinates.unpack(evaluation.gradient)
    basis_error = 0.0
    for name in LAYERED:
        if name not in gradient:
            continue
        g = gradient[name]
        if isinstance(flow.basis, LegendreIncrements):
            extra = g[flow.basis.size :]
        else:
            # Halving a cell splits its increment in two equal parts; what is new is their difference, over √2.
            extra = (g[1::2] - g[2::2]) * math.sqrt(_FURTHER_HALVINGS / 2.0)
        basis_error += float(extra.square().sum()) / (4.0 * flow.problem.weight(name))
    left = 0.5 ** (RK4.order if flow.problem.smooth else _KINK_ORDER)
    step_error = change * (1.0 / (1.0 - left))
    return (step_error if math.isfinite(step_error) else math.inf), basis_error


def _limit(  # noqa: PLR0911 - a list of reasons, each with its own answer
    fit: ContinuumFit, budget: Budget, ladder: list[ContinuumBasis], level: int, previous: float, target: float
) -> str | None:
    solution = fit.solution
    if not solution.status.optimised:
        return f"the minimisation ended as {solution.status.value}"
    if budget.out_of_time():
        return _OUT_OF_TIME
    discretisation = fit.step_error + fit.basis_error
    if solution.error_estimate > max(discretisation, _OPTIMISATION_SHARE * target):
        return "the optimisation error is larger than the discretisation error"
    if discretisation <= _ROUNDINGS * rounding(solution.evaluation):
        return "rounding"
    if fit.error > _STAGNANT * previous:
        return "refinement no longer reduces the estimate"
    if level + 1 == len(ladder) and fit.basis_error > _SHARE * target:
        return "the finest basis was reached"
    if fit.flow.steps >= MOST_STEPS:
        return "the finest step was reached"
    return None
