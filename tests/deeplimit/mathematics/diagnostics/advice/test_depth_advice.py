"""The smallest depth for a wanted gap, predicted and verified."""

import pytest

from deeplimit.mathematics import ContinuumOptions, Integrator, Problem, Regime, Scaling, TrainedStudy, Training, train
from deeplimit.mathematics.depth_search import train_for_error
from deeplimit.mathematics.diagnostics.advice.depth_advice import STANDARD
from deeplimit.mathematics.diagnostics.advice.wanted import Quantity, Wanted
from deeplimit.mathematics.study.deepen import add_depth
from deeplimit.mathematics.study.progress import StudyProgress
from tests.support import sequences
from tests.support.small_problems import bifurcating

GAP = 2e-4
WANTED = Wanted(Quantity.GAP, GAP)


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
    assert advice.depth_interval == (133, 133)
    assert advice.basis == "discrete-133, as trained"
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
    assert [row.depth for row in rows] == [19, 182, 1817]
    assert all(row.depth_interval is not None for row in rows)


def test_without_a_continuum_depths_predict_alone() -> None:
    alone = train_for_error(sequences.odd_pair(), WANTED, continuum=None).diagnostics.depth_advice[0]
    assert alone.basis == "discrete-133, as trained"
    assert alone.depth == 133
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
    checks, as_coarse = {}, Training(sharpen=False)
    for wanted in (6e-5, 2e-5):
        found = train_for_error(sequences.odd_pair(), gap_of(wanted), (8, 16, 32), coarse, as_coarse, most_depth=384)
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
    advice = train_for_error(bifurcating(0.1), gap_of(1e-2)).diagnostics.depth_advice[0]
    assert (advice.depth, advice.depth_interval, advice.basis) == (2, (2, 2), "discrete-2, as trained")
    assert advice.check is not None
    assert advice.check.met is True


def test_nothing_is_advised_where_there_is_no_limit() -> None:
    problem = sequences.odd_pair(Scaling.UNSCALED)
    advice = train_for_error(problem, gap_of(1e-3), continuum=None).diagnostics.depth_advice
    assert len(advice) == 1
    assert advice[0].depth is None
    assert advice[0].check is not None
    assert advice[0].check.detail == "no trained model predicts the gap: it has no limit that is known to be approached"
    assert advice[0].withheld == {"depth": advice[0].check.detail}


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


@pytest.mark.parametrize("gap", [0.0, -1.0, float("nan")])
def test_an_error_that_cannot_be_is_refused(gap: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        gap_of(gap)


def test_a_coarse_depth_that_is_enough_is_looked_below() -> None:
    """Known answer C at depth 8 is 3.3e-3 from its limit: coarser networks are trained, no law is read backwards."""
    advice = train_for_error(sequences.odd_pair(), gap_of(5e-3)).diagnostics.depth_advice[0]
    assert advice.depth is not None
    assert 2 < advice.depth < 8
    assert advice.basis == f"discrete-{advice.depth}, as trained"
    assert advice.check is not None
    assert advice.check.met is True
    plain = train(sequences.odd_pair(), depths=(8, 16, 32))
    assert gap_at(plain, advice.depth) <= 5e-3 < gap_at(plain, advice.depth - 1)
    # A study that trains nothing coarser says no more than it measured.
    relative = plain.diagnostics.depth_advice[0]
    assert relative.depth == 19  # 1e-2 of the limit is less than what depth 8 has
    coarse = train(sequences.odd_pair(), depths=(32, 64)).diagnostics.depth_advice[0]
    assert (coarse.depth, coarse.depth_interval, coarse.basis) == (32, (2, 32), "discrete-32, as trained")


def test_gaps_that_are_not_resolved_tell_no_law() -> None:
    """C₁ alone is no evidence: with a continuum known to 1e-2 no gap at 64 layers is told from noise."""
    loose = ContinuumOptions(basis="piecewise_linear", tolerance=0.5)
    study = train(sequences.odd_pair(), depths=(512, 1024), continuum=loose, training=Training(sharpen=False))
    table = study.diagnostics.minima
    assert table is not None
    assert table.predicted_slope is not None
    assert [row.gap for row in table.depths] == [None, None]
    finest = study.diagnostics.depth_advice[-1]
    assert finest.depth is None
    assert "is not small beside the gap" in finest.withheld["depth"]


def test_a_trained_depth_that_misses_is_never_advised(found: TrainedStudy) -> None:
    study = train(sequences.odd_pair(), depths=(8, 16, 18, 32))
    table = study.diagnostics.minima
    assert table is not None
    assert table.continuum is not None
    advice = study.diagnostics.depth_advice[0]
    assert advice.depth is not None
    missed = [row.depth for row in table.depths if row.objective - table.continuum > (advice.gap or 0.0)]
    assert missed == [8, 16, 18]
    assert advice.depth == 19
    assert found.diagnostics.depth_advice[1].depth == 19


def test_a_depth_that_its_own_error_leaves_open_is_confirmed_by_a_deeper_one(found: TrainedStudy) -> None:
    """The gap of 44 layers itself: beside a continuum that is hardly known they neither meet nor miss it."""
    coarse, wanted = ContinuumOptions(basis="piecewise_linear", tolerance=0.5), gap_at(found, 44)
    advice = train_for_error(sequences.odd_pair(), gap_of(wanted), continuum=coarse).diagnostics.depth_advice[0]
    assert (advice.depth, advice.depth_interval, advice.basis) == (45, (44, 45), "discrete-45, as trained")
    assert advice.check is not None
    assert (advice.check.depth, advice.check.met) == (45, True)


def test_a_time_limit_ends_the_search() -> None:
    training = Training(wall_time_s=1e-9)
    advice = train_for_error(sequences.odd_pair(), WANTED, training=training).diagnostics.depth_advice[0]
    assert advice.depth is None
    assert "time_limit" in advice.withheld["depth"]
