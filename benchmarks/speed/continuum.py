"""The continuum problem against torchdiffeq: one gradient, and time until E_∞ is within 1e-6 of its minimum.

Two moons (S = 200, d = 4), K and b polynomials of degree 16, 64 steps of fourth order. All train the same coordinates
from the same start. Each is measured by the minimum of its own scheme, which this package's minimiser finds, uncounted.
"""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

import torch

from benchmarks.speed.measure import Record, in_turns, one_thread
from benchmarks.speed.neural_ode import NeuralOde
from benchmarks.speed.problems import START_SCALE
from benchmarks.speed.problems import problem as built_in
from benchmarks.speed.rivals import CLOSE, Race, best_adam, outcome, ratios, torch_lbfgs
from deeplimit.mathematics.kernels.tableau import EULER, Tableau
from deeplimit.mathematics.minimise import Budget, minimise
from deeplimit.mathematics.model.coordinates import LegendreIncrements, stages_of
from deeplimit.mathematics.model.flow import Flow, stage_times
from deeplimit.mathematics.model.objective import DiscretisedObjective

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from deeplimit.mathematics.minimise import HistoryRow
    from deeplimit.mathematics.problem.learning_problem import Problem

DEGREE, STEPS = 16, 64
FINE_STEPS = 2048
"""Steps of the gradient that errors are measured by."""
SHARP = Budget(1e-7, max_iterations=4000)
"""How sharply the minima are known that all are measured by: E to 1e-11."""
THREE_EIGHTHS: Final = Tableau(
    "three_eighths",
    4,
    ((), (1 / 3,), (-1 / 3, 1.0), (1.0, -1.0, 1.0)),
    (1 / 8, 3 / 8, 3 / 8, 1 / 8),
    (0, 1 / 3, 2 / 3, 1),
)
"""What torchdiffeq calls rk4 (Kutta 1901)."""
SCHEMES = {"euler": EULER, "rk4": THREE_EIGHTHS}
OURS = "this package"
TRAINED = (
    ("rk4", False, "L-BFGS"),
    ("rk4", True, "L-BFGS"),
    ("euler", False, "L-BFGS"),
    ("rk4", False, "Adam"),
)
"""Method, adjoint and optimiser of each training."""


class SchemeFlow(Flow):
    """The continuum model of this package with any explicit scheme in place of its own."""

    def __init__(self, problem: Problem, basis: LegendreIncrements, steps: int, tableau: Tableau) -> None:
        self.basis, self.steps = basis, steps
        stages = stages_of(basis, stage_times(steps, tableau).to(problem.x))
        DiscretisedObjective.__init__(self, problem, problem.kernel(tableau, steps), stages, basis.size)


def flow(steps: int = STEPS, tableau: Tableau | None = None, degree: int = DEGREE) -> Flow:
    """Return the continuum model of two moons, by default with this package's scheme."""
    given, basis = built_in("moons", 4), LegendreIncrements(degree)
    return Flow(given, basis, steps) if tableau is None else SchemeFlow(given, basis, steps, tableau)


def beginning(model: Flow, seed: int = 0) -> Tensor:
    """Return the flat coordinates that all begin with: those of a random start of a continuum study."""
    generator = torch.Generator().manual_seed(seed)
    return START_SCALE * torch.randn(model.coordinates.length, generator=generator, dtype=torch.float64)


def label(method: str, *, adjoint: bool) -> str:
    """Return what a row calls torchdiffeq's way to integrate and to differentiate."""
    return f"torchdiffeq, {method}{', adjoint' if adjoint else ''}"


def gradients(record: Record, repeats: int) -> None:
    """Write a row for one gradient of each."""
    model, fine = flow(), flow(FINE_STEPS)
    u = beginning(model)
    exact = fine.evaluate(u)
    modules = {
        label(method, adjoint=adjoint): NeuralOde(model, u, method=method, steps=STEPS, adjoint=adjoint)
        for method in SCHEMES
        for adjoint in (False, True)
    }
    calls = {OURS: lambda: model.evaluate(u)} | {name: module.evaluate for name, module in modules.items()}
    seconds = in_turns(calls, repeats)
    for name in calls:
        gradient = modules[name].coordinates(model, gradient=True) if name in modules else model.evaluate(u).gradient
        record.add(
            who=name,
            what="gradient",
            ms=1e3 * seconds[name],
            ratio=seconds[name] / seconds[OURS],
            error=float((gradient - exact.gradient).norm() / exact.gradient.norm()),
        )


class _Arrived(Exception):  # noqa: N818 - nothing is wrong
    pass


def seconds_of_a_fit(target: float) -> float:
    """Return the CPU seconds of this package until E_∞ was at most ``target``."""
    arrived: list[float] = []

    def look(row: HistoryRow) -> None:
        if row.objective <= target:
            arrived.append(time.process_time())
            raise _Arrived

    begun = time.process_time()
    model = flow()
    try:
        minimise(model, beginning(model), Budget(), look)
    except _Arrived:
        return arrived[0] - begun
    raise RuntimeError("the fit ended above its own minimum")


def race(method: str, *, adjoint: bool, optimiser: str, limit: float) -> dict[str, object]:
    """Train with torchdiffeq; return its row without the ratio."""
    with one_thread():
        own = flow(tableau=SCHEMES[method])
        first = beginning(own)

        def module() -> NeuralOde:
            return NeuralOde(own, first, method=method, steps=STEPS, adjoint=adjoint)

        Race(0.0).run(lambda race: torch_lbfgs(module(), race), 1e-3)  # loads what a first step loads
        low = minimise(own, first, SHARP).objective
        seen = Race(low + CLOSE)
        if optimiser == "Adam":
            seen, adam = best_adam(module, low + CLOSE, limit)
            end = adam.module.coordinates(own)  # type: ignore[attr-defined]  # the module that was made here
        else:
            only = module()
            seen.run(lambda race: torch_lbfgs(only, race), limit)
            end = only.coordinates(own)
        facts: dict[str, object] = {"who": f"{label(method, adjoint=adjoint)}, {optimiser}", "what": "training"}
        return facts | outcome(seen, low + CLOSE, limit, lambda: minimise(own, end, SHARP).objective)


def main(folder: Path, *, quick: bool) -> None:
    """Write every row."""
    limit, repeats = (2.0, 3) if quick else (120.0, 7)
    record = Record("continuum", folder, quick=quick, degree=DEGREE, steps=STEPS, close=CLOSE, limit_s=limit)
    with one_thread():
        gradients(record, repeats)
        model = flow()
        low = minimise(model, beginning(model), SHARP).objective
        best = statistics.median(seconds_of_a_fit(low + CLOSE) for _ in range(repeats))
    record.add(who=OURS, what="training", arrived=True, seconds=best, minimum=low)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = [
            pool.submit(race, method, adjoint=adjoint, optimiser=optimiser, limit=limit)
            for method, adjoint, optimiser in TRAINED
        ]
        for done in as_completed(waiting):
            row = done.result()
            record.add(**row, **ratios(row, best))
