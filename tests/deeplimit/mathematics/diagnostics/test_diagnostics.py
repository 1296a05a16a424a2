"""Distances computed by hand, what is withheld, and when the verdict is yes, no or undecided."""

import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from deeplimit.mathematics import ContinuumOptions, Problem, Regularisation, TrainedStudy, Training, train
from deeplimit.mathematics.diagnostics.measure.minimisers import (
    Distance,
    TwoLayerDistance,
    h1_seminorm,
    tl2_between,
    tl2_distance,
)
from deeplimit.mathematics.diagnostics.report import Diagnostics, diagnose
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters
from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.model.transfer import lift, recover
from deeplimit.mathematics.study.sweep import Study, run_study
from tests.support import known_answers


def steps(values: list[float], b: float = 0.0, W: float = 0.0, c: float = 0.0) -> DiscreteParameters:
    """Scalar layers K_i = values, the rest constant."""
    K = torch.tensor(values, dtype=torch.float64)
    one = torch.ones(1, 1, dtype=torch.float64)
    return DiscreteParameters(K[:, None, None], b * torch.ones_like(K)[:, None], W * one, c * one[0])


def ramp() -> ContinuumParameters:
    """K(t) = t: its slope is the first orthonormal polynomial."""
    K = torch.tensor([0.0, 1.0], dtype=torch.float64)[:, None, None]
    one = torch.ones(1, 1, dtype=torch.float64)
    return ContinuumParameters(LegendreIncrements(1), K, torch.zeros_like(K)[:, 0], one, one[0])


def overlap(i: int, n: int, j: int, m: int) -> Fraction:
    """Length of [i/n, (i+1)/n) ∩ [j/m, (j+1)/m)."""
    return max(Fraction(0), min(Fraction(i + 1, n), Fraction(j + 1, m)) - max(Fraction(i, n), Fraction(j, m)))


def test_step_functions_of_depths_three_and_five_by_hand() -> None:
    # Cut at 1/5, 1/3, 2/5, 3/5, 2/3, 4/5: differences 1, 0, 1, 2, 1, 2, 1.
    left, right = steps([1.0, 3.0, 5.0]), steps([0.0, 1.0, 2.0, 3.0, 4.0])
    by_pieces = [(1, 1 / 5), (0, 2 / 15), (2, 1 / 15), (1, 1 / 5), (0, 1 / 15), (2, 2 / 15), (1, 1 / 5)]
    expected = math.sqrt(sum(difference**2 * length for difference, length in by_pieces))
    assert layers(tl2_between(left, right)) == pytest.approx(expected, rel=1e-13)


@given(
    left=st.lists(st.integers(-5, 5), min_size=2, max_size=9),
    right=st.lists(st.integers(-5, 5), min_size=2, max_size=9),
)
def test_distances_of_step_functions_are_exact(left: list[int], right: list[int]) -> None:
    n, m = len(left), len(right)
    square = sum((a - b) ** 2 * overlap(i, n, j, m) for i, a in enumerate(left) for j, b in enumerate(right))
    found = tl2_between(steps([*map(float, left)], b=1.0, W=3.0, c=2.0), steps([*map(float, right)], b=4.0))
    assert layers(found) == pytest.approx(math.sqrt(square), rel=1e-12, abs=1e-12)
    assert (found.b, found.W, found.c) == pytest.approx((3.0, 3.0, 2.0), rel=1e-13)
    assert found.total == pytest.approx(math.sqrt(square + 9 + 9 + 4), rel=1e-12)


@pytest.mark.parametrize("n", [2, 7, 10, 64])
def test_a_ramp_and_its_step_function(n: int) -> None:
    """F: 1/(√3 n); and the lift misses the slope 1 on the last cell only."""
    sampled = recover(ramp(), n)
    found = tl2_distance(sampled, ramp())
    assert layers(found) == pytest.approx(1.0 / (math.sqrt(3.0) * n), rel=1e-12)
    assert (found.b, found.W, found.c) == (0.0, 0.0, 0.0)
    assert h1_seminorm(sampled, ramp())["K"] == pytest.approx(1.0 / math.sqrt(n), rel=1e-12)
    # Against a piecewise-linear limit whose cells are not the layers'.
    lifted = lift(recover(ramp(), 3))
    t = torch.tensor([0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0], dtype=torch.float64)
    assert lifted.sample(t)[0].flatten().tolist() == pytest.approx([0.0, 1.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0])


def test_distances_of_two_layer_blocks_have_v_apart() -> None:
    """d = 1, w = 2: rows 0 and 1 of an array are K's, 2 and 3 those of Vᵀ. Steps of K by (1, 2), of V by (4, 0)."""
    start = torch.tensor([5.0, 6.0, 7.0, 8.0], dtype=torch.float64)[:, None]
    step = torch.tensor([1.0, 2.0, 4.0, 0.0], dtype=torch.float64)[:, None]
    b, one = torch.zeros(2, 2, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    blocks = DiscreteParameters(torch.stack([start, start + step]), b, one, one[0])
    whole = DiscreteParameters(torch.stack([start, start]), b, one, one[0])
    expected = {"K": math.sqrt(5.0 / 2.0), "V": math.sqrt(16.0 / 2.0)}
    limit = lift(whole)
    for found in (tl2_between(blocks, whole), tl2_distance(blocks, limit)):
        assert isinstance(found, TwoLayerDistance)
        parts = {name: getattr(found, name) for name in expected}
        assert parts == pytest.approx(expected, rel=1e-12)
        assert found.total == pytest.approx(math.sqrt(21.0 / 2.0), rel=1e-12)
        assert found.layered == found.total
    # the lift rises over the first of two cells, with the slope 2
    seminorm = h1_seminorm(blocks, limit)
    assert seminorm == pytest.approx({"K": math.sqrt(10.0), "V": math.sqrt(32.0), "b": 0.0}, rel=1e-12)
    single = tl2_between(steps([1.0, 2.0]), steps([0.0, 0.0]))
    assert not hasattr(single, "V")
    assert set(h1_seminorm(steps([1.0, 2.0]), ramp())) == {"K", "b"}


def layers(found: Distance) -> float:
    """The distance of the K."""
    return found.K


def quadrature(function: Tensor) -> float:
    return float(function.mean())


def test_a_limit_with_kinks_between_the_layers() -> None:
    sampled, limit = recover(ramp(), 7), lift(recover(ramp(), 3))
    t = (torch.arange(210_000, dtype=torch.float64) + 0.5) / 210_000
    difference = sampled.K.flatten()[(t * 7).long()] - limit.sample(t)[0].flatten()
    # The midpoint rule on cells that every kink ends: exact but for h²/12 times the squared slope.
    assert layers(tl2_distance(sampled, limit)) == pytest.approx(math.sqrt(quadrature(difference**2)), rel=1e-9)
    slopes = lift(sampled).derivative(t)[0].flatten() - limit.derivative(t)[0].flatten()
    assert h1_seminorm(sampled, limit)["K"] == pytest.approx(math.sqrt(quadrature(slopes**2)), rel=1e-9)


def diagnosed(study: Study) -> Diagnostics:
    return diagnose(Subject(study, study.problem.x, "train"))


def test_a_study_that_converges(tanh: TrainedStudy) -> None:
    found = tanh.diagnostics
    assert found.verdict.converges is True
    assert found.verdict.statements[0].startswith("The lowest minima found, and their minimisers, converge")
    assert any("0.0265628 agrees with" in statement for statement in found.verdict.statements)
    assert found.minima is not None
    assert found.minima.depths[0].order is None
    assert not any(row.withheld for row in found.minima.depths)
    assert not found.minima.withheld


def test_one_depth_decides_nothing() -> None:
    found = train(known_answers.odd_pair("tanh"), (16,)).diagnostics
    assert found.verdict.converges is None
    assert found.consecutive == []
    assert found.minima is not None
    assert found.minima.richardson is None
    assert "two depths" in found.minima.withheld["richardson"]
    # One trained depth predicts the slope and so the gap all the same.
    assert found.minima.depths[0].predicted_slope == pytest.approx(known_answers.C.slope, rel=0.01)
    assert found.minima.depths[0].slope == pytest.approx(known_answers.C.slope, rel=0.01)


def test_without_a_continuum_orders_take_three_depths() -> None:
    found = train(known_answers.odd_pair("tanh"), (8, 16, 32, 64), None, Training(1e-10)).diagnostics
    assert found.minima is not None
    rows = found.minima.depths
    assert [row.order is None for row in rows] == [True, True, False, False]
    assert "three depths" in rows[1].withheld["order"]
    assert rows[3].order == pytest.approx(1.0, abs=0.01)
    assert (rows[3].gap, rows[3].slope, found.minima.continuum, found.minima.predicted_slope) == (None,) * 4
    assert rows[3].predicted_slope == pytest.approx(known_answers.C.slope, rel=0.01)
    assert found.minima.richardson == pytest.approx(known_answers.C.limit, abs=1e-5)
    assert (found.minimisers, found.states, found.predictions, found.lift, found.recovery) == (None,) * 5
    assert [row.depths for row in found.consecutive] == [(8, 16), (16, 32), (32, 64)]
    assert found.consecutive[-1].order["total"] == pytest.approx(1.0, abs=0.05)
    assert found.verdict.converges is True


def test_the_continuum_alone() -> None:
    trained = train(known_answers.odd_pair("tanh"), (), ContinuumOptions(tolerance=1e-8))
    assert trained.diagnostics.minima is None
    assert trained.diagnostics.consecutive == []
    assert trained.diagnostics.verdict.converges is None
    fit = trained.study.verdict_branch.continuum
    assert fit is not None
    assert fit.solution.objective == pytest.approx(known_answers.C.limit, rel=2e-8)
    assert sum(branch.starts for branch in trained.study.branches) == 4


def test_what_was_not_trained_is_withheld_with_its_reason() -> None:
    found = train(known_answers.odd_pair("tanh"), (8, 16), training=Training(max_iterations=2)).diagnostics
    assert found.verdict.converges is None
    assert found.minima is not None
    assert found.minima.predicted_slope is None
    assert "max_iterations" in found.minima.withheld["predicted_slope"]
    assert "max_iterations" in found.minima.withheld["richardson"]
    row = found.minima.depths[1]
    assert (row.gap, row.slope, row.order, row.predicted_slope) == (None,) * 4
    for name in ("gap", "slope", "order", "predicted_slope"):
        assert "ended as max_iterations" in row.withheld[name]
    assert found.minimisers is not None
    assert found.minimisers[1].order["total"] is None
    assert "max_iterations" in found.minimisers[1].withheld["order"]


def test_a_loose_tolerance_withholds_what_it_does_not_resolve() -> None:
    """The gap at depth 256 is 1e-4; a gradient of 3e-3 leaves E unknown by about 4e-5."""
    found = train(known_answers.odd_pair("tanh"), (128, 256), training=Training(3e-3, sharpen=False)).diagnostics
    assert found.minima is not None
    assert found.minima.depths[1].order is None
    assert "not small beside" in found.minima.depths[1].withheld["order"]
    assert found.verdict.converges is not True


def other_problem(_depth: int) -> Problem:
    return known_answers.odd_pair("identity")


def unscaled_regulariser(depth: int) -> Problem:
    """Σ ‖A_i − A_{i−1}‖² times a constant, without the factor n that keeps a limit."""
    alpha = known_answers.ALPHA_BC | dict.fromkeys("Kb", 0.05 * 8.0 / depth)
    return Problem([[1.0], [-1.0]], [[2.0], [-2.0]], activation="tanh", regularisation=Regularisation(alpha))


@pytest.mark.parametrize("wrong", [other_problem, unscaled_regulariser])
def test_networks_that_do_not_tend_to_the_continuum(wrong: Callable[[int], Problem]) -> None:
    """Negative controls: networks that were trained on something else."""
    study = run_study(known_answers.odd_pair("tanh"), (8, 16, 32, 64), ContinuumOptions(), Training(1e-9))
    assert diagnosed(study).verdict.converges is True
    points = {n: run_study(wrong(n), (n,), None, Training(1e-9)).verdict_branch.points[n] for n in study.depths}
    study.branches[study.verdict] = dataclasses.replace(study.verdict_branch, points=points)
    found = diagnosed(study)
    assert found.verdict.converges is False
    assert found.verdict.statements[0].startswith("The study speaks against convergence: ")
    assert found.minimisers is not None
    order = found.minimisers[-1].order["total"]
    assert order is not None
    assert order < 0.5


def test_the_sigmoid_runs_and_the_verdict_says_which_assumption_fails() -> None:
    found = train(known_answers.odd_pair("sigmoid"), (8, 16)).diagnostics
    assert [a.name for a in found.assumptions if not a.holds] == ["sigma_vanishes_at_zero"]
    assert any("σ(0) ≠ 0" in statement for statement in found.verdict.statements)


def test_predictions_are_compared_on_validation_data_in_the_users_units() -> None:
    problem = known_answers.odd_pair("tanh")
    arguments = {"depths": (8, 16), "training": Training(1e-9)}
    plain = train(problem, **arguments)  # type: ignore[arg-type]  # shared keywords
    scaled = train(problem, validation_inputs=[[1.0], [0.5]], prediction_scale=[10.0], **arguments)  # type: ignore[arg-type]  # as above
    assert (plain.diagnostics.data, scaled.diagnostics.data) == ("train", "validation")
    assert plain.diagnostics.predictions is not None
    assert scaled.diagnostics.predictions is not None
    for one, ten in zip(plain.diagnostics.predictions, scaled.diagnostics.predictions, strict=True):
        assert ten.sup_error >= 9.99 * one.sup_error
