"""The smallest depth for a wanted gap, predicted and verified."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import sequences
from tests.support.small_problems import bifurcating
from worker.deeplimit import ContinuumOptions, Integrator, Problem, Regime, Scaling, TrainedStudy, Training, train
from worker.deeplimit.depth_search import train_for_error
from worker.deeplimit.diagnostics.advice.depth_advice import STANDARD, Quantity, Wanted
from worker.deeplimit.diagnostics.advice.error_law import ErrorLaw
from worker.deeplimit.study.deepen import add_depth
from worker.deeplimit.study.progress import StudyProgress

GAP = 2e-4
WANTED = Wanted(Quantity.GAP, GAP)
CONSTANT = st.floats(-3.0, 3.0, allow_subnormal=False)


def gap_of(error: float) -> Wanted:
    return Wanted(Quantity.GAP, error)


@pytest.fixture(scope="module")
def found() -> TrainedStudy:
    """Known answer C, trained for a gap of 2e-4: C₁ = 0.0265628, so about depth 133."""
    return train_for_error(sequences.odd_pair(), WANTED)


def gap_at(study: TrainedStudy, depth: int) -> float:
    """Train one more depth, and return E_n* − E_∞*."""
    continuum = study.study.verdict_branch.continuum
    assert continuum is not None
    return add_depth(study.study, depth, Training()).solution.objective - continuum.solution.objective


def test_the_advised_depth_meets_the_gap_and_a_smaller_one_does_not(found: TrainedStudy) -> None:
    advice = found.diagnostics.depth_advice[0]
    assert (advice.gap, advice.wanted_prediction_error) == (GAP, None)
    assert advice.depth == pytest.approx(0.0265628 / GAP, rel=0.02)
    assert advice.basis == "continuum, discrete-32"
    assert advice.depth is not None
    assert advice.check is not None
    assert advice.check.depth == advice.depth
    assert advice.check.met
    assert advice.check.gap == pytest.approx(gap_at(found, advice.depth), rel=1e-9)
    assert gap_at(found, advice.depth) <= GAP
    assert gap_at(found, round(0.97 * advice.depth)) > GAP


def test_the_check_is_a_model_of_the_study(found: TrainedStudy) -> None:
    check = found.diagnostics.depth_advice[0].check
    assert check is not None
    assert check.depth in found.study.verdict_branch.points
    table = found.diagnostics.minima
    assert table is not None
    assert [row.depth for row in table.depths][:3] == [8, 16, 32]
    assert table.depths[-1].depth == check.depth
    assert table.depths[-1].order == pytest.approx(1.0, abs=0.02)


def test_predictions_at_the_advised_depth_are_as_near_as_was_said(found: TrainedStudy) -> None:
    advice, rows = found.diagnostics.depth_advice[0], found.diagnostics.predictions
    assert rows is not None
    assert rows[-1].depth == advice.depth
    assert advice.prediction_error == pytest.approx(rows[-1].sup_error, rel=1e-6)
    assert advice.check is not None
    assert advice.check.prediction_error == rows[-1].sup_error


def test_prediction_errors_are_predicted_before_they_are_measured() -> None:
    coarse = train(sequences.odd_pair(), depths=(8, 16))
    deep = train(sequences.odd_pair(), depths=(8, coarse.diagnostics.depth_advice[1].depth or 0))
    assert deep.diagnostics.predictions is not None
    expected = coarse.diagnostics.depth_advice[1].prediction_error
    assert expected == pytest.approx(deep.diagnostics.predictions[-1].sup_error, rel=0.05)


def test_every_study_advises_for_standard_gaps(found: TrainedStudy) -> None:
    table = found.diagnostics.minima
    assert table is not None
    assert table.continuum is not None
    rows = found.diagnostics.depth_advice[1:]
    assert [row.relative for row in rows] == list(STANDARD)
    assert [row.gap for row in rows] == [relative * table.continuum for relative in STANDARD]
    assert all(row.check is None for row in rows)
    depths = [row.depth for row in rows]
    assert depths == [19, 182, 1817]


def test_without_a_continuum_depths_predict_alone() -> None:
    alone = train_for_error(sequences.odd_pair(), WANTED, continuum=None).diagnostics.depth_advice[0]
    assert alone.basis == "discrete-16, discrete-32"
    assert alone.depth == pytest.approx(133, abs=1)
    assert alone.prediction_error is None
    assert alone.check is not None
    assert alone.check.met
    assert alone.check.gap == pytest.approx(GAP, rel=0.01)


def test_a_limit_on_depth_is_a_reason() -> None:
    capped = train_for_error(sequences.odd_pair(), WANTED, most_depth=64).diagnostics.depth_advice[0]
    assert capped.depth == 133
    assert capped.check is not None
    assert capped.check.depth == 64
    assert capped.check.met is False
    assert capped.check.detail == "depth 133 is over the limit of 64"


def test_a_gap_that_is_not_resolved_is_neither_met_nor_missed() -> None:
    """A continuum known to 8e-6 only, by piecewise-linear functions; the Legendre one of the tests above knows more."""
    coarse = ContinuumOptions(basis="piecewise_linear", tolerance=0.5)
    checks = {}
    for wanted in (6e-5, 2e-5):
        found = train_for_error(sequences.odd_pair(), gap_of(wanted), continuum=coarse, most_depth=384)
        checks[wanted] = found.diagnostics.depth_advice[0].check
    near, far = checks[6e-5], checks[2e-5]
    assert near is not None
    assert near.met is None
    assert near.detail is not None
    assert "larger than its distance from the wanted one" in near.detail
    # The gap at 384 layers is 6.9e-5: what is known of it suffices to miss 2e-5.
    assert far is not None
    assert far.met is False


def test_a_gap_of_nothing_is_met() -> None:
    """Below its threshold the null solution is the minimiser at every depth: there is no gap, and no digit of one."""
    check = train_for_error(bifurcating(0.1), gap_of(1e-2)).diagnostics.depth_advice[0].check
    assert check is not None
    assert check.met is True


def test_nothing_is_advised_where_there_is_no_limit() -> None:
    problem = sequences.odd_pair(Scaling.UNSCALED)
    advice = train_for_error(problem, gap_of(1e-3), continuum=None).diagnostics.depth_advice
    assert len(advice) == 1
    assert advice[0].depth is None
    assert advice[0].check is not None
    assert advice[0].check.detail == "no trained model predicts the gap"


def test_another_order_has_another_law() -> None:
    """Midpoint layers: the gap falls like n⁻²."""
    known = sequences.odd_pair()
    problem = Problem(
        [[1.0], [-1.0]],
        [[2.0], [-2.0]],
        regularisation=known.regularisation,
        regime=Regime(integrator=Integrator.MIDPOINT),
    )
    advice = train_for_error(problem, gap_of(1e-6), ladder=(8, 16, 32)).diagnostics.depth_advice[0]
    assert advice.depth is not None
    assert advice.check is not None
    assert advice.check.met
    # Forward Euler's depth would be C₁/ε.
    assert advice.depth < 0.0265628 / 1e-6 / 10.0


def test_progress_never_falls() -> None:
    seen: list[float] = []

    def observe(at: StudyProgress) -> None:
        seen.append(at.fraction)

    train_for_error(sequences.odd_pair(), WANTED, observer=observe)
    assert seen == sorted(seen)
    assert 0.0 < seen[0] < 0.5 < seen[-1] <= 1.0


def test_deepening_twice_trains_once(found: TrainedStudy) -> None:
    point = add_depth(found.study, 16, Training())
    assert point is found.study.verdict_branch.points[16]


@given(CONSTANT, CONSTANT, st.floats(1e-6, 1.0), st.sampled_from([1.0, 2.0]))
@settings(deadline=None)
def test_the_depth_is_the_smallest_from_which_on_the_error_stays(
    first: float, second: float, wanted: float, order: float
) -> None:
    law = ErrorLaw(order, first, second, "")
    depth = law.depth_for(wanted)
    assert depth is not None
    beyond = [*range(depth, depth + 50), 2 * depth, 10 * depth, 1000 * depth]
    assert all(abs(law.at(n)) <= wanted * (1.0 + 1e-12) for n in beyond)
    if depth > 2:
        before = [*range(depth - 1, depth + 50), *(round(depth * 1.1**k) for k in range(60))]
        assert max(abs(law.at(n)) for n in before) > wanted * (1.0 - 2.0 / depth)


def test_an_error_that_vanishes_somewhere_is_not_met_there() -> None:
    """1/n − 10/n² is 0 at n = 10 and 0.025 at n = 20: a search that stops at the first depth would say 10."""
    law = ErrorLaw(1.0, 1.0, -10.0, "")
    assert law.at(10) == 0.0
    assert law.depth_for(0.02) == 37
    assert ErrorLaw(1.0, 1.0, 0.0, "").depth_for(0.02) == 50


def test_an_uncertainty_is_taken_off_where_it_is_small() -> None:
    assert ErrorLaw(1.0, 1.0, 0.0, "", uncertainty=1e-3).depth_for(0.02) == 55  # 1 / 0.0185
    assert ErrorLaw(1.0, 1.0, 0.0, "", uncertainty=3e-3).depth_for(0.02) == 50


@pytest.mark.parametrize("gap", [0.0, -1.0, float("nan")])
def test_an_error_that_cannot_be_is_refused(gap: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        gap_of(gap)
    with pytest.raises(ValueError, match="positive"):
        ErrorLaw(1.0, 1.0, 0.0, "").depth_for(gap)
