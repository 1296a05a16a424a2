"""One trajectory with its adjoint of every model, and what the diagnostics take from it.

C₁, the bounds of second differences, deviations of states, outputs on the training data and the Euler-Lagrange
equations all read the same states and costates. They are computed once for each depth, and for the continuum with its
own steps and with twice as many, or half where these are many; what is kept is small: outputs, sums over samples, and
the continuum's states, at fewer nodes where all are more than `_MOST_KEPT` bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.kernels.kernel import Adjoint, Trajectory
from deeplimit.mathematics.kernels.vector_field import FieldValue, lengths
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters, Flow, integrate
from deeplimit.mathematics.model.objective import read_out
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import LAYERED, Problem
from deeplimit.mathematics.study.branches import BranchPoint

LEAST_STEPS: Final = 96
"""Steps of the finer of the continuum's two trajectories, at least."""
_MOST_KEPT: Final = 192 * 2**20
"""Bytes of the continuum's states, with their derivatives, that are kept for all depths."""
_FEWEST_KEPT: Final = 48
"""Intervals that the states are kept at the ends of, at least: between them they are interpolated."""
_COMPARED: Final = 64
"""Intervals of deep networks at whose ends states are compared."""
_LOOKED_AT: Final = 4
"""Samples whose deviation is looked for between the nodes that are compared."""


@dataclass(frozen=True)
class Deviation:
    """The largest ‖X_i^{(n)} − X(i/n)‖: its size, the lifted input (d,), the layer i, and the unit vector (d,)."""

    size: float = 0.0
    x: Tensor | None = None
    step: int = 0
    direction: Tensor | None = None


@dataclass(frozen=True)
class NetworkSweep:
    """What one depth's trajectories tell.

    Attributes
    ----------
    output
        Linear outputs (S, m) on the training data.
    slope
        C₁ from this depth alone; None without an adjoint.
    bounds
        T mean_s ‖∂⟨p_{i+1}, f⟩/∂A‖ at layer i for A in ``K``, ``b``, (n,) each; empty without an adjoint.
    deviation
        From the continuum; of size 0 without one.
    """

    output: Tensor
    slope: float | None
    bounds: dict[str, Tensor]
    deviation: Deviation


@dataclass(frozen=True)
class LimitSweep:
    """What the continuum's trajectories tell, with one number of steps.

    Attributes
    ----------
    output
        Linear outputs (S, m) on the training data.
    slope
        C₁.
    force
        F_K and F_b at i/N, (N + 1, …) in the shapes of K and b.
    states, derivatives
        X and X' (N/k + 1, S, d) at ik/N, k = ``every``; None where they are too many.
    """

    steps: int
    every: int
    output: Tensor
    slope: float
    force: dict[str, Tensor]
    states: Tensor | None
    derivatives: Tensor | None


def why_no_slope(problem: Problem) -> str | None:
    """Return why there is no C₁ in this regime, or None."""
    regime = problem.regime
    if not regime.has_continuum:
        return f"the scaling {regime.scaling.value} has no continuum problem"
    order = regime.integrator.tableau.order
    if order != 1:
        return f"{regime.integrator.value} is of order {order}: the gap has no term of order 1"
    return None


def network_sweep(subject: Subject, point: BranchPoint) -> NetworkSweep:
    """Return what one depth's trajectories tell; without their adjoint where there is no C₁, or no minimiser."""
    adjoint = why_no_slope(subject.problem) is None and point.solution.status.optimised
    return subject.once("sweep", point, lambda: _network(subject, point, adjoint=adjoint), subject.continuum)


def limit_sweep(subject: Subject, *, finer: bool) -> LimitSweep:
    """Return what the continuum's trajectories tell, with two numbers of steps, the finer of which are to be believed.

    One is that of the model itself. The other is a multiple, or half of it where the model's own are enough: what these
    err by is told by the change.
    """
    fit = subject.limit
    own = fit.flow.steps
    if own >= LEAST_STEPS and own % 2 == 0 and follows_smoothly(subject):
        steps = own if finer else own // 2
    else:
        steps = finer_steps(own) if finer else own
    return (
        own_sweep(subject) if steps == own else subject.once(f"sweep of {steps}", fit, lambda: _limit(subject, steps))
    )


def own_sweep(subject: Subject) -> LimitSweep:
    """Return what the continuum's trajectories tell with the steps that it was trained with."""
    fit = subject.limit
    return subject.once(f"sweep of {fit.flow.steps}", fit, lambda: _limit(subject, fit.flow.steps))


def finer_steps(steps: int) -> int:
    """Return a multiple of a number of steps, by a power of 2, of `LEAST_STEPS` at least and not less than twice."""
    return steps << max(1, math.ceil(math.log2(LEAST_STEPS / steps)))


def at_stages(problem: Problem, theta: Mapping[str, Tensor], run: Trajectory, adjoint: Adjoint) -> FieldValue:
    """Return f at the stages of a network, of what its sweep has kept."""
    return problem.field.known(theta["K"], run.inputs, run.a, adjoint.slope)


def slope_part(network: ResidualNetwork, u: Tensor, at: FieldValue, run: Trajectory, adjoint: Adjoint) -> float:
    """Return some samples' part of n Σ_s Σ_i p_{i+1} · X''_i/n with the running cost's, which C₁ is −1/(2n) times."""
    problem, nodes, n = network.problem, network.parameters(u), network.depth
    dK = torch.cat([n * (nodes.K[1:] - nodes.K[:-1]), torch.zeros_like(nodes.K[:1])])
    db = torch.cat([n * (nodes.b[1:] - nodes.b[:-1]), torch.zeros_like(nodes.b[:1])])
    costates = slice(1, None) if problem.regime.integrator.tableau.explicit else slice(None, -1)
    along = adjoint.costates[costates] * _acceleration(problem, at, dK, db)
    return float(along.sum()) + n * _running(problem, run.states)


def force_norms(problem: Problem, at: FieldValue, adjoint: Adjoint) -> dict[str, Tensor]:
    """Return some samples' part of mean_s ‖∂⟨p_{i+1}, f⟩/∂A_i‖ for A in {K, b} and Euler's layers, (n,) each."""
    norms = problem.field.gradient_norms(at, adjoint.kappa)
    return {name: each.sum(1) for name, each in zip(LAYERED, norms, strict=True)}


def slope_of_sum(problem: Problem, total: float, n: int) -> float:
    """Return C₁ from the sum of `slope_part`; implicit Euler's sign is the opposite of Euler's."""
    return -0.5 * (1.0 if problem.regime.integrator.tableau.explicit else -1.0) * total / n


def _network(subject: Subject, point: BranchPoint, *, adjoint: bool) -> NetworkSweep:
    network, u, problem = point.network, point.solution.u, subject.problem
    theta, outputs, total = network.stage_parameters(u), list[Tensor](), 0.0
    bounds = {name: theta["K"].new_zeros(point.depth) for name in LAYERED} if adjoint else {}
    deviation, first = Deviation(), 0
    for x, y in network.chunks():
        subject.checkpoint()
        if adjoint:
            run, back = network.sweep(theta, x, y)
            at = at_stages(problem, theta, run, back)
            total += slope_part(network, u, at, run, back)
            if back.delta.shape[0] == point.depth:
                for name, part in force_norms(problem, at, back).items():
                    bounds[name] += part
        else:
            run = network.kernel.forward(theta["K"], theta["b"], x)
        outputs.append(read_out(theta, run.states[-1]))
        if subject.continuum is not None:
            found = _deviation(subject, point.depth, run.states, x, first)
            deviation = max(deviation, found, key=lambda each: each.size)
        first += len(x)
    horizon = problem.regime.horizon
    return NetworkSweep(
        torch.cat(outputs),
        slope_of_sum(problem, total, point.depth) if adjoint else None,
        {name: value * horizon for name, value in bounds.items()},
        deviation,
    )


def _deviation(subject: Subject, depth: int, states: Tensor, x: Tensor, first: int) -> Deviation:
    """Return the largest deviation of some samples' states (n + 1, S', d), the first of which is number ``first``."""
    limit = limit_sweep(subject, finer=True)
    intervals = limit.steps // limit.every
    samples = slice(first, first + len(x))
    nodes = torch.arange(depth + 1, device=x.device)
    compared = min(intervals, _COMPARED)
    if depth > 2 * compared and follows_smoothly(subject):
        # What is smooth in t is compared at some nodes, and then at all that lie about its maxima.
        nodes = torch.unique(torch.linspace(0.0, depth, compared + 1, device=x.device).round().long())
    norms = lengths(states[nodes] - limit_states(subject, depth, nodes, x, samples))
    if len(nodes) <= depth:
        best = norms.max(0)
        some = best.values.topk(min(_LOOKED_AT, len(x))).indices
        around = math.ceil(depth / compared)
        offsets = torch.arange(-around, around + 1, device=x.device)
        nodes = torch.unique((nodes[best.indices[some]][:, None] + offsets).clamp(0, depth))
        near = limit_states(subject, depth, nodes, x[some], some + first)
        norms, columns = lengths(states[nodes][:, some] - near), some
    else:
        columns = torch.arange(len(x), device=x.device)
    row, column = divmod(int(norms.argmax()), norms.shape[1])
    size = float(norms[row, column])
    if not size > 0.0:
        return Deviation(size)
    sample, step = int(columns[column]), nodes[row : row + 1]
    here = limit_states(subject, depth, step, x[sample : sample + 1], slice(first + sample, first + sample + 1))
    return Deviation(size, x[sample], int(step), (states[step, sample] - here[0])[0] / size)


def follows_smoothly(subject: Subject) -> bool:
    """Whether the continuum's states are smooth, and known better than any network's by one trajectory for all."""
    regime = subject.problem.regime
    return subject.problem.smooth and regime.integrator.tableau.order == 1 and _legendre(subject)


def limit_states(subject: Subject, depth: int, nodes: Tensor, x: Tensor, samples: slice | Tensor) -> Tensor:
    """Return X(i/n) (k, S', d) for nodes i (k,) of a depth and some samples, whose lifted inputs are x (S', d).

    From the kept trajectory, by cubic interpolation between its nodes (an error of h⁴/384 of the fourth derivative).
    Where the flow is not smooth or its states are not kept, by integrating along the nodes.
    """
    limit, fit = limit_sweep(subject, finer=True), subject.limit
    if limit.states is None or limit.derivatives is None or not follows_smoothly(subject):
        every = 2 * math.ceil(fit.flow.steps / depth)
        return integrate(subject.problem, fit.parameters, every * depth, x)[every * nodes]
    intervals = limit.steps // limit.every
    place = nodes.to(x.dtype) * (intervals / depth)
    cell = place.round().long()
    if bool((place == cell).all()):
        return limit.states[cell][:, samples]
    cell = place.floor().long().clamp(max=intervals - 1)
    s, h = (place - cell).view(-1, 1, 1), subject.problem.regime.horizon / intervals
    X, V = limit.states[:, samples], limit.derivatives[:, samples]
    before, after = X[cell], X[cell + 1]
    out = before + (s * s * (3.0 - 2.0 * s)) * (after - before)
    out += (h * s * (1.0 - s) ** 2) * V[cell]
    out -= (h * s * s * (1.0 - s)) * V[cell + 1]
    return out


def _legendre(subject: Subject) -> bool:
    return isinstance(subject.limit.flow.basis, LegendreIncrements)


def _limit(subject: Subject, steps: int) -> LimitSweep:
    fit, problem = subject.limit, subject.problem
    flow, u = Flow(problem, fit.flow.basis, steps), fit.solution.u
    theta, parameters = flow.stage_parameters(u), fit.parameters
    t = torch.linspace(0.0, 1.0, steps + 1, dtype=problem.dtype, device=problem.device)
    K, b = parameters.sample(t)
    force = {"K": torch.zeros_like(K), "b": torch.zeros_like(b)}
    every = _kept_every(problem, steps)
    outputs, states, derivatives, total = list[Tensor](), list[Tensor](), list[Tensor](), 0.0
    rule = _Rule(flow, parameters)
    for x, y in flow.chunks():
        subject.checkpoint()
        run, adjoint = flow.sweep(theta, x, y)
        at = problem.field.value(K, b, run.states)
        total += rule.part(at, adjoint)
        for name, part in zip(LAYERED, problem.field.gradient(at, adjoint.costates), strict=True):
            force[name] += part
        if every is not None:
            derivatives.append(_thinned(at.f, every))
        outputs.append(read_out(theta, run.states[-1]))
        if every is not None:
            states.append(_thinned(run.states, every))
    return LimitSweep(
        steps,
        every or 1,
        torch.cat(outputs),
        slope_of_sum(problem, total, 1),
        {name: value * problem.regime.horizon for name, value in force.items()},
        torch.cat(states, 1) if states else None,
        torch.cat(derivatives, 1) if derivatives else None,
    )


def _kept_every(problem: Problem, steps: int) -> int | None:
    """Return of how many nodes one is kept, or None where those are still too many, or too far apart."""
    every, most = 1, _MOST_KEPT // (2 * problem.x.numel() * problem.x.element_size())
    while steps // every + 1 > most and steps % (2 * every) == 0:
        every *= 2
    fits = steps // every + 1 <= most
    return every if fits and (every == 1 or steps // every >= _FEWEST_KEPT) else None


def _thinned(of_nodes: Tensor, every: int) -> Tensor:
    """Return every so many nodes', in memory of their own."""
    return of_nodes if every == 1 else of_nodes[::every].clone()


class _Rule:
    """The rule that integrates C₁: Simpson's, and the trapezoidal rule cell by cell for piecewise-linear K."""

    def __init__(self, flow: Flow, parameters: ContinuumParameters) -> None:
        self._problem, steps = flow.problem, flow.steps
        t = torch.linspace(0.0, 1.0, steps + 1, dtype=flow.problem.dtype, device=flow.problem.device)
        smooth = isinstance(parameters.basis, LegendreIncrements)
        self._weights = torch.full_like(t, 1.0 / steps)
        if smooth and steps % 2 == 0:
            self._weights[1:-1:2], self._weights[2:-1:2] = 4.0 / (3.0 * steps), 2.0 / (3.0 * steps)
            self._weights[0] = self._weights[-1] = 1.0 / (3.0 * steps)
        else:
            self._weights[0] = self._weights[-1] = 0.5 / steps
        # K' jumps at the nodes of a piecewise-linear basis, where the trapezoidal rule takes the mean of both sides:
        # those are its values half a step away, as every cell is a whole number of steps. For polynomials the shift
        # is nought.
        half = 0.0 if smooth else 0.5 / steps
        before = parameters.derivative(torch.clamp(t - half, min=0.0))
        after = parameters.derivative(torch.clamp(t + half, max=1.0))
        self._slopes = [0.5 * (left + right) for left, right in zip(before, after, strict=True)]

    def part(self, at: FieldValue, adjoint: Adjoint) -> float:
        along = (adjoint.costates * _acceleration(self._problem, at, *self._slopes)).sum((1, 2))
        return float((along * self._weights).sum()) + _running(self._problem, at.X)


def _acceleration(problem: Problem, at: FieldValue, dK: Tensor, db: Tensor) -> Tensor:
    """Return X'' = T (∂f/∂K K' + ∂f/∂b b' + T ∂f/∂X f), (·, S, d), T the horizon."""
    horizon = problem.regime.horizon
    return problem.field.push(at, horizon * at.f if horizon != 1.0 else at.f, dK, db).mul_(horizon)


def _running(problem: Problem, states: Tensor) -> float:
    """Return γT (1/S) Σ_s (‖X_s(1)‖² − ‖X_s(0)‖²)."""
    regime = problem.regime
    if not regime.running_cost:
        return 0.0
    change = states[-1].square().sum() - states[0].square().sum()
    return regime.running_cost * regime.horizon * float(change) / problem.samples
