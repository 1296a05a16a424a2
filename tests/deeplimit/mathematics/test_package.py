"""The package by itself: its doctest, its imports, single precision, fixed parameters, refused problems."""

import doctest
import math
import subprocess
import sys

import pytest
import torch

import deeplimit.mathematics
from deeplimit.mathematics import ContinuumOptions, Problem, Regularisation, Training, train
from deeplimit.mathematics.diagnostics.measure.assumptions import check_assumptions
from deeplimit.mathematics.kernels.activations import ACTIVATIONS
from deeplimit.mathematics.problem.terminal_loss import TERMINAL_LOSSES
from deeplimit.mathematics.study.progress import StudyProgress
from tests.support import known_answers
from tests.support.reference import SIGMA


def test_the_example_in_the_documentation() -> None:
    results = doctest.testmod(deeplimit.mathematics)
    assert results.attempted >= 3
    assert results.failed == 0


def test_the_mathematics_needs_no_service() -> None:
    code = """
import sys
import deeplimit.mathematics
import deeplimit.mathematics.problem.datasets
others = {"celery", "kombu", "redis", "fastapi", "starlette", "pydantic", "httpx", "obstore", "typer", "service"}
print(sorted(others & {name.split(".")[0] for name in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_importing_and_training_leave_the_global_settings_alone() -> None:
    dtype, state = torch.get_default_dtype(), torch.get_rng_state()
    train(known_answers.odd_pair("tanh"), (4, 8), ContinuumOptions(tolerance=1e-4), Training(starts=1))
    assert torch.get_default_dtype() is dtype
    assert torch.equal(torch.get_rng_state(), state)


def test_a_seed_decides_everything() -> None:
    def objectives(seed: int) -> list[float]:
        trained = train(known_answers.two_moons(2), (4, 8), None, Training(starts=2, seed=seed, max_iterations=20))
        return [b.points[4].solution.objective for b in trained.study.branches]

    assert objectives(0) == objectives(0)
    assert objectives(0) != objectives(1)


def test_progress_never_falls_and_can_stop_a_study() -> None:
    class EnoughError(Exception):
        pass

    seen: list[StudyProgress] = []
    train(known_answers.odd_pair("tanh"), (4, 8), training=Training(starts=2), observer=seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert 0.0 < fractions[0] < fractions[-1] <= 1.0
    assert {progress.phase for progress in seen} >= {"starts", "discrete", "continuum"}
    assert {progress.model for progress in seen} == {"discrete-4", "discrete-8", "continuum"}

    def stop(progress: StudyProgress) -> None:
        if progress.phase == "continuum":
            raise EnoughError

    with pytest.raises(EnoughError):
        train(known_answers.odd_pair("tanh"), (4, 8), training=Training(starts=2), observer=stop)


def test_a_wall_time_ends_a_study_with_a_result() -> None:
    trained = train(known_answers.odd_pair("tanh"), (4, 8), training=Training(wall_time_s=0.0))
    statuses = {point.solution.status.value for point in trained.study.verdict_branch.points.values()}
    assert statuses == {"time_limit"}
    assert trained.diagnostics.verdict.converges is None


def test_single_precision() -> None:
    problem = known_answers.odd_pair("tanh", torch.float32)
    trained = train(problem, (8, 16, 32), ContinuumOptions(tolerance=1e-5), Training(1e-4))
    branch = trained.study.verdict_branch
    for depth, point in branch.points.items():
        assert point.parameters.K.dtype is torch.float32
        assert point.solution.status.optimised
        assert point.solution.objective == pytest.approx(known_answers.C.minima[depth], rel=1e-5)
    assert branch.continuum is not None
    assert branch.continuum.solution.objective == pytest.approx(known_answers.C.limit, rel=1e-5)


def test_fixed_parameters_add_nothing_to_the_objective() -> None:
    fixed = {"K": [[3.0, 1.0], [-2.0, 4.0]], "W": [[100.0, 50.0]]}
    problem = Problem([[1.0, 2.0], [0.5, -1.0]], [1.0, -2.0], fixed=fixed)
    assert problem.trained == ("b", "c")
    trained = train(problem, (8, 16), ContinuumOptions(tolerance=1e-4), Training(1e-5, starts=1))
    branch = trained.study.verdict_branch
    assert branch.continuum is not None
    for solution in (branch.points[16].solution, branch.continuum.solution):
        terms = solution.evaluation.terms
        assert (terms["K"], terms["W"]) == (0.0, 0.0)
        assert solution.objective == pytest.approx(terms["terminal"] + terms["b"] + terms["c"], rel=1e-14)
    K, _ = branch.continuum.parameters.sample(torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64))
    torch.testing.assert_close(K, problem.fixed["K"].expand(3, 2, 2))
    torch.testing.assert_close(branch.points[16].parameters.K, problem.fixed["K"].expand(16, 2, 2))


@pytest.mark.parametrize("name", SIGMA)
def test_facts_about_activations(name: str) -> None:
    sigma, z = ACTIVATIONS[name], torch.linspace(-30.0, 30.0, 1201, dtype=torch.float64)
    torch.testing.assert_close(sigma(z), SIGMA[name](z), rtol=1e-13, atol=1e-13)
    zero = torch.zeros(1, dtype=torch.float64)
    assert sigma.vanishes_at_zero == (float(sigma(zero)) == 0.0)
    assert sigma.odd == torch.allclose(sigma(-z), -sigma(z), rtol=1e-12, atol=1e-12)
    # A kink is a jump of the slope that a finer grid does not make smaller.
    left, right = (float(sigma.first(at, sigma(at))) for at in (zero - 1e-9, zero + 1e-9))
    assert sigma.smooth == (abs(right - left) < 1e-6)
    extreme = torch.tensor([-1e6, 1e6], dtype=torch.float64)
    for derivative in (sigma.first, sigma.second):
        assert derivative(extreme, sigma(extreme)).isfinite().all()


@pytest.mark.parametrize("name", SIGMA)
def test_the_assumptions_of_the_theorem(name: str) -> None:
    holds = {a.name: a.holds for a in check_assumptions(Problem([[1.0]], [1.0], activation=name))}
    assert list(holds) == [
        "sigma_lipschitz",
        "sigma_vanishes_at_zero",
        "loss_continuous_nonnegative",
        "alpha_positive",
        "tau_positive",
    ]
    assert holds["sigma_vanishes_at_zero"] == (name != "sigmoid")
    del holds["sigma_vanishes_at_zero"]
    assert all(holds.values())


def test_losses_do_not_overflow() -> None:
    z = torch.tensor([[900.0, -900.0], [-900.0, 900.0]], dtype=torch.float64)
    labels = torch.tensor([1, 1])
    loss = TERMINAL_LOSSES["cross_entropy"]
    assert float(loss.total(z, labels)) == pytest.approx(1800.0)
    signs = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    logistic = TERMINAL_LOSSES["logistic"]
    assert float(logistic.total(z[:, :1], signs)) == pytest.approx(1800.0)
    assert logistic.gradient(z[:, :1], signs).isfinite().all()
    assert loss.predict(z).sum(1).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("weights", ["alpha", "tau"])
def test_weights_must_be_positive(weights: str, value: float) -> None:
    names = "KbWc" if weights == "alpha" else "Kb"
    for name in names:
        with pytest.raises(ValueError, match=f"{weights}.{name} must be a positive number"):
            Regularisation(**{weights: dict.fromkeys(names, 1.0) | {name: value}})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": [1.0]}, "non-empty"),
        ({"inputs": [[]]}, "non-empty"),
        ({"inputs": [[math.nan], [1.0]]}, "inputs must be finite"),
        ({"targets": [math.inf, 1.0]}, "targets must be finite"),
        ({"targets": [1.0]}, "2 inputs but 1 targets"),
        ({"activation": "relu6"}, "unknown activation"),
        ({"loss": "hinge"}, "unknown activation or loss"),
        ({"inputs": [[1.0, 2.0], [3.0, 4.0]], "state_dim": 1}, "smaller than the 2 inputs"),
        ({"loss": "logistic", "targets": [0.0, 1.0]}, "each -1 or 1"),
        ({"loss": "cross_entropy", "targets": [0.5, 1.0]}, "integer"),
        ({"loss": "cross_entropy", "targets": [-1, 1]}, "integer"),
        ({"loss": "cross_entropy", "targets": [0, 3], "classes": 2}, "class 3 is not below 2"),
        ({"fixed": {"K": [1.0]}}, "fixed K must have shape"),
        ({"fixed": {"V": [[1.0]]}}, "fixed V"),
        ({"fixed": {"K": [[0.0]], "b": [0.0], "W": [[1.0]], "c": [0.0]}}, "nothing to train"),
    ],
)
def test_problems_that_make_no_sense(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Problem(**{"inputs": [[1.0], [2.0]], "targets": [1.0, 2.0], **arguments})  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("depths", [(1, 2), (8, 8), (16, 8)])
def test_depths_that_make_no_sense(depths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="strictly increasing and at least 2"):
        train(known_answers.odd_pair("tanh"), depths)
    with pytest.raises(ValueError, match="nothing to train"):
        train(known_answers.odd_pair("tanh"), (), None)
