"""The wall-time limit is kept by everything: after it little is evaluated, and what is missing is said to be."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from deeplimit.mathematics import ContinuumOptions, Problem, Regularisation, TrainedStudy, Training, train
from deeplimit.mathematics.depth_search import train_for_error
from deeplimit.mathematics.diagnostics import report
from deeplimit.mathematics.diagnostics.advice.wanted import Quantity, Wanted
from deeplimit.mathematics.diagnostics.measured import OUT_OF_TIME
from deeplimit.mathematics.diagnostics.statements.answer import Confidence
from deeplimit.mathematics.diagnostics.statements.finding import Level
from deeplimit.mathematics.minimise import Status
from deeplimit.mathematics.problem.regime import Regime, Scaling
from deeplimit.mathematics.study.sweep import Study, run_study
from deeplimit.mathematics.study.training import Follow
from deeplimit.mathematics.watch import GRACE, OutOfTimeError, look, until, watched
from tests.support.small_problems import odd_pair
from tests.support.studies.clock import Clock
from worker.execution.train_diagnostics import diagnostics_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from deeplimit.mathematics.study.branches import StationaryPoint

DEPTHS = (8, 16, 32)
NEVER = 1e9

STUDIES: dict[str, Callable[[float], TrainedStudy]] = {
    "smooth": lambda limit: train(
        odd_pair("tanh"), DEPTHS, ContinuumOptions(), Training(starts=2, wall_time_s=limit, gradient_tolerance=1e-10)
    ),
    "without a continuum": lambda limit: train(
        odd_pair("tanh"), DEPTHS, None, Training(starts=2, wall_time_s=limit, carry_curvature=False)
    ),
    "with kinks": lambda limit: train(odd_pair("relu"), DEPTHS, None, Training(starts=2, wall_time_s=limit)),
    "search": lambda limit: train_for_error(
        odd_pair("tanh"), Wanted(Quantity.GAP, 1e-3), DEPTHS, training=Training(starts=2, wall_time_s=limit)
    ),
}


@pytest.mark.parametrize("name", STUDIES)
def test_little_is_evaluated_after_the_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    whole = STUDIES[name](NEVER)
    assert not whole.diagnostics.withheld
    total, seen = clock.now, set[str]()
    for part in range(1, 8):
        clock.now, limit = 0.0, float(round(part / 8 * total))
        found = STUDIES[name](limit)
        branch = found.study.verdict_branch
        points: list[StationaryPoint] = [
            *branch.points.values(),
            *([branch.continuum] if branch.continuum is not None else []),
        ]
        left = [point for point in points if point.solution.status is Status.TIME_LIMIT]
        assert clock.now - limit <= GRACE + 2, (part, limit)
        # Every model is there; what was not evaluated is where its training would have begun.
        assert set(DEPTHS) <= branch.points.keys()
        assert (branch.continuum is None) == (whole.study.verdict_branch.continuum is None)
        for point in points:
            assert point.solution.evaluated == math.isfinite(point.solution.objective)
            assert bool(torch.isfinite(point.solution.u).all())
        assert all(point.solution.status.optimised for point in points if point not in left)
        withheld = found.diagnostics.withheld
        assert set(withheld.values()) <= {OUT_OF_TIME}
        seen |= withheld.keys()
        # What was not measured is null, and nothing is decided by it.
        answer = diagnostics_of(found).model_dump(exclude_unset=True)
        assert all(answer[part] is None for part in answer.get("withheld", {}))
        if left or withheld.keys() & {"minima", "minimisers", "consecutive", "states", "classification"}:
            assert found.diagnostics.verdict.converges is None
            assert "limit" in found.diagnostics.verdict.summary
            assert found.diagnostics.verdict.answer.depth is None
    assert {"minima", "minimisers", "classification", "depth_advice", "compactness"} <= seen


@pytest.mark.parametrize("within", [0.5, 3.0, 40.0])
def test_an_evaluation_that_takes_long_is_broken_off(within: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes ``within`` seconds and a look, and then one more second."""
    clock, limit = Clock(monkeypatch, within), 45.0
    found = STUDIES["smooth"](limit)
    assert clock.now - limit <= GRACE + 2.0 + within
    points = found.study.verdict_branch.points
    assert list(points) == list(DEPTHS)
    assert points[DEPTHS[0]].solution.evaluated
    assert not points[DEPTHS[-1]].solution.evaluated
    assert found.diagnostics.verdict.converges is None


def _not_followed(study: Callable[[float], TrainedStudy], monkeypatch: pytest.MonkeyPatch) -> list[TrainedStudy]:
    """Return studies whose time ended while their branch was followed, and that all else was measured of."""
    clock = Clock(monkeypatch)
    monkeypatch.setattr(report, "GRACE", NEVER)
    assert study(NEVER).study.verdict_branch.followed
    total, found = clock.now, list[TrainedStudy]()
    for part in range(6, 15):
        clock.now = 0.0
        found.append(study(float(round(part / 16 * total))))
    return [each for each in found if not each.study.verdict_branch.followed]


def test_a_branch_that_was_not_followed_gives_no_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _not_followed(STUDIES["smooth"], monkeypatch)
    assert any(not each.diagnostics.withheld for each in found)
    for each in found:
        verdict = each.diagnostics.verdict
        assert verdict.converges is None
        assert (verdict.answer.depth, verdict.answer.confidence) == (None, Confidence.UNDECIDED)
        told = {finding.code: finding for finding in verdict.findings if finding.level is Level.MAIN}
        assert "which depths are on the branch of the limit" in told["not_measured"].text
        assert told["not_measured"].advice == verdict.answer.change
        # Which depth is near the limit is not to be believed either.
        assert not told.keys() & {"performance", "optimum"}


def test_a_branch_that_was_not_followed_does_not_fail_without_a_theorem(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, regime = odd_pair("tanh"), Regime(scaling=Scaling.UNSCALED)
    problem = Problem([[1.0], [-1.0]], [[2.0], [-2.0]], regularisation=plain.regularisation, regime=regime)

    def unscaled(limit: float) -> TrainedStudy:
        return train(problem, (4, 8, 16), None, Training(starts=2, wall_time_s=limit))

    assert unscaled(NEVER).diagnostics.verdict.converges is False
    found = _not_followed(unscaled, monkeypatch)
    assert found
    for each in found:
        assert each.diagnostics.verdict.converges is None
        assert each.diagnostics.verdict.summary.endswith("s came before everything was measured.")


def test_when_time_ends_within_a_model_the_other_branches_are_not_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(1).normal(size=(40, 2))
    regularisation = Regularisation(alpha=dict.fromkeys("KbWc", 0.01))
    problem = Problem(x, np.sin(2.0 * x[:, :1]) + 0.3 * x[:, 1:] ** 2, regularisation=regularisation)
    clock, depths = Clock(monkeypatch), (4, 8)

    def study(limit: float) -> Study:
        clock.now = 0.0
        training = Training(starts=6, follow=Follow.ALL, wall_time_s=limit)
        return run_study(problem, depths, ContinuumOptions(), training)

    whole = study(NEVER)
    assert len([branch for branch in whole.branches if branch.continuum is not None]) > 1
    total, seen = clock.now, set[int]()
    for part in range(1, 12):
        found = study(float(round(part / 12 * total)))
        for model in (*depths[1:], None):
            late = [
                point
                for branch in found.branches
                for point in ([branch.continuum] if model is None else [branch.points.get(model)])
                if point is not None and point.solution.status is Status.TIME_LIMIT
            ]
            # One that was under way, and no other that begins after the limit.
            assert len(late) <= 1, (part, model)
            seen |= {model or 0} if late else set()
    assert seen == {0, *depths[1:]}


def test_what_is_withheld_is_said_with_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    STUDIES["smooth"](NEVER)
    limit, clock.now = 0.75 * clock.now, 0.0
    found = STUDIES["smooth"](limit)
    assert all(point.solution.status is Status.CONVERGED for point in found.study.verdict_branch.points.values())
    verdict, advice = found.diagnostics.verdict, f"Raise limits.wall_time_s above {limit:g}, or train fewer depths."
    assert verdict.summary == f"Cannot tell: the time limit of {limit:g} s came before everything was measured."
    assert verdict.answer.change == advice
    told = [finding for finding in verdict.findings if finding.code == "not_measured"]
    assert [finding.level for finding in told] == ["main", "detail"]
    assert "withheld are: " in told[0].text
    assert "depth advice" in told[0].text
    assert told[0].advice == advice
    assert "Undecided: the time limit was reached before this was known: " in told[1].text


def test_a_watch_breaks_off_what_is_inside_it_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    calls: list[float] = []
    with watched(lambda: calls.append(now)), until(1.0):
        look()
        now = 2.0
        with pytest.raises(OutOfTimeError):
            look()
    look()
    with until(None):
        look()
    assert calls == [0.0, 2.0]
