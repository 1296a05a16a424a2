"""Starts and branches of one depth are one batch: the study that comes of it is that of one by one."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from torch import Tensor

from deeplimit.mathematics import Training
from deeplimit.mathematics.minimise import Status
from deeplimit.mathematics.model.batched_objective import BatchedObjective
from deeplimit.mathematics.model.objective import Evaluation
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import Problem
from deeplimit.mathematics.study.fitter import Fitter
from deeplimit.mathematics.study.progress import StudyProgress
from deeplimit.mathematics.study.sweep import Study, run_study
from deeplimit.mathematics.study.training import DepthStart
from tests.support import known_answers
from tests.support.small_problems import one_sample


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many sets each batch begins with, and every later evaluation of it."""
    found: list[int] = []
    real = BatchedObjective.evaluate

    def evaluate(self: BatchedObjective, points: Tensor) -> list[Evaluation]:
        found.append(len(points))
        return real(self, points)

    monkeypatch.setattr(BatchedObjective, "evaluate", evaluate)
    return found


def batches(sizes: list[int]) -> Iterator[int]:
    """The first size of each batch: within one, sizes never grow."""
    before = 0
    for size in sizes:
        if size > before:
            yield size
        before = size


def one_by_one(monkeypatch: pytest.MonkeyPatch, problem: Problem, depths: tuple[int, ...], training: Training) -> Study:
    with monkeypatch.context() as patch:
        patch.setattr(BatchedObjective, "sets_at_once", lambda _: 1)
        return run_study(problem, depths, None, training)


def assert_same(left: Study, right: Study) -> None:
    assert [(b.starts, b.status, b.merged_into) for b in left.branches] == [
        (b.starts, b.status, b.merged_into) for b in right.branches
    ]
    for mine, other in zip(left.branches, right.branches, strict=True):
        assert list(mine.points) == list(other.points)
        for depth, point in mine.points.items():
            assert point.solution.status is other.points[depth].solution.status
            assert point.solution.objective == pytest.approx(other.points[depth].solution.objective, rel=1e-9)
    assert left.verdict == right.verdict


@pytest.mark.parametrize("depth_start", [DepthStart.PROLONG, DepthStart.INDEPENDENT])
def test_a_study_is_the_same_as_one_by_one(
    depth_start: DepthStart, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training(starts=6, gradient_tolerance=1e-8, depth_start=depth_start)
    together = run_study(known_answers.odd_pair("tanh"), (4, 8), None, training)
    assert max(sizes) == 6
    assert sum(1 for size in batches(sizes) if size == 6) == (2 if depth_start is DepthStart.INDEPENDENT else 1)
    used = len(sizes)
    assert_same(together, one_by_one(monkeypatch, known_answers.odd_pair("tanh"), (4, 8), training))
    assert len(sizes) == used


def test_branches_are_carried_together(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is carried from one model to the next: with it, a few evaluations each are all."""
    monkeypatch.setattr(Fitter, "carries_curvature", False)
    training = Training(starts=8, gradient_tolerance=1e-7)  # ‖g‖²/(4α) is below what is compared
    together = run_study(known_answers.two_moons(), (4, 8), None, training)
    carried = sum(8 in branch.points for branch in together.branches)
    assert carried > 1
    assert list(batches(sizes))[:2] == [8, carried]
    assert_same(together, one_by_one(monkeypatch, known_answers.two_moons(), (4, 8), training))


def test_starts_until_another_minimum_is_unlikely_come_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = Fitter.networks

    def networks(self: Fitter, network: ResidualNetwork, starts: list[Tensor], *given: Any) -> Any:
        asked.append(len(starts))
        return real(self, network, starts, *given)

    monkeypatch.setattr(Fitter, "networks", networks)
    study = run_study(one_sample(), (4,), None, Training(starts=None, most_starts=10, most_unseen=1e-3))
    assert study.starts == 10
    assert asked == [4, 4, 2]


def test_batches_are_split_where_memory_is_short(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchedObjective, "sets_at_once", lambda _: 4)
    training = Training(starts=6, gradient_tolerance=1e-8)
    study = run_study(known_answers.odd_pair("tanh"), (4,), None, training)
    assert max(sizes) == 4
    assert study.starts == 6
    assert_same(study, one_by_one(monkeypatch, known_answers.odd_pair("tanh"), (4,), training))


def test_no_batch_begins_after_the_time_limit(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchedObjective, "sets_at_once", lambda _: 3)
    study = run_study(one_sample(), (4,), None, Training(starts=9, wall_time_s=1e-9))
    assert sizes == [3]
    assert study.starts == 3
    assert study.verdict_branch.points[4].solution.status is Status.TIME_LIMIT


def test_progress_of_starts_together_never_falls_and_can_stop_them() -> None:
    class StoppedError(Exception):
        pass

    seen: list[StudyProgress] = []

    def watch(at: StudyProgress) -> None:
        seen.append(at)
        if len(seen) == 60:
            raise StoppedError

    with pytest.raises(StoppedError):
        run_study(known_answers.two_moons(), (4,), None, Training(starts=8), watch)
    assert {at.phase for at in seen} == {"starts"}
    assert {at.model for at in seen} == {"discrete-4"}
    fractions = [at.fraction for at in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] < fractions[-1] < 0.5, "sixty steps of eight fits are a few of each"
    assert [at.iteration for at in seen[:8]] == [0] * 8


def test_every_start_has_statistics_of_its_own() -> None:
    begun = time.monotonic()
    study = run_study(known_answers.odd_pair("tanh"), (4,), None, Training(starts=5, follow="all"))  # type: ignore[arg-type]  # by name
    passed = time.monotonic() - begun
    solutions = [point.solution for branch in study.branches for point in branch.points.values()]
    assert all(0.0 < solution.wall_time_s < passed for solution in solutions)
    assert all(solution.evaluations > solution.iterations > 0 for solution in solutions)
