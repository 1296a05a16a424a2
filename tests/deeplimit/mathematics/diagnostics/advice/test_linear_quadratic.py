"""Depths for wanted errors of problems with a closed form at every depth."""

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.linear_quadratic import LinearQuadratic
from deeplimit.mathematics import Integrator, TrainedStudy, train
from deeplimit.mathematics.depth_search import train_for_error
from deeplimit.mathematics.diagnostics.advice.depth_advice import advise
from deeplimit.mathematics.diagnostics.advice.measured_errors import measured_gaps, measured_predictions
from deeplimit.mathematics.diagnostics.advice.wanted import Quantity, Wanted
from deeplimit.mathematics.trained_study import subject_of

LADDER = (8, 16, 32)
FAMILY = [
    LinearQuadratic(-1.0, y=1.9),
    LinearQuadratic(0.7),
    LinearQuadratic(-2.0, y=0.5, alpha=0.02),
    LinearQuadratic(0.5, integrator=Integrator.MIDPOINT),
    LinearQuadratic(-1.0, y=1.0, alpha=0.05, integrator=Integrator.RK4),
    LinearQuadratic(0.8, tau=0.5, integrator=Integrator.IMPLICIT_EULER),
    LinearQuadratic(0.0, y=1.002),
]
SHARES = (2.5, 0.4, 0.1, 0.03)
"""Of the error at 16 layers."""


def error(problem: LinearQuadratic, quantity: Quantity, depth: int) -> float:
    return abs(problem.gap(depth) if quantity is Quantity.GAP else problem.deviation(depth))


def smallest(problem: LinearQuadratic, wanted: Wanted) -> int:
    """The smallest depth from which on the wanted error is met, by the closed form at every depth."""
    missed = np.flatnonzero(every_error(problem, wanted.quantity) > wanted.error)
    return int(missed[-1]) + 3 if len(missed) else 2


@cache
def every_error(problem: LinearQuadratic, quantity: Quantity) -> npt.NDArray[np.float64]:
    return np.array([error(problem, quantity, n) for n in range(2, 6000)])


@cache
def trained(problem: LinearQuadratic) -> TrainedStudy:
    return train(problem.problem(), LADDER)


@pytest.mark.parametrize("quantity", Quantity)
@pytest.mark.parametrize("problem", FAMILY, ids=repr)
def test_the_smallest_depth_is_within_the_interval(problem: LinearQuadratic, quantity: Quantity) -> None:
    study = trained(problem)
    subject = replace(subject_of(study.study, None, None), certificates=study.diagnostics.certificates)
    predictions = measured_predictions(subject, study.diagnostics.predictions)
    measured = measured_gaps(subject, study.diagnostics.minima) if quantity is Quantity.GAP else predictions
    for share in SHARES:
        wanted = Wanted(quantity, share * error(problem, quantity, 16))
        advice, true = advise(wanted, measured, predictions), smallest(problem, wanted)
        assert advice.depth_interval is not None
        low, high = advice.depth_interval
        assert low <= true <= high
        if advice.depth is not None:
            told_by_training = low == 2 and advice.depth == LADDER[0]
            assert told_by_training or abs(advice.depth - true) <= 1
            assert advice.depth not in [n for n in LADDER if error(problem, quantity, n) > wanted.error]
        else:
            assert advice.withheld["depth"]


@pytest.mark.parametrize(
    ("problem", "quantity", "share"),
    [
        (FAMILY[0], Quantity.GAP, 0.02),
        (FAMILY[1], Quantity.GAP, 0.3),
        (FAMILY[4], Quantity.PREDICTION_ERROR, 30.0),
        (FAMILY[6], Quantity.GAP, 5.0),
    ],
)
def test_a_search_finds_the_smallest_depth(problem: LinearQuadratic, quantity: Quantity, share: float) -> None:
    """Beyond a ladder before its asymptotic range, behind a gap that changes its sign, and below the ladder."""
    wanted = Wanted(quantity, share * error(problem, quantity, 16))
    advice = train_for_error(problem.problem(), wanted, LADDER).diagnostics.depth_advice[0]
    assert advice.depth == smallest(problem, wanted)
    assert advice.check is not None
    assert (advice.check.depth, advice.check.met) == (advice.depth, True)


def test_the_closed_form_is_what_networks_tend_to() -> None:
    for problem in FAMILY:
        for apart in (problem.gap, problem.deviation):
            coarse, fine = (abs(apart(n)) for n in (2048, 4096))
            assert fine == pytest.approx(coarse / (2.0 if "EULER" in problem.integrator.name else 4.0), rel=0.02)
    assert np.isclose(LinearQuadratic(0.0).limit, 0.1 / (1.0 + 1.0 / 3.0 + 0.1))
