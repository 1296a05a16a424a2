"""Which depth is used, by what evidence, and what is said where there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning

from deeplimit.estimators import DeepLimitClassifier, DeepLimitRegressor, ModelRow, Study, VerdictWarning
from deeplimit.estimators.network import FittedNetwork, Scaling
from deeplimit.estimators.trained import Trained


def row(depth: int | None, objective: float, status: str = "converged") -> ModelRow:
    return ModelRow(depth, status, objective, 10, {"accuracy": 0.9}, None)


def study(*objectives: float, limit: float | None = 1.0, converges: bool | None = True) -> Study:
    """A study of depths 2, 4, 8, … with these minima."""
    rows = tuple(row(2 ** (i + 1), objective) for i, objective in enumerate(objectives))
    return Study(rows, None if limit is None else row(None, limit), converges, "In plain words.", ("All of it.",))


@pytest.mark.parametrize(
    ("objectives", "limit", "depth"),
    [
        ((1.4, 1.2, 1.1, 1.05), 1.0, 16),
        ((1.4, 1.2, 1.09, 1.05), 1.0, 8),
        ((1.05, 1.2, 1.09, 1.05), 1.0, 8),  # a coarse depth that is near by chance does not count
        ((0.6, 0.95, 0.98), 1.0, 4),  # from below
        ((1.4, 1.2), 1.0, None),
        ((1.4, math.nan), 1.0, None),
        ((1.4, 1.01), None, None),
        ((2e-4, 1e-4), 0.0, 4),  # nothing is left to gain: relative to 1e-3
    ],
)
def test_the_least_depth_from_which_on_all_are_near(
    objectives: tuple[float, ...], limit: float | None, depth: int | None
) -> None:
    assert study(*objectives, limit=limit).least_depth(0.1) == depth


def test_the_predicted_depth_is_that_of_a_gap_that_falls_as_one_over_n() -> None:
    gaps = study(1.4, 1.2, 1.1)
    assert gaps.predicted_depth(0.03) == 30  # 0.1 · 8 / 0.03 = 26.7, and a tenth
    assert study(1.4, 1.2, limit=None).predicted_depth(0.01) is None


def test_a_table_for_notebooks() -> None:
    table = study(1.4, 1.2)._repr_html_()
    assert table.startswith("<p>In plain words.</p><table>")
    assert "<td>4</td><td>converged</td><td>1.2</td><td>0.2</td><td>0.9</td>" in table
    assert "<td>limit</td>" in table


NETWORK = FittedNetwork(
    "tanh",
    Scaling.of({"mean": np.zeros(1), "scale": np.ones(1)}),
    K=np.zeros((2, 1, 1)),
    b=np.zeros((2, 1)),
    W=np.zeros((1, 1)),
    c=np.zeros(1),
)
LINE = np.linspace(-1.0, 1.0, 16)[:, None]
CURVE = np.tanh(2.0 * LINE[:, 0])


@pytest.mark.filterwarnings("ignore::deeplimit.estimators.VerdictWarning")
def test_a_number_is_the_depth() -> None:
    model = DeepLimitRegressor(depths=9, gap=10.0, starts=1).fit(LINE, CURVE)
    assert model.depth_ == 9
    assert model.network_.K.shape == (9, 1, 1)
    assert [network.depth for network in model.study_.networks] == [2, 4, 9]


@pytest.mark.filterwarnings("ignore:do the networks converge:deeplimit.estimators.VerdictWarning")
def test_auto_trains_the_depth_that_the_ladder_predicts() -> None:
    coarse = DeepLimitRegressor(gap=0.5, starts=1, alpha=1e-3).fit(LINE, CURVE)
    assert coarse.depth_ == 8
    fine = DeepLimitRegressor(gap=2e-3, starts=1, alpha=1e-3).fit(LINE, CURVE)
    depths = [network.depth for network in fine.study_.networks]
    assert depths[:3] == [8, 16, 32]
    assert fine.depth_ == depths[3] == coarse.study_.predicted_depth(2e-3)
    near, far = fine.study_.gap(fine.study_.row(fine.depth_)), fine.study_.gap(fine.study_.row(32))
    assert near is not None
    assert far is not None
    assert near < 2e-3 < far


def test_a_list_that_is_too_shallow_says_which_depth_would_do() -> None:
    with pytest.warns(VerdictWarning, match=r"no trained depth is within gap=0\.001 .* depth 4, .* about \d+ layers"):
        model = DeepLimitRegressor(depths=[2, 4], gap=1e-3, starts=1, alpha=1e-3).fit(LINE, CURVE)
    assert model.depth_ == 4


def test_a_fit_that_is_stopped_says_so() -> None:
    with (
        pytest.warns(
            ConvergenceWarning, match=r"depth 2, depth 4 and the continuum stopped at max_iterations=2 .* raise"
        ),
        pytest.warns(VerdictWarning, match="do the networks converge to their limit as depth grows"),
    ):
        model = DeepLimitRegressor(depths=[2, 4], gap=1.0, starts=1, max_iterations=2).fit(LINE, CURVE)
    assert model.converges_ is None
    assert model.verdict_ == model.study_.summary


def late(*objectives: float) -> Trained:
    """Networks of depths 2, 4, …, those that the time limit came before without an objective."""
    rows = [row(2 ** (i + 1), E, "converged" if math.isfinite(E) else "time_limit") for i, E in enumerate(objectives)]
    found = Study(tuple(rows), row(None, math.nan, "time_limit"), None, "Cannot tell.", ("All of it.",))
    return Trained(found, lambda _: NETWORK)


def test_a_depth_that_was_not_evaluated_is_not_used() -> None:
    model = DeepLimitRegressor(depths=4, wall_time_s=1)
    trained = late(1.4, math.nan)
    model._keep(trained)
    assert model.depth_ == 2
    with (
        pytest.warns(VerdictWarning, match="depth 4 cannot be used, as its fit ended as 'time_limit' .* depth 2 is"),
        pytest.warns(ConvergenceWarning, match="depth 4 and the continuum stopped at wall_time_s=1 .* raise"),
        pytest.warns(VerdictWarning, match="Cannot tell"),
    ):
        model._warn(trained.study)


def test_where_nothing_was_evaluated_the_limit_is_named() -> None:
    with pytest.raises(ValueError, match="wall_time_s=1 came before any network was evaluated: raise it"):
        DeepLimitRegressor(depths=[2, 4], wall_time_s=1)._keep(late(math.nan, math.nan))


def test_a_verdict_that_is_false_is_a_warning() -> None:
    model = DeepLimitRegressor(depths=[2, 4], gap=1.0)
    with pytest.warns(VerdictWarning, match=r"converge to their limit as depth grows\? In plain words\."):
        model._warn(study(1.4, 1.2, converges=False))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"depths": "deep"}, "depths must be 'auto'"),
        ({"depths": []}, "depths must increase"),
        ({"depths": [8, 4]}, "depths must increase"),
        ({"depths": 1}, "at least 2"),
        ({"gap": 0.0}, "gap must be a positive number"),
        ({"alpha": {"Q": 1.0}}, "alpha has weights for K, b, W, c, not for Q"),
        ({"alpha": 0.0}, "alpha.K must be a positive number"),
        ({"tau": -1.0}, "tau.K must be a positive number"),
        ({"activation": "step"}, "unknown activation"),
        ({"state_dim": 1}, "smaller than the 2 inputs"),
        ({"validation_fraction": 1.0}, "validation fraction"),
    ],
)
def test_parameters_out_of_range_are_named(parameters: dict[str, Any], message: str) -> None:
    inputs, y = make_moons(12, random_state=0)
    with pytest.raises(ValueError, match=message):
        DeepLimitClassifier(**parameters).fit(inputs, y)


def test_data_that_overflow_are_refused_with_what_helps() -> None:
    with pytest.raises(ValueError, match=r"too large to be standardised"):
        DeepLimitRegressor(depths=[2], starts=1).fit(LINE * 1e200, CURVE)


def test_one_weight_given_leaves_the_others_as_they_are() -> None:
    settings = DeepLimitClassifier(alpha={"K": 0.5}, tau=2.0)._settings()
    assert settings.alpha == {"K": 0.5, "b": 1e-2, "W": 1e-2, "c": 1e-2}
    assert settings.tau == {"K": 2.0, "b": 2.0}
