"""The number of steps does not grow with depth; one gradient keeps O(n · S · d) numbers and nothing larger."""

import json
import math
import subprocess
import sys

import pytest
import torch

from deeplimit.mathematics import TrainedStudy
from deeplimit.mathematics.minimise import Budget, Solution, Status, minimise
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.model.transfer import prolong
from tests.support import known_answers


def test_work_does_not_grow_with_depth(moons: TrainedStudy) -> None:
    """Counts, not seconds: depths 32 and 512 on the verdict branch, each from the depth before and nothing else."""
    points = moons.study.verdict_branch.points
    known = {depth: point.parameters for depth, point in points.items()}
    solutions: dict[int, Solution] = {}
    for before, depth in ((16, 32), (128, 256), (256, 512)):
        network = ResidualNetwork(moons.study.problem, depth)
        start = network.encode(prolong(known[before], depth))
        solutions[depth] = minimise(network, start, Budget(1e-7), curvature_floor=2e-3)
        known[depth] = network.parameters(solutions[depth].u)
    assert all(solution.status is Status.CONVERGED for solution in solutions.values())
    assert solutions[512].work <= 1.2 * solutions[32].work
    assert solutions[32].work <= 150
    assert all(evaluations_a_step(solution) <= 1.25 for solution in solutions.values())
    # The gap halves: depth 512 is on the branch of the limit.
    fit = moons.study.verdict_branch.continuum
    assert fit is not None
    assert 512 * (solutions[512].objective - fit.solution.objective) == pytest.approx(0.0512, abs=1e-4)


def evaluations_a_step(solution: Solution) -> float:
    return solution.evaluations / solution.iterations


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_work_on_the_small_problems(activation: str, request: pytest.FixtureRequest) -> None:
    trained: TrainedStudy = request.getfixturevalue({"identity": "linear"}.get(activation, activation))
    work = {n: point.solution.work for n, point in trained.study.verdict_branch.points.items()}
    assert work[256] <= 1.2 * work[32]
    assert max(work.values()) <= 100


SHAPES = {
    "deep": (256, 512, 32),
    "many": (32, 4096, 32),
    "wide": (32, 2048, 64),
    "digits": (64, 1797, 64),
    "deep digits": (256, 1797, 64),
}
"""(n, S, d)."""

MEASURE = """
import json, sys
from pathlib import Path
import numpy as np, torch
from deeplimit.mathematics import Problem
from deeplimit.mathematics.model.residual_network import ResidualNetwork

def resident(field):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])

def added_by_one_gradient(depth, samples, width):
    generator = np.random.default_rng(0)
    x, classes = generator.standard_normal((samples, width)), np.arange(samples) % 10
    problem = Problem(x, classes, loss="cross_entropy", kernel="torch")  # the fused kernel keeps far less
    network = ResidualNetwork(problem, depth)
    u = network.random(torch.Generator().manual_seed(0), 0.1)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is resident
    network.evaluate(u)
    return resident("VmHWM") - before, resident("VmHWM")

torch.set_num_threads(1)
added_by_one_gradient(8, 256, 32)
print(json.dumps({name: added_by_one_gradient(*shape) for name, shape in json.loads(sys.argv[1]).items()}))
"""


@pytest.fixture(scope="module")
def peaks() -> dict[str, tuple[int, int]]:
    """Bytes that one gradient adds to the resident set of a fresh process, and the peak."""
    arguments = [sys.executable, "-c", MEASURE, json.dumps(SHAPES)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=120)
    found: dict[str, tuple[int, int]] = json.loads(done.stdout)
    return found


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@on_linux
@pytest.mark.parametrize("name", ["deep", "many", "wide"])
def test_one_gradient_keeps_a_few_numbers_a_state(name: str, peaks: dict[str, tuple[int, int]]) -> None:
    """States and σ(z), two of shape (n, S, d), and little else; 32 MiB each here. A graph would keep more."""
    array = 8 * math.prod(SHAPES[name])
    assert array == 32 * 2**20
    added, _ = peaks[name]
    assert 1.5 * array <= added <= 3 * array


@on_linux
def test_digits_fit_into_two_gibibytes(peaks: dict[str, tuple[int, int]]) -> None:
    added, peak = peaks["digits"]
    assert added <= 4 * 8 * math.prod(SHAPES["digits"])
    assert peak < 2 * 2**30


@on_linux
def test_samples_that_do_not_fit_one_part_take_no_more_memory(peaks: dict[str, tuple[int, int]]) -> None:
    """At once, the 256 layers would take three times 225 MiB; parts of the samples take 384 together, and spare."""
    added, _ = peaks["deep digits"]
    assert 240 * 2**20 <= added <= 480 * 2**20


def test_evaluations_reuse_the_trajectory_of_the_last() -> None:
    network = ResidualNetwork(known_answers.two_moons(), 16)
    u = network.random(torch.Generator().manual_seed(0), 0.5)
    first = network.evaluate(u)
    network.evaluate(2.0 * u)
    again = network.evaluate(u)
    assert first.objective == again.objective
    assert torch.equal(first.gradient, again.gradient)
