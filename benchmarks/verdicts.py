"""Verdicts of random studies, which theory says converge: none may be false, and no depth may be off its branch.

Each study is small enough to be checked by continuation from its limit, in steps of at most 3 % of the depth, with
nothing of the service's own search for branches but its minimiser.

Run from the project's root:  .venv/bin/python -m benchmarks.verdicts [studies] [first seed]
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from deeplimit.mathematics import ContinuumOptions, DepthStart, Problem, Regularisation, TrainedStudy, Training, train
from deeplimit.mathematics.minimise import Budget, minimise
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.model.transfer import recover, restrict

if TYPE_CHECKING:
    from collections.abc import Iterator

LADDERS = ((8, 12), (8, 16, 32), (8, 16, 32, 64))
WITHOUT = 0.2
"""Share of the studies that train no continuum."""
STEP = 1.03
"""Ratio of the depths of a continuation."""
SHARP, ON_THE_WAY = 1e-8, 1e-6
"""Tolerances of the gradient at depths that are compared, and between them."""
SAME = 1e-6
"""Minima of E_n that differ relatively by less are one."""


@dataclass(frozen=True)
class Study:
    """A random problem and how it is trained."""

    seed: int
    problem: Problem
    depths: tuple[int, ...]
    continuum: ContinuumOptions | None
    training: Training


def random_study(seed: int) -> Study:
    """Return a study of at most 12 samples in at most 3 dimensions, with weights of 1e-4 to 0.1."""
    draw = np.random.default_rng(seed)
    d, m, samples = int(draw.integers(1, 4)), int(draw.integers(1, 3)), int(draw.integers(1, 13))
    x = draw.standard_normal((samples, d))
    mix = draw.standard_normal((d, m))
    y = draw.choice([0.5, 1.0, 2.0]) * np.tanh(2.0 * x) @ mix + 0.3 * draw.standard_normal((samples, m))
    alpha = {name: float(10.0 ** draw.uniform(-4.0, -1.0)) for name in ("K", "b", "W", "c")}
    activation = str(draw.choice(["tanh", "tanh", "sin", "softplus", "identity", "sigmoid"]))
    problem = Problem(x, y, activation=activation, loss="squared_error", regularisation=Regularisation(alpha=alpha))
    start = DepthStart(str(draw.choice(["prolong", "prolong", "independent", "recovery"])))
    continuum = ContinuumOptions()
    if draw.random() < WITHOUT and start is not DepthStart.RECOVERY:
        continuum = None
    training = Training(starts=int(draw.integers(1, 5)), seed=seed, depth_start=start)
    return Study(seed, problem, LADDERS[seed % len(LADDERS)], continuum, training)


def ratios(finest: int, coarsest: int) -> Iterator[int]:
    """Yield depths from fine to coarse, each at most `STEP` below the one before where integers allow."""
    depth = finest
    while depth > coarsest:
        depth = max(coarsest, min(depth - 1, math.ceil(depth / STEP)))
        yield depth


def off_by_continuation(study: Study, trained: TrainedStudy) -> list[int]:
    """Return the depths that are reported as on the branch and are not what continuation from the limit reaches."""
    branch = trained.study.verdict_branch
    claimed = [n for n, point in branch.points.items() if n not in branch.left and point.solution.status.optimised]
    if not claimed:
        return []
    finest = 2 * max(claimed)
    if branch.continuum is not None:
        if not branch.continuum.solution.status.optimised:
            return []
        at: DiscreteParameters = recover(branch.continuum.parameters, finest)
    else:
        finest = max(claimed)
        at = branch.points[finest].parameters
    off = []
    for depth in (finest, *ratios(finest, min(claimed))):
        network = ResidualNetwork(study.problem, depth)
        start = at if at.depth == depth else restrict(at, depth)
        budget = Budget(SHARP if depth in claimed else ON_THE_WAY, max_iterations=4000)
        found = minimise(network, network.encode(start), budget, curvature_floor=study.problem.curvature_floor)
        at = network.parameters(found.u)
        if depth in claimed:
            there = branch.points[depth].solution
            if abs(there.objective - found.objective) > SAME * abs(found.objective) + 2.0 * there.error_estimate:
                off.append(depth)
    return off


def judge(seed: int) -> tuple[int, bool | None, str, list[int], str]:
    """Return the seed, the verdict with its head, the depths that are off, and how the study was trained."""
    torch.set_num_threads(1)
    study = random_study(seed)
    trained = train(study.problem, study.depths, study.continuum, study.training)
    verdict = trained.diagnostics.verdict
    words = f"{study.training.depth_start.value}, {study.depths}, {study.problem.activation.name}"
    return seed, verdict.converges, verdict.statements[0], off_by_continuation(study, trained), words


def main(studies: int = 200, first: int = 0) -> None:
    """Print what is false, what is off, and how many are undecided."""
    verdicts: Counter[bool | None] = Counter()
    off = 0
    with ProcessPoolExecutor() as pool:
        for seed, converges, head, where, words in pool.map(judge, range(first, first + studies)):
            verdicts[converges] += 1
            off += bool(where)
            if converges is not True or where:
                print(f"{seed:4d} ({words}): {converges}; {head}" + (f" off: {where}" if where else ""), flush=True)
    print(
        f"{studies} studies: true {verdicts[True]}, undecided {verdicts[None]}, false {verdicts[False]};"
        f" with a depth off the branch that it is reported on: {off}"
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
