"""The sentence and the depth for every outcome, and what to change."""

from dataclasses import replace
from functools import cache

import pytest

from deeplimit.mathematics import Block, Integrator, Problem, Regime, TrainedStudy, Training, train
from deeplimit.mathematics.depth_search import train_for_error
from deeplimit.mathematics.diagnostics.advice.wanted import Quantity, Wanted
from deeplimit.mathematics.diagnostics.measure.performance import Performance, PerformanceRow
from deeplimit.mathematics.diagnostics.statements.answer import Confidence
from deeplimit.mathematics.diagnostics.statements.failure import Objection
from deeplimit.mathematics.diagnostics.statements.finding import Finding
from deeplimit.mathematics.diagnostics.statements.summary import Outcome, failed, summarise
from deeplimit.mathematics.diagnostics.statements.verdict import Verdict, reach_verdict
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.minimise import Status
from tests.support.small_problems import odd_pair
from tests.support.studies.verdicts import OUTCOMES, converging, ended, verdict

UNDECIDED = {
    "iteration limits": (
        "depth 8 and depth 16 stopped at their limit of 200 iterations",
        "Raise training.max_iterations above 200, or raise objective.alpha.",
    ),
    "time limit": (
        "depth 32 was stopped by the time limit of 60 s",
        "Raise limits.wall_time_s above 60, or train fewer depths.",
    ),
    "stalled": (
        "depth 32 got no further before training reached its tolerance",
        "Raise training.gradient_tolerance, or set training.dtype to float64.",
    ),
    "coarse depths": (
        "the depths are still too coarse for what remains to fall regularly from one to the next",
        "Add depths 32 and 64 to discrete.depths.",
    ),
    "off-branch depths": (
        "depths 16 and 32 settled on another optimum than the one that the limit belongs to",
        "Add depths 64 and 128 to discrete.depths.",
    ),
    "saddle": (
        "training ended at depth 32 at a point that is no optimum, because small changes of the weights improve on it",
        "Raise training.starts or change training.seed.",
    ),
    "independent check disagrees": (
        "an independent method finds another limit than the trained one",
        "Lower training.gradient_tolerance and continuum.tolerance.",
    ),
    "no continuum": (
        "no limit was trained, and without one it takes three depths to compare",
        "Train the limit (continuum), or add one of the depths 32 and 64 to discrete.depths.",
    ),
    "unequal depths": (
        "no limit was trained, and without one only depths that double can be compared",
        "Train the limit (continuum), or choose discrete.depths that double from one to the next.",
    ),
    "regime without theorem": (
        "no theory says what networks with this regularisation tend to, and there is no limit to compare with",
        "Set objective.scaling to h1, which has a limit.",
    ),
    "one depth": ("one depth was trained, and there is nothing to compare", "Add depths 16 and 32 to discrete.depths."),
    "no depth": ("no network was trained, and there is nothing to compare", "Add depths 8 and 16 to discrete.depths."),
    "identity networks": (
        "the layers of every network do nothing, because training left their weights at zero",
        "Lower objective.alpha: with less regularisation the layers may do something.",
    ),
    "kinks": (
        "the differences between the deepest networks are not larger than the errors of their training",
        "Choose a smooth network.activation such as tanh, or coarser discrete.depths.",
    ),
}
TRUSTED = {"coarse depths", "kinks"}
"""Undecided for a reason that leaves what was measured at single depths as it is."""


def finding(found: Verdict, code: str) -> Finding:
    (each,) = [finding for finding in found.findings if finding.code == code]
    return each


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_is_undecided_says_why_and_what_to_change(name: str) -> None:
    found, (reason, change) = verdict(name), UNDECIDED[name]
    assert found.converges is None
    assert found.summary == f"Cannot tell: {reason}."
    assert found.answer.change == change
    assert finding(found, "summary").advice == change
    if name in TRUSTED:
        assert found.answer.confidence is Confidence.MEASURED
    else:
        assert found.answer.depth is None
        assert found.answer.confidence is Confidence.UNDECIDED
        assert finding(found, "use_depth").text.startswith("No depth is advised: ")


def test_yes() -> None:
    found = verdict("true")
    assert found.summary == (
        "Yes. As depth grows the trained networks settle on one limit: what remains about halves each time depth"
        " doubles."
    )
    assert found.answer.change is None


def test_no() -> None:
    found = verdict("false")
    assert found.converges is False
    assert found.summary.startswith("No. As depth grows the trained networks do not settle on one limit: ")
    assert (found.answer.depth, found.answer.confidence) == (None, Confidence.UNDECIDED)
    assert found.answer.change == "Set objective.scaling to h1, which has a limit."
    outcome = failed([Objection("R_n grows", "layers differ", "Raise objective.alpha.K.")])
    assert summarise(outcome, 1.0).endswith("do not settle on one limit: layers differ.")
    assert (outcome.change, outcome.trusted) == ("Raise objective.alpha.K.", False)


@pytest.mark.parametrize(("order", "words"), [(1.0, "halves"), (2.0, "a quarter"), (4.0, "one part in 16")])
def test_what_remains_falls_as_is_expected(order: float, words: str) -> None:
    assert words in summarise(Outcome(True), order)


def test_a_problem_that_no_theory_covers_is_said_to_be_measured() -> None:
    found = verdict("not covered")
    assert found.converges is True
    assert finding(found, "not_covered").holds is False
    assert not [each for each in verdict("true").findings if each.code == "not_covered"]


def test_one_model_that_stopped_is_told_beside_a_verdict_on_the_others() -> None:
    found = ended(8, status=Status.MAX_ITERATIONS)
    assert found.converges is True
    told = finding(found, "unfinished")
    assert told.text == "Depth 8 stopped at its limit of 200 iterations."
    assert told.advice == "Raise training.max_iterations above 200, or raise objective.alpha."
    assert sum("stopped at" in each.text for each in verdict("iteration limits").findings) == 2  # summary, use_depth


def test_every_outcome_begins_with_its_word() -> None:
    words = {True: "Yes. ", False: "No. ", None: "Cannot tell: "}
    for name in OUTCOMES:
        found = verdict(name)
        assert found.summary.startswith(words[found.converges])
        assert found.summary.endswith(".")
        assert "\n" not in found.summary


# Plain lists of depths


def test_the_least_trained_depth_that_is_as_good_as_the_limit() -> None:
    """C₁ = 0.02656 and E_∞ = 0.14626: the gap is below 1 % from 0.0266/0.00146 = 18.2 layers on."""
    found = verdict("true")
    assert (found.answer.depth, found.answer.confidence) == (32, Confidence.MEASURED)
    assert finding(found, "optimum").text == "The optimum is within 1 % of the limit's from depth 32 on."
    assert finding(found, "performance").text == (
        "R² on training data (none were held out) is the same, 0.9991, from depth 8 on."
    )
    performance = converging().diagnostics.performance
    assert performance is not None
    assert found.answer.at_depth == performance.at(32)
    assert found.answer.in_the_limit == performance.limit


def test_a_depth_beyond_the_trained_ones_is_predicted() -> None:
    found = train(odd_pair("tanh"), (8, 16), training=Training(1e-9, starts=1)).diagnostics.verdict
    assert (found.answer.depth, found.answer.confidence) == (19, Confidence.PREDICTED)
    assert found.answer.at_depth is None
    assert found.answer.change == "Add depth 19 to discrete.depths, which trains it."
    assert "predicted to be from depth 19 on" in finding(found, "optimum").text


def test_a_metric_that_still_changes_at_the_deepest_gives_no_depth() -> None:
    study, found = converging().study, converging().diagnostics
    rows = [PerformanceRow(n, 0.5 + n / 100, n / 100 - 0.4, same=False, apart=True) for n in (8, 16, 32)]
    changing = replace(found, performance=Performance("accuracy", "validation", 100, 0.9, 0.9, rows))
    subject = Subject(study, study.problem.x, "train", certificates=found.certificates)
    said = reach_verdict(subject, changing, found.classification, found.depth_advice)
    assert said.converges is True
    assert (said.answer.depth, said.answer.in_the_limit) == (None, 0.9)
    assert said.answer.change == "Add depths 64 and 128 to discrete.depths."
    assert finding(said, "performance").text == (
        "Accuracy on validation data still changes with depth: it is 0.82 at depth 32, 0.9 in the limit."
    )


def test_a_metric_that_the_samples_do_not_tell_from_the_limits_says_so() -> None:
    study, found = converging().study, converging().diagnostics
    rows = [PerformanceRow(n, 0.8, -0.1, same=False, apart=n == 8) for n in (8, 16, 32)]
    changing = replace(found, performance=Performance("accuracy", "validation", 20, 0.9, 0.9, rows))
    subject = Subject(study, study.problem.x, "train", certificates=found.certificates)
    said = reach_verdict(subject, changing, found.classification, found.depth_advice)
    told = finding(said, "performance")
    assert told.text == (
        "20 samples do not tell whether accuracy on validation data changes from depth 16 on: it is 0.8 at depth 32,"
        " 0.9 in the limit."
    )
    assert told.holds is None
    assert finding(said, "use_depth").text == (
        "Use depth 32: the least trained depth with an optimum within 1 % of the limit's and an accuracy that 20"
        " samples do not tell from the limit's."
    )
    assert (said.answer.depth, said.answer.data, said.answer.at_depth) == (32, "validation", 0.8)


def test_without_a_limit_the_deepest_is_what_is_compared_with() -> None:
    found = train(odd_pair("tanh"), (8, 16, 32), None, Training(1e-9, starts=1)).diagnostics.verdict
    assert found.converges is True
    assert found.answer.depth == 32
    assert found.answer.in_the_limit is None
    assert "depth 32's R²" in finding(found, "use_depth").text


def test_starts_are_counted() -> None:
    assert finding(verdict("true"), "starts").text == (
        "2 of 2 random starts led to this optimum; a better one is not excluded."
    )
    assert "One random start" in finding(verdict("one depth"), "starts").text


# Wanted errors


@cache
def sought(error: float, quantity: Quantity = Quantity.GAP) -> TrainedStudy:
    return train_for_error(odd_pair("tanh"), Wanted(quantity, error), (8, 16, 32), training=Training(1e-9, starts=1))


def test_a_wanted_gap_is_confirmed_by_training_there() -> None:
    found = sought(1e-4).diagnostics
    asked = found.depth_advice[0]
    assert asked.check is not None
    assert asked.check.met
    assert (found.verdict.answer.depth, found.verdict.answer.confidence) == (asked.depth, Confidence.CONFIRMED)
    assert finding(found.verdict, "use_depth").text == (
        f"Use depth {asked.depth}: for the optimum within 0.0001 of the limit's (trained and confirmed)."
    )
    assert found.verdict.answer.at_depth is not None


def test_a_wanted_prediction_error_is_called_so() -> None:
    found = sought(1e-2, Quantity.PREDICTION_ERROR).diagnostics.verdict
    assert "for predictions within 0.01 of the limit's" in finding(found, "use_depth").text
    assert found.answer.confidence is Confidence.CONFIRMED


def test_a_depth_that_may_not_be_trained_is_predicted() -> None:
    found = train_for_error(
        odd_pair("tanh"), Wanted(Quantity.GAP, 1e-4), (8, 16, 32), training=Training(1e-9, starts=1), most_depth=64
    ).diagnostics.verdict
    assert found.answer.confidence is Confidence.PREDICTED
    assert found.answer.at_depth is None
    assert "depth 64, the deepest that was trained, is not enough" in finding(found, "use_depth").text
    assert found.answer.change == "Ask for a larger gap in discrete.depths, or raise limits.wall_time_s."


@pytest.mark.parametrize("regime", [Regime(block=Block.TWO_LAYER, width=2), Regime(integrator=Integrator.MIDPOINT)])
def test_other_regimes_have_an_answer_too(regime: Regime) -> None:
    plain = odd_pair("tanh")
    problem = Problem([[1.0], [-1.0]], [[2.0], [-2.0]], regularisation=plain.regularisation, regime=regime)
    found = train(problem, (8, 16), training=Training(1e-9, starts=1)).diagnostics.verdict
    assert found.summary.startswith("Yes. ")
    assert found.answer.depth is not None
