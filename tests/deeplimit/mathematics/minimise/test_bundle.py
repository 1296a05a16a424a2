"""What the last points of a non-smooth minimisation leave open, where the minimum is known."""

import pytest
import torch

from deeplimit.mathematics.minimise import Budget, minimise
from deeplimit.mathematics.minimise.bundle import Bundle
from deeplimit.mathematics.minimise.solution import HessianProducts
from deeplimit.mathematics.model.objective import Evaluation

TARGET = torch.linspace(-1.0, 2.0, 7, dtype=torch.float64)


class Kinked:
    """Σ |u_i| w_i + ½ ‖u − t‖²: strongly convex, with the minimiser on some kinks (soft thresholding)."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def evaluate(self, u: torch.Tensor) -> Evaluation:
        absolute, square = float(self.weight * u.abs().sum()), float(0.5 * (u - TARGET).square().sum())
        gradient = self.weight * u.sign() + u - TARGET
        return Evaluation(absolute + square, {"terminal": square, "running": absolute}, gradient)

    def linearise(self, u: torch.Tensor) -> HessianProducts:
        raise NotImplementedError

    @property
    def minimum(self) -> float:
        return self.evaluate(TARGET.sign() * (TARGET.abs() - self.weight).clamp(min=0.0)).objective


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-7])
@pytest.mark.parametrize("weight", [0.3, 0.8])
def test_the_error_estimate_holds_at_kinks(weight: float, tolerance: float) -> None:
    objective = Kinked(weight)
    start = torch.randn(7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    solution = minimise(objective, start, Budget(tolerance, smooth=False), curvature_floor=1.0)
    assert solution.objective - objective.minimum <= solution.error_estimate


def test_a_short_history_far_from_the_minimum_is_no_proof() -> None:
    """Stopped after three iterations, E stands where the decrease of the last ones tells less than is left."""
    objective = Kinked(0.8)
    start = torch.full((7,), 3.0, dtype=torch.float64)
    solution = minimise(objective, start, Budget(1e-9, max_iterations=3, smooth=False), curvature_floor=1.0)
    left = solution.objective - objective.minimum
    assert left > 0.0
    assert left <= solution.error_estimate


def test_the_bound_is_sharp_where_the_points_tell_all() -> None:
    """Two gradients on both sides of the kink of |u| + ½u² leave nothing open; the control has one side only."""

    def at(x: float) -> tuple[torch.Tensor, Evaluation]:
        u = torch.tensor([x], dtype=torch.float64)
        value = abs(x) + 0.5 * x * x
        return u, Evaluation(value, {"terminal": value}, u.sign() + u)

    u, now = at(1e-3)
    both, one = Bundle(), Bundle()
    for x in (-1e-3, 0.4):
        both.add(*at(x))
    one.add(*at(0.4))
    assert now.objective <= both.gap(u, now, 1.0) <= 2.1 * now.objective
    assert one.gap(u, now, 1.0) == pytest.approx(0.5 * 1.001**2, rel=0.1)
