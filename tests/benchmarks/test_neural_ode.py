"""What torchdiffeq is given is the same continuum problem, to rounding where the scheme is the same."""

from __future__ import annotations

import pytest

pytest.importorskip("torchdiffeq", reason="the extra bench has it")

from benchmarks.speed.continuum import SCHEMES, beginning, flow
from benchmarks.speed.neural_ode import NeuralOde

STEPS, DEGREE = 24, 6


@pytest.mark.parametrize("method", SCHEMES)
@pytest.mark.parametrize("adjoint", [False, True])
def test_objective_and_gradient_agree_with_the_same_scheme(method: str, *, adjoint: bool) -> None:
    """The continuous adjoint is not the scheme's: its gradient agrees to the scheme's order alone."""
    own = flow(STEPS, SCHEMES[method], DEGREE)
    u = 0.3 * beginning(own)
    module = NeuralOde(own, u, method=method, steps=STEPS, adjoint=adjoint)
    exact = own.evaluate(u)
    assert float(module.evaluate()) == pytest.approx(exact.objective, rel=1e-10)
    tolerance = 1e-10 if not adjoint else 0.05 if method == "euler" else 1e-5
    gradient = module.coordinates(own, gradient=True)
    assert float((gradient - exact.gradient).norm() / exact.gradient.norm()) < tolerance


def test_the_coordinates_come_back() -> None:
    own = flow(STEPS, degree=DEGREE)
    u = beginning(own)
    assert (NeuralOde(own, u, method="rk4", steps=STEPS, adjoint=False).coordinates(own) == u).all()


def test_its_fourth_order_is_as_accurate_as_ours() -> None:
    fine = flow(16 * STEPS, degree=DEGREE)
    u = 0.3 * beginning(fine)
    exact = fine.evaluate(u).objective
    ours = abs(flow(STEPS, degree=DEGREE).evaluate(u).objective - exact)
    module = NeuralOde(fine, u, method="rk4", steps=STEPS, adjoint=False)
    theirs = abs(float(module.evaluate()) - exact)
    assert theirs / 4.0 < ours < 4.0 * theirs
