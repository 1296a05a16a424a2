"""Time until E_n is within 1e-6 of its minimum, for this package and for the loops that users would write.

Two moons (S = 200, d = 4, every α = 1e-3). Here the study of depths 8, 16, …, n is run as usual, and everything counts
until the network of n layers is there: the coarse depths, their certificates and all else. The others train n layers,
in plain (K, b, W, c) but where a row says otherwise, from two starts: what PyTorch initialises layers with, and the
study's own start, prolonged to n layers, which is smooth already.

Times are to the minimum of the study. A rival that ends elsewhere never arrives there, which counts as the limit; it
has a second time, to its own minimum: where it ends, this package's minimiser goes on, uncounted, and the time is when
the rival first was within 1e-6 of what that finds.
"""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

import torch

from benchmarks.speed.measure import Record, one_thread
from benchmarks.speed.problems import depths_to, problem, start, usual_start
from benchmarks.speed.residual import PlainResidualNetwork
from benchmarks.speed.rivals import CLOSE, Adam, Race, as_function, best_adam, outcome, ratios, scipy_lbfgs, torch_lbfgs
from deeplimit.mathematics.minimise import Budget, minimise
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.study.sweep import run_study
from deeplimit.mathematics.study.training import Training

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.speed.rivals import Floats
    from deeplimit.mathematics.study.progress import StudyProgress

SHARP = Budget(1e-7, max_iterations=4000)
"""How sharply the minima are known that all are measured by: E to 1e-11."""
OURS = "this package"
ADAM = "PyTorch, Adam"
LBFGS = "PyTorch, L-BFGS"
SCIPY = "scipy, L-BFGS-B"
WHITE = "scipy, L-BFGS-B, our coordinates and gradient"
STARTS = {"usual": usual_start, "smooth": start}
RIVALS = (
    *((who, begun) for begun in STARTS for who in (ADAM, LBFGS, SCIPY)),
    (WHITE, "smooth"),
)
"""Who trains from which start."""


@dataclass(frozen=True)
class Size:
    """How much is run: which depths, CPU seconds of each rival, how often ours."""

    depths: tuple[int, ...]
    limit: float
    repeats: int

    @classmethod
    def of(cls, *, quick: bool) -> Size:
        """Return a size for a minute or for a whole run."""
        return cls((16, 32), 2.0, 3) if quick else cls((16, 64, 256), 120.0, 5)


class _Arrived(Exception):  # noqa: N818 - nothing is wrong
    pass


def seconds_of_a_study(depth: int, target: float | None) -> float:
    """Run the study to a depth; return the CPU seconds until E_n was at most ``target``, or of the whole study."""
    arrived: list[float] = []

    def look(at: StudyProgress) -> None:
        if target is not None and at.model == f"discrete-{depth}" and at.objective <= target:
            arrived.append(time.process_time())
            raise _Arrived

    given = problem("moons", 4)
    begun = time.process_time()
    try:
        run_study(given, depths_to(depth), None, Training(starts=1), look)
    except _Arrived:
        return arrived[0] - begun
    return time.process_time() - begun


def minimum(depth: int, near: DiscreteParameters) -> float:
    """Return the minimum of E_n that this package's minimiser ends at from given parameters."""
    network = ResidualNetwork(problem("moons", 4), depth)
    return minimise(network, network.encode(near), SHARP).objective


def study_minimum(depth: int) -> float:
    """Return the minimum of E_n on the study's branch."""
    study = run_study(problem("moons", 4), depths_to(depth), None, Training(starts=1))
    return minimum(depth, study.verdict_branch.points[depth].parameters)


def ours(depth: int, target: float | None, repeats: int) -> float:
    """Return the median CPU seconds of this package; what is loaded or compiled once was before."""
    seconds_of_a_study(min(16, depth), None)
    return statistics.median(seconds_of_a_study(depth, target) for _ in range(repeats))


def race(who: str, begun: str, depth: int, target: float, limit: float) -> dict[str, object]:
    """Run one rival from one start at one depth; return its row without the ratio."""
    with one_thread():
        _load(who)
        first = STARTS[begun](problem("moons", 4), depth)
        facts: dict[str, object] = {"who": who, "start": begun, "depth": depth}
        seen = Race(target)
        if who == WHITE:
            end = _in_white_coordinates(seen, first, limit)
        elif who == ADAM:
            seen, adam = best_adam(lambda: _module(first), target, limit)
            end, facts["learning_rate"] = adam.module.found(), adam.rate  # type: ignore[attr-defined]  # as made here
        else:
            module = _module(first)
            call = (lambda race: scipy_lbfgs(*as_function(module), race)) if who == SCIPY else None
            seen.run(call or (lambda race: torch_lbfgs(module, race)), limit)
            end = module.found()
        return facts | outcome(seen, target, limit, lambda: minimum(depth, end))


def _load(who: str) -> None:
    """Have everything loaded that the first step of an optimiser loads, seconds of it in PyTorch."""
    module = _module(start(problem("moons", 4), 8))
    first_steps = Adam(module, 0.0) if who == ADAM else lambda race: torch_lbfgs(module, race)
    Race(0.0).run(first_steps, 1e-3)


def _module(first: DiscreteParameters) -> PlainResidualNetwork:
    return PlainResidualNetwork(problem("moons", 4), first)


def _in_white_coordinates(seen: Race, first: DiscreteParameters, limit: float) -> DiscreteParameters:
    network = ResidualNetwork(problem("moons", 4), first.depth)
    last = network.encode(first)

    def evaluate(u: Floats) -> tuple[float, Floats]:
        last.copy_(torch.from_numpy(u))
        found = network.evaluate(last)
        return found.objective, found.gradient.numpy()

    beginning = last.numpy().copy()
    seen.run(lambda race: scipy_lbfgs(evaluate, beginning, race), limit)
    return network.parameters(last)


def main(folder: Path, *, quick: bool) -> None:
    """Write every row: ours first and alone, then the rivals, as many at once as there are cores."""
    size = Size.of(quick=quick)
    record = Record("training", folder, quick=quick, close=CLOSE, limit_s=size.limit)
    best: dict[int, float] = {}
    targets: dict[int, float] = {}
    with one_thread():
        for depth in size.depths:
            low = study_minimum(depth)
            targets[depth] = low + CLOSE
            best[depth] = ours(depth, targets[depth], size.repeats)
            whole = ours(depth, None, size.repeats)
            record.add(who=OURS, depth=depth, arrived=True, seconds=best[depth], minimum=low, whole_study_s=whole)
    # A process for each row, so that none finds the caches and allocations of another; each measures its own CPU time.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = {
            pool.submit(race, who, begun, depth, targets[depth], size.limit): depth
            for depth in reversed(size.depths)  # the longest first
            for who, begun in RIVALS
        }
        for done in as_completed(waiting):
            row = done.result()
            record.add(**row, **ratios(row, best[waiting[done]]))
