"""Every statement against its condition: that it is said where it is true, and something else where it is not."""

import dataclasses
import math
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deeplimit.mathematics import (
    ContinuumOptions,
    DepthStart,
    Problem,
    Regime,
    Regularisation,
    TrainedStudy,
    Training,
    train,
)
from deeplimit.mathematics.diagnostics.measure.bracket import ExcessRow
from deeplimit.mathematics.diagnostics.measure.independent_check import IndependentCheck
from deeplimit.mathematics.diagnostics.measure.regularity import Bend, _bounds, boundary_error, measure_regularity
from deeplimit.mathematics.diagnostics.report import Diagnostics, diagnose
from deeplimit.mathematics.diagnostics.statements.optimality import stationary_points
from deeplimit.mathematics.diagnostics.statements.verdict import Verdict, reach_verdict
from deeplimit.mathematics.diagnostics.statements.wording import at_least, depths, listed, places
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.minimise import Budget, Solution, Status, minimise
from deeplimit.mathematics.minimise.certificate import Certificate, Kind
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.objective import DiscretisedObjective
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.study.branches import BranchPoint
from deeplimit.mathematics.study.continuum_fit import ContinuumFit
from tests.support.small_problems import bifurcating, critical, odd_pair

SMALL = (4, 8, 16)


@cache
def small(activation: str = "tanh") -> TrainedStudy:
    return train(odd_pair(activation), SMALL, training=Training(1e-9, starts=2))


@cache
def loose() -> TrainedStudy:
    """As small, to tolerances that leave E_∞ known to three digits."""
    return train(odd_pair("tanh"), SMALL, ContinuumOptions(tolerance=1e-3), Training(1e-2, starts=2, sharpen=False))


@cache
def null() -> TrainedStudy:
    """K = b = W = 0 is the minimiser at every depth and in the continuum."""
    return train(bifurcating(0.6 * critical(None)), SMALL, training=Training(starts=2))


def subject_of(study: TrainedStudy) -> Subject:
    certificates = study.diagnostics.certificates
    return Subject(study.study, study.study.problem.x, "train", certificates=certificates)


def said(study: TrainedStudy, **changed: object) -> Verdict:
    """Return the verdict on a study some of whose diagnostics are others."""
    found: Diagnostics = dataclasses.replace(study.diagnostics, **changed)  # type: ignore[arg-type]  # by name
    return reach_verdict(subject_of(study), found, found.classification)


def with_words(found: Verdict, *words: str) -> list[str]:
    return [sentence for sentence in found.statements if all(word in sentence for word in words)]


# Words


def test_lists_and_places() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert depths([4]) == "depth 4"
    assert depths([4, 8]) == "depths 4 and 8"
    assert places([4, 8], continuum=True, every=True) == "at every depth and in the continuum"
    assert places([4, 8], continuum=False, every=False) == "at depths 4 and 8"
    assert places([8], continuum=True, every=True) == "at depth 8 and in the continuum"
    assert places([], continuum=True, every=True) == "in the continuum"


@given(st.floats(-1e12, 1e12, allow_subnormal=False).filter(lambda value: value == 0.0 or abs(value) > 1e-200))
def test_what_is_at_least_is_never_rounded_up(value: float) -> None:
    shown = float(at_least(value))
    assert shown <= value
    assert shown == pytest.approx(value, rel=2e-3)


def test_a_bound_keeps_the_digits_that_it_has() -> None:
    assert at_least(0.1) == "0.1"
    assert at_least(0.09999999) == "0.09999"
    assert at_least(-0.12345) == "-0.1235"


def test_every_statement_is_a_sentence() -> None:
    for study in (small(), small("relu"), small("sigmoid"), loose(), null()):
        for sentence in study.diagnostics.verdict.statements:
            assert sentence[0].isupper() or sentence[0].isdigit()
            assert sentence.endswith(".")
            assert "[" not in sentence
            assert "None" not in sentence
            assert "inf" not in sentence.replace("infinite", "").split()


# Certificates


def test_the_continuum_alone_is_not_every_depth() -> None:
    found = train(odd_pair("tanh"), (), training=Training(starts=1)).diagnostics.verdict
    (sentence,) = with_words(found, "strict local minimum")
    assert "minimum in the continuum: " in sentence
    assert "depth" not in sentence
    (sentence,) = with_words(small().diagnostics.verdict, "strict local minimum")
    assert "minimum at every depth and in the continuum: " in sentence


def test_withheld_certificates_name_their_places() -> None:
    certificates = small().diagnostics.certificates
    late = Certificate(withheld={"kind": "the time limit was reached"})
    changed = dataclasses.replace(certificates, depths={**certificates.depths, 16: late})
    found = said(small(), certificates=changed)
    (sentence,) = with_words(found, "strict local minimum")
    assert "minimum at depths 4 and 8 and in the continuum: " in sentence
    assert "Certificates are withheld at depth 16: the time limit was reached." in found.statements


# A continuum that is a saddle, and could not be left


def null_solution(objective: DiscretisedObjective, y: float) -> Solution:
    parts = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in objective.coordinates.shapes.items()}
    parts["c"] += y / (1.0 + objective.problem.regularisation.alpha["c"])
    return minimise(objective, objective.coordinates.pack(parts), Budget())


@cache
def stuck() -> TrainedStudy:
    """Networks at minima, and a continuum model at the null solution, which is a saddle there."""
    y = 1.2 * critical(None)
    study = train(bifurcating(y), (8, 16), training=Training(starts=1)).study
    branch = study.verdict_branch
    flow = Flow(study.problem, LegendreIncrements(8), 32)
    solution = null_solution(flow, y)
    branch.continuum = ContinuumFit(flow, flow.parameters(solution.u), solution, 1e-16, 1e-16)
    return TrainedStudy(study, diagnose(Subject(study, study.problem.x, "train")))


def test_a_saddle_of_the_continuum_is_not_confirmed_as_a_limit() -> None:
    found = stuck().diagnostics
    assert found.certificates.continuum is not None
    assert found.certificates.continuum.kind is Kind.SADDLE
    assert found.independent_check is not None
    assert found.independent_check.difference is not None, "or there is nothing to be confirmed"
    assert abs(found.independent_check.difference) < 1e-9
    assert found.verdict.converges is None
    assert found.verdict.statements[0] == "Undecided: the stationary point in the continuum is a saddle and no minimum."
    assert not with_words(found.verdict, "confirm")
    (sentence,) = with_words(found.verdict, "collocation")
    assert "it ends at the trained stationary point, a saddle and no minimum" in sentence
    (sentence,) = with_words(found.verdict, "curvature")
    curvature = found.certificates.continuum.lambda_min
    assert sentence.startswith("The stationary point in the continuum is a saddle")
    assert f"{curvature:.3g}" in sentence


# The independent check


def test_a_loose_tolerance_is_no_disagreement() -> None:
    check = loose().diagnostics.independent_check
    assert check is not None
    assert check.objective is not None
    assert check.difference is not None
    assert abs(check.difference) > 1e-5 * check.objective, "or the tolerance is not loose"
    (sentence,) = with_words(loose().diagnostics.verdict, "collocation")
    assert "it confirms the trained limit" in sentence
    assert f"{check.difference:+.1e}, within the estimated error" in sentence


def test_a_difference_beyond_both_margins_is_a_disagreement() -> None:
    """The control: the same difference beside a sharply trained model."""
    check = loose().diagnostics.independent_check
    agreed, apart = said(small()), said(small(), independent_check=check)
    (sentence,) = with_words(apart, "collocation")
    assert "it does not confirm the trained limit" in sentence
    assert agreed.converges is True
    assert apart.converges is None
    assert apart.statements[0].startswith(
        "Undecided: the orders are close to the expected ones, but the Euler-Lagrange"
    )
    assert "beyond the estimated error" in sentence
    (sentence,) = with_words(small().diagnostics.verdict, "collocation")
    assert "it confirms the trained limit" in sentence
    assert "below 1e-06 of E_∞" in sentence


def test_without_a_certificate_the_check_speaks_of_a_point() -> None:
    certificates = dataclasses.replace(small().diagnostics.certificates, continuum=Certificate())
    (sentence,) = with_words(said(small(), certificates=certificates), "collocation")
    assert "it ends at the trained point, not certified as a minimum" in sentence
    apart = IndependentCheck(objective=0.2, difference=0.05)
    (sentence,) = with_words(said(small(), certificates=certificates, independent_check=apart), "collocation")
    assert "it does not end at the trained point" in sentence


# Regularity


def test_boundary_residuals_of_both_parameters_have_an_order() -> None:
    (sentence,) = with_words(small("sigmoid").diagnostics.verdict, "boundary residuals")
    rows = small("sigmoid").diagnostics.regularity[-2:]
    for name in ("K", "b"):
        before, after = (getattr(row, name) for row in rows)
        sizes = [math.hypot(bend.boundary_0, bend.boundary_1) for bend in (before, after)]
        order = math.log2(sizes[0] / sizes[1])
        assert order == pytest.approx(1.0, abs=0.05)
        assert f"{order:.2f} for {name}" in sentence
        assert f"{sizes[1]:.1e}" in sentence


def test_orders_of_noise_are_withheld() -> None:
    # b = 0 by symmetry.
    found = small().diagnostics.verdict
    (order,) = with_words(found, "order of the boundary residuals")
    assert "for K" in order
    assert "for b" not in order
    assert with_words(found, "boundary residuals of b are not told from")
    rows = null().diagnostics.regularity
    assert rows[-1].K is not None
    assert rows[-1].K.boundary_0 > 0.0, "or there is no noise to withhold an order of"
    found = null().diagnostics.verdict
    assert not with_words(found, "order of the boundary residuals")
    assert with_words(found, "boundary residuals of K and b are not told from")
    assert with_words(found, "H² bound of K and b is too small beside its allowance")
    assert not with_words(found, "within their H² bound")
    assert not with_words(loose().diagnostics.verdict, "order of the boundary residuals")


def test_broken_bounds_name_parameter_and_depths() -> None:
    rows = list(small().diagnostics.regularity)
    bend = rows[1].K
    assert bend is not None
    rows[1] = dataclasses.replace(rows[1], K=dataclasses.replace(bend, holds=False))
    found = said(small(), regularity=rows)
    (sentence,) = with_words(found, "exceed their H² bound")
    assert "At depth 8 " in sentence
    assert "of K" in sentence
    (sentence,) = with_words(found, "within their H² bound")
    assert "for b" in sentence
    assert "for K" not in sentence


@pytest.mark.parametrize("tau", [1.0, 100.0])
def test_the_gradient_moves_boundary_residuals_by_no_more_than_is_allowed(tau: float) -> None:
    """With one sample they are equal to the force of the first and of the last layer over 2wn but for the gradient."""
    problem = Problem(
        [[1.0, -0.5]],
        [[1.5]],
        regularisation=Regularisation({"K": 2.0, "b": 2.0, "W": 0.1, "c": 0.1}, tau={"K": tau, "b": tau}),
        regime=Regime(horizon=1.5),
    )
    network = ResidualNetwork(problem, 4)
    generator = torch.Generator().manual_seed(1)
    exact = minimise(network, network.random(generator, 0.5), Budget(1e-12)).u
    K = network.parameters(exact).K
    first = torch.zeros_like(exact)
    first[:4] = (4.0 * (K[1] - K[0]) - problem.tau("K") * K[0]).flatten()
    for direction in (first, torch.randn(len(exact), generator=generator, dtype=torch.float64)):
        u = exact + 1e-4 * direction / direction.norm()
        point = BranchPoint(network, network.parameters(u), Solution(u, network.evaluate(u), Status.CONVERGED, 0.0))
        bend = measure_regularity(problem, point).K
        assert bend is not None
        force = _bounds(point)["K"] / (2.0 * problem.weight("K") * 4)
        moved = math.hypot(bend.boundary_0 - float(force[0]), bend.boundary_1 - float(force[-1]))
        assert moved <= boundary_error(bend, 4, problem.tau("K"))
        if tau > 4.0 and direction is first:
            assert moved > math.sqrt(2.0) * bend.allowance / 4, "or a large τ would need no factor"


def test_no_order_from_one_depth() -> None:
    one = [small().diagnostics.regularity[-1]]
    assert not with_words(said(small(), regularity=one), "boundary residuals")


def test_a_vanishing_bend_has_no_order() -> None:
    flat = Bend(0.0, 1.0, 1e-9, holds=True, boundary_0=0.0, boundary_1=0.0)
    rows = [dataclasses.replace(row, K=flat, b=flat) for row in small().diagnostics.regularity]
    found = said(small(), regularity=rows)
    assert not with_words(found, "order of the boundary residuals")


# Compactness


def test_the_bound_names_its_depths() -> None:
    (sentence,) = with_words(small().diagnostics.verdict, "Hölder")
    assert sentence.startswith("At depths 4, 8 and 16 the Hölder quotients of K, ")
    largest = max(row.holder or 0.0 for row in small().diagnostics.compactness)
    assert f"{largest:.4g} at most" in sentence
    assert sentence.endswith("√(E_n(0)/α_K) = 8.944, the same at every depth.")


def test_a_bound_that_fails_names_depth_and_numbers() -> None:
    rows = [dataclasses.replace(row) for row in small().diagnostics.compactness]
    rows[1] = dataclasses.replace(rows[1], R_K=100.0, bounded=False)
    found = said(small(), compactness=rows)
    (sentence,) = with_words(found, "a-priori bound fails")
    assert "at depth 8:" in sentence
    assert "regulariser of K and b, 5, is above E_n(0) = 4" in sentence
    (sentence,) = with_words(found, "Hölder")
    assert sentence.startswith("At depths 4 and 16 ")


def test_a_bound_that_depends_on_depth_is_not_said_to_be_one() -> None:
    """With K fixed the null network is no longer x + tσ(0)."""
    problem = Problem([[1.0], [-1.0]], [[2.0], [-2.0]], fixed={"K": [[1.0]], "W": [[1.0]]})
    found = train(problem, SMALL, None, Training(starts=1)).diagnostics
    bounds = [row.holder_bound or 0.0 for row in found.compactness]
    assert max(bounds) > 1.01 * min(bounds)
    (sentence,) = with_words(found.verdict, "Hölder")
    assert "quotients of b" in sentence
    assert "same at every depth" not in sentence
    assert f"of each depth, {min(bounds):.4g} at least" in sentence


# Euler-Lagrange


def test_vanishing_terms_have_no_relative_residual() -> None:
    assert with_words(null().diagnostics.verdict, "terms of the continuum model's Euler-Lagrange equations vanish")
    (sentence,) = with_words(small().diagnostics.verdict, "Euler-Lagrange equations is")
    found = small().diagnostics.euler_lagrange
    assert found is not None
    assert found.K is not None
    assert f"{found.K.residual:.1e} of their largest term" in sentence


# The bracket


def test_a_negative_excess_says_which_objective_has_a_lower_minimum() -> None:
    lift = [ExcessRow(depth, 0.1, excess) for depth, excess in zip(SMALL, (-1e-3, 2e-3, -1e-4), strict=True)]
    found = said(small(), lift=lift)
    (sentence,) = with_words(found, "lift excess")
    assert sentence == (
        "The lift excess is negative at depths 4 and 16, -1.0e-03 and -1.0e-04: E_∞ has a lower minimum than the"
        " trained one."
    )
    (sentence,) = with_words(said(small(), recovery=lift), "recovery excess")
    assert "E_n has a lower minimum" in sentence
    (sentence,) = with_words(small().diagnostics.verdict, "lift excess")
    assert "it shows no lower minimum of E_∞" in sentence
    assert "at depths 4, 8 and 16 not negative" in sentence


# Branches and starts


def test_starts_are_those_that_the_study_began_with() -> None:
    (sentence,) = with_words(small().diagnostics.verdict, "random start")
    assert sentence == "2 of the 2 random starts that the study began with led to the verdict branch."
    training = Training(starts=1, depth_start=DepthStart.INDEPENDENT)
    found = train(odd_pair("tanh"), (4, 8), None, training).diagnostics.verdict
    (sentence,) = with_words(found, "random start")
    assert sentence == "The one random start that the study began with led to the verdict branch."


def test_a_saddle_that_was_left_is_told() -> None:
    study = train(bifurcating(1.02 * critical(8)), (4, 8, 16), None, Training(1e-10, starts=1)).study
    names = list(study.verdict_branch.left_saddles)
    found = diagnose(Subject(study, study.problem.x, "train")).verdict
    told = with_words(found, "led to a saddle, which was left for a lower minimum")
    assert len(told) == len(names)
    assert all(f"At depth {name.removeprefix('discrete-')} " in line for name, line in zip(names, told, strict=True))
    assert names, "or nothing is told"


def test_the_sentences_come_from_the_diagnostics_alone() -> None:
    """Not from what was measured when the study was made."""
    found = small().diagnostics
    subject = subject_of(small())
    sentences = [finding.text for finding in stationary_points(subject, found)]
    assert [line for line in found.verdict.statements if line in sentences] == sentences
