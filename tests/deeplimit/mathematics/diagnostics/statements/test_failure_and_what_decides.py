"""False needs evidence of failure; what is undecided says what to change, and changing it decides."""

from __future__ import annotations

import re
from functools import cache

import pytest

from deeplimit.mathematics import ContinuumOptions, Problem, Regularisation, TrainedStudy, Training, train
from tests.support.small_problems import bifurcating, critical, odd_pair

SHARP = Training(1e-9, starts=1)


def said(trained: TrainedStudy, words: str) -> str:
    (sentence,) = [line for line in trained.diagnostics.verdict.statements if words in line]
    return sentence


def slow_start() -> Problem:
    """The gap's second term in 1/n is as large as its first up to depth 16 (C₁ = 0.00622)."""
    return Problem(
        [[1.0]],
        [[1.9]],
        activation="identity",
        regularisation=Regularisation(dict.fromkeys("KbWc", 0.1)),
        fixed={"K": [[-1.0]], "W": [[1.0]], "c": [0.0]},
    )


@cache
def slow(*depths: int) -> TrainedStudy:
    return train(slow_start(), depths, ContinuumOptions(), SHARP)


def test_before_the_asymptotic_range_nothing_is_false() -> None:
    found = slow(8, 16).diagnostics
    assert found.minima is not None
    assert [row.gap for row in found.minima.depths] == pytest.approx([2.845e-4, 2.688e-4], rel=1e-3)
    assert found.minima.depths[-1].order == pytest.approx(0.082, abs=1e-3)
    assert found.verdict.converges is None


def test_the_depths_that_are_advised_decide() -> None:
    advised = [int(n) for n in re.findall(r"\d+", said(slow(8, 16), "To decide").split("discrete.depths")[0])]
    assert slow(8, 16, *advised).diagnostics.verdict.converges is True


@cache
def unequal(*depths: int) -> TrainedStudy:
    return train(odd_pair("identity"), depths, None, SHARP)


def test_nearly_equal_depths_give_no_order_of_minimisers() -> None:
    found = unequal(8, 9, 64).diagnostics
    assert found.verdict.converges is None
    assert found.consecutive[-1].order["total"] is None
    assert "where their cells begin" in found.consecutive[-1].withheld["order"]
    assert "discrete.depths that double" in said(unequal(8, 9, 64), "To decide")


def test_the_last_pair_that_can_be_compared_gives_the_order() -> None:
    found = unequal(8, 16, 32, 33).diagnostics
    order = found.consecutive[1].order["total"]
    assert order == pytest.approx(0.978, abs=0.005)
    assert found.consecutive[2].order["total"] is None
    assert said(unequal(8, 16, 32, 33), f"order of the minimisers (TL²) is {order:.3f}").startswith(
        "From depth 8 to 32"
    )
    assert found.verdict.converges is True


@pytest.mark.parametrize("depths", [(8, 16, 32), (8, 12, 18, 27), (8, 24, 72)])
def test_ladders_of_one_ratio_have_order_one(depths: tuple[int, ...]) -> None:
    """The control."""
    assert unequal(*depths).diagnostics.consecutive[-1].order["total"] == pytest.approx(1.0, abs=0.06)


def test_networks_that_do_nothing_are_named() -> None:
    null = train(bifurcating(0.6 * critical(None)), (8, 16), training=Training(starts=1))
    assert null.diagnostics.verdict.converges is None
    assert "every network is the identity network" in null.diagnostics.verdict.statements[0]
    assert "objective.alpha" in said(null, "To decide")
    doing = train(odd_pair("tanh"), (8, 16), training=SHARP)
    assert "identity" not in doing.diagnostics.verdict.statements[0]


def test_errors_that_hide_the_orders_are_made_smaller() -> None:
    left, sharpened = (
        train(odd_pair("tanh"), (64, 128), training=Training(1e-3, starts=1, sharpen=sharpen))
        for sharpen in (False, True)
    )
    assert left.diagnostics.verdict.converges is None
    tolerance = float(re.findall(r"gradient_tolerance to (\S+)", said(left, "To decide"))[0])
    assert tolerance < 1e-3
    assert sharpened.diagnostics.verdict.converges is True
    coarse, fine = (study.study.verdict_branch.points[128].solution for study in (left, sharpened))
    assert fine.gradient_norm < 0.1 * coarse.gradient_norm
    assert fine.iterations + fine.hessian_products > coarse.iterations
    asked = train(odd_pair("tanh"), (64, 128), training=Training(tolerance, starts=1, sharpen=False))
    assert asked.diagnostics.verdict.converges is not False


def test_a_minimisation_that_was_cut_off_names_its_limit() -> None:
    cut = train(odd_pair("tanh"), (8, 16), training=Training(max_iterations=2, starts=1))
    assert "training.max_iterations" in said(cut, "To decide")


def overshooting(K: float, *depths: int) -> TrainedStudy:
    """X' = K X + b: a layer of length h overshoots where h|K| > 2, and E_n stays on a plateau."""
    alpha = Regularisation(dict.fromkeys("KbWc", 0.01))
    problem = Problem([[1.0]], [[1.0]], activation="identity", regularisation=alpha, fixed={"K": [[K]], "c": [0.0]})
    return train(problem, depths, training=Training(starts=1))


def test_layers_that_overshoot_are_no_evidence() -> None:
    plateau = overshooting(-20.0, 2, 4, 8).diagnostics
    assert plateau.minimisers is not None
    distances = [row.tl2.total for row in plateau.minimisers]
    assert max(distances) < 1.02 * min(distances)
    assert plateau.verdict.converges is None
    assert overshooting(-20.0, 64, 128, 256).diagnostics.verdict.converges is True


def test_errors_that_fall_faster_have_no_depth_to_wait_for() -> None:
    problem = slow_start()
    vanishing = Problem(
        [[1.0]],
        [[2.0219093793197694]],
        activation="identity",
        regularisation=problem.regularisation,
        fixed={"K": [[-1.0]], "W": [[1.0]], "c": [0.0]},
    )
    found = train(vanishing, (8, 16, 32, 64), training=SHARP)
    assert found.diagnostics.minima is not None
    assert found.diagnostics.minima.depths[-1].order == pytest.approx(2.0, abs=0.05)
    assert "faster than is expected" in said(found, "Nothing in the specification would decide")
