"""The boundary-value problem: its derivatives, its agreement with training, its disagreement with a wrong model."""

import numpy as np
import pytest

from deeplimit.mathematics import ContinuumOptions, Problem, Regularisation, Training, train
from deeplimit.mathematics.diagnostics.measure.boundary_value_problem import BoundaryValueProblem
from deeplimit.mathematics.diagnostics.measure.independent_check import solve_independently
from deeplimit.mathematics.diagnostics.work import unknown_functions
from tests.support.small_problems import odd_pair, trained


def classes(activation: str = "tanh", **fixed: object) -> Problem:
    generator = np.random.default_rng(4)
    return Problem(
        generator.normal(size=(4, 2)),
        np.array([0, 1, 2, 1]),
        activation=activation,
        loss="cross_entropy",
        regularisation=Regularisation(alpha={"K": 0.02, "b": 0.03, "W": 0.01, "c": 0.05}, tau={"K": 1.5, "b": 0.7}),
        fixed=fixed,  # type: ignore[arg-type]  # arrays, as the problem checks
    )


@pytest.mark.parametrize(("activation", "digit"), [("identity", 0.0891740400), ("tanh", 0.1462594990)])
def test_energies_agree_to_eight_digits(activation: str, digit: float) -> None:
    found = trained(activation).diagnostics.independent_check
    assert found is not None
    assert found.objective == pytest.approx(digit, abs=1e-8)
    assert found.difference is not None
    assert abs(found.difference) <= 1e-8 * digit
    assert found.parameters_difference is not None
    assert found.parameters_difference < 1e-6
    assert found.unknown_functions == 8


@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_more_samples_classes_and_dimensions(activation: str) -> None:
    problem = classes(activation)
    training = Training(gradient_tolerance=1e-10, starts=1)
    found = train(problem, (), ContinuumOptions(tolerance=1e-10), training).diagnostics.independent_check
    assert found is not None
    assert found.unknown_functions == unknown_functions(problem) == 2 * 2 * 4 + 2 * 4 + 2 * 2
    assert found.objective is not None
    assert found.difference is not None
    assert abs(found.difference) <= 1e-8 * found.objective
    assert found.parameters_difference is not None
    assert found.parameters_difference < 1e-5


def test_fixed_output_parameters_are_constants() -> None:
    problem = classes(W=[[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], c=[0.0, 0.0, 0.0])
    training = Training(gradient_tolerance=1e-10, starts=1)
    found = train(problem, (), ContinuumOptions(tolerance=1e-10), training).diagnostics.independent_check
    assert found is not None
    assert found.objective is not None
    assert found.difference is not None
    assert abs(found.difference) <= 1e-8 * found.objective


@pytest.mark.parametrize("activation", ["tanh", "sin", "gelu", "identity"])
def test_jacobian(activation: str) -> None:
    system = BoundaryValueProblem(classes(activation))
    generator = np.random.default_rng(0)
    y, numbers = generator.normal(size=(system.size, 3)), generator.normal(size=9)
    found = system.jacobian(np.zeros(3), y, numbers)
    assert isinstance(found, tuple)
    exact, by_numbers = found
    assert not by_numbers.any()
    h = 1e-6
    for k in range(system.size):
        step = np.zeros((system.size, 1))
        step[k] = h
        slope = (system.slopes(np.zeros(3), y + step) - system.slopes(np.zeros(3), y - step)) / (2.0 * h)
        assert exact[:, k] == pytest.approx(slope, abs=1e-7)


def test_a_continuum_model_of_another_problem_is_not_confirmed() -> None:
    """The control: the model trained with α_K = 0.05, checked against the problem of α_K = 0.0501."""
    fit = trained("tanh").study.verdict_branch.continuum
    assert fit is not None
    found = solve_independently(odd_pair("tanh", alpha_K=0.0501), fit)
    assert found.difference is not None
    # dE/dα_K = R(K)
    K, _ = fit.parameters.coefficients()
    assert K.numel() > 1
    assert found.difference == pytest.approx(1e-4 * fit.solution.evaluation.terms["K"] / 0.05, rel=0.02)
    assert found.parameters_difference is not None
    assert found.parameters_difference > 1e-4


def test_it_is_skipped_with_the_reason() -> None:
    generator = np.random.default_rng(0)
    large = Problem(generator.normal(size=(30, 2)), generator.normal(size=30), loss="squared_error")
    found = train(large, (), training=Training(starts=1)).diagnostics.independent_check
    assert found is not None
    assert found.objective is None
    assert found.withheld["difference"].startswith("132 unknown functions")
    fit = trained("tanh").study.verdict_branch.continuum
    assert fit is not None
    late = solve_independently(odd_pair("tanh"), fit, seconds=1e-9)
    assert "not solved in" in late.withheld["objective"]
    assert solve_independently(odd_pair("relu"), fit).withheld["objective"] == "σ is not differentiable"


def test_a_checkpoint_may_stop_it() -> None:
    fit = trained("tanh").study.verdict_branch.continuum
    assert fit is not None

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve_independently(odd_pair("tanh"), fit, stop)
