"""What a client is told about branches: curvature, frequency, and what befell them."""

import dataclasses

import pytest

from deeplimit.mathematics import ContinuumOptions, Training, train
from deeplimit.mathematics.study.branches import BranchStatus
from deeplimit.mathematics.study.training import DepthStart
from tests.support.small_problems import bifurcating, odd_pair
from worker.execution.train_diagnostics import diagnostics_of

BETWEEN = 0.15638
"""Above the continuum's threshold, below that of 16 layers."""


def test_a_saddle_that_was_left_is_told_with_its_numbers() -> None:
    trained = train(bifurcating(BETWEEN), (8, 16), ContinuumOptions(), Training(1e-10, starts=3))
    (branch,) = diagnostics_of(trained).branches
    assert branch.status == "bifurcates"
    assert set(branch.lambda_min) == {"8", "16", "continuum"}
    assert all(isinstance(value, float) and value > 0.0 for value in branch.lambda_min.values())
    assert branch.detail is not None
    assert "to the continuum led to a saddle (E = 0.0122273522, λ_min = -0.0012" in branch.detail
    assert branch.frequency is not None
    assert branch.frequency.share == 1.0
    assert branch.frequency.interval[0] == pytest.approx(0.4385, abs=1e-4)


def test_a_merger_does_not_hide_a_bifurcation() -> None:
    trained = train(bifurcating(BETWEEN), (8, 16), ContinuumOptions(), Training(1e-10, starts=3))
    (branch,) = trained.study.branches
    trained.study.branches.append(dataclasses.replace(branch, status=BranchStatus.MERGES, merged_into=0))
    _, told = diagnostics_of(trained).branches
    assert told.detail is not None
    assert "saddle" in told.detail
    assert "coincides with branch 0" in told.detail


def test_a_branch_that_no_depth_is_on_does_not_persist() -> None:
    """A study from the continuum whose depths all went elsewhere; the control is one of which a depth stayed."""
    options = ContinuumOptions(tolerance=1e-4)
    trained = train(odd_pair("tanh"), (4, 8), options, Training(starts=1, depth_start=DepthStart.RECOVERY))
    (branch,) = trained.study.branches
    for away, status in (([], "persists"), ([4], "persists"), ([8, 4], "left")):
        branch.left = away
        (told,) = diagnostics_of(trained).branches
        assert (told.status, told.left_at) == (status, away)
