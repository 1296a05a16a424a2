"""Newton steps towards the exact minimisers: where they lead, what they leave, and what they cost."""

from collections import Counter
from copy import copy
from dataclasses import replace

import pytest
import torch

from deeplimit.mathematics import ContinuumOptions, Problem, Training, train
from deeplimit.mathematics.diagnostics.correction import PRODUCTS
from deeplimit.mathematics.diagnostics.measure import minimisers
from deeplimit.mathematics.diagnostics.measure.bracket import lift_excess, recovery_excess
from deeplimit.mathematics.diagnostics.measure.minima import measure_minima
from deeplimit.mathematics.diagnostics.measure.states import prediction_errors, state_errors
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.diagnostics.sweeps import LEAST_STEPS, limit_sweep
from deeplimit.mathematics.model.flow import Flow
from deeplimit.mathematics.model.objective import DiscretisedObjective, Linearisation
from deeplimit.mathematics.trained_study import TrainedStudy, subject_of
from tests.support.small_problems import DEPTHS, odd_pair, trained


def subject(study: TrainedStudy) -> Subject:
    return replace(subject_of(study.study, None, None), certificates=study.diagnostics.certificates)


def test_a_step_leads_to_the_exact_minimiser() -> None:
    loose = subject(
        train(odd_pair("tanh"), (8,), ContinuumOptions(tolerance=1e-5), Training(1e-4, starts=1, sharpen=False))
    )
    sharp = trained("tanh").study.verdict_branch
    (point,) = loose.points
    correction = loose.network_correction(point)
    assert correction.u is not None
    exact = sharp.points[8].solution.u
    before, after = float((point.solution.u - exact).norm()), float((correction.u - exact).norm())
    assert before > 1e-6
    assert after <= correction.remainder + 1e-9
    assert after < 0.05 * before
    assert before <= correction.distance.total
    assert correction.distance.integration == correction.distance.discretisation == 0.0


def test_the_limits_distance_has_every_source() -> None:
    def limit(tolerance: float, gradient: float) -> Subject:
        options = ContinuumOptions(tolerance=tolerance)
        return subject(train(odd_pair("tanh"), (8,), options, Training(gradient, starts=1, sharpen=False)))

    coarse, stopped = limit(1e-4, 1e-10).limit_distance, limit(1e-9, 1e-3).limit_distance
    assert coarse.optimisation < 0.1 * min(coarse.integration, coarse.discretisation)
    assert stopped.optimisation > 10.0 * max(stopped.integration, stopped.discretisation)


def test_without_a_certificate_the_distance_is_all_that_is_known() -> None:
    problem = Problem([[1.0], [-1.0]], [[2.0], [-2.0]], activation="relu")
    known = subject(train(problem, (4, 8), ContinuumOptions(tolerance=1e-3), Training(1e-4, starts=1, sharpen=False)))
    for correction in (known.network_correction(known.points[0]), known.limit_correction):
        assert correction.u is None
        assert correction.limit is None
        assert correction.remainder == correction.distance.total > 0.0
        assert correction.errors(0.0, 2.0).total == pytest.approx(2.0 * correction.remainder)


def test_budgets_cost_a_few_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[str] = Counter()
    evaluate, product = DiscretisedObjective.evaluate, Linearisation.hessian_product

    def counted_evaluate(self: DiscretisedObjective, u: torch.Tensor) -> object:
        counts["gradients"] += 1
        return evaluate(self, u)

    def counted_product(self: Linearisation, v: torch.Tensor) -> torch.Tensor:
        counts["products"] += 1
        return product(self, v)

    monkeypatch.setattr(DiscretisedObjective, "evaluate", counted_evaluate)
    monkeypatch.setattr(Linearisation, "hessian_product", counted_product)
    known, models = subject(trained("tanh")), len(DEPTHS) + 1
    for point in known.points:
        known.network_correction(point)
    assert known.limit_correction.u is not None
    assert counts["gradients"] <= 3 * models
    assert 0 < counts["products"] <= PRODUCTS * models
    for part, gradients in (
        (state_errors, 0),
        (prediction_errors, 0),
        (measure_minima, 0),
        (recovery_excess, 0),
        (lift_excess, 3),
    ):
        counts.clear()
        part(known)
        assert counts == Counter({"gradients": gradients}), part


def test_distances_to_the_continuum_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judging needs them before they are reported."""
    real, calls = minimisers.tl2_distance, 0

    def counted(*given: object) -> minimisers.Distance:
        nonlocal calls
        calls += 1
        return real(*given)  # type: ignore[arg-type]  # what it was given

    monkeypatch.setattr(minimisers, "tl2_distance", counted)
    known = subject(trained("tanh"))
    rows = [minimisers.against_continuum(known) for _ in range(2)]
    assert rows[0] == rows[1]
    assert calls == len(DEPTHS)


def test_the_continuums_own_trajectory_is_the_finer_one_where_its_steps_are_enough() -> None:
    """And is within what it is said to err by of one with four times the steps."""
    known = subject(trained("tanh"))
    limit = known.limit
    steps = LEAST_STEPS
    study, branch = copy(known.study), known.study.verdict_branch
    own = replace(limit, flow=Flow(limit.flow.problem, limit.flow.basis, steps))
    study.branches = [replace(branch, continuum=own) if each is branch else each for each in study.branches]
    at = replace(known, study=study, kept={})
    fine, coarse = (limit_sweep(at, finer=finer) for finer in (True, False))
    assert (fine.steps, coarse.steps) == (steps, steps // 2)
    sharp = Flow(limit.flow.problem, limit.flow.basis, 4 * steps).output(limit.solution.u, known.problem.x)
    change = float((fine.output - coarse.output).abs().max())
    assert 0.0 < float((fine.output - sharp).abs().max()) <= 2.0 * known.left_by_halving * change + 1e-13
