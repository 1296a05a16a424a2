"""The problems: a family with closed forms, small nonlinear ones, and some with kinks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch

from benchmarks.linear_quadratic import LinearQuadratic
from deeplimit.mathematics import Problem, Regime, Regularisation
from deeplimit.mathematics.problem.regime import Integrator

_SINGLE: Final = torch.float32


@dataclass(frozen=True)
class Case:
    """One problem in a precision; ``closed`` has its answers where there are closed forms."""

    name: str
    build: Callable[[torch.dtype], Problem]
    dtype: torch.dtype = torch.float64
    closed: LinearQuadratic | None = None

    @property
    def smooth(self) -> bool:
        """Whether σ is."""
        return self.build(self.dtype).smooth


def cases() -> list[Case]:
    """Return every case, its name headed by its group: closed, nonlinear or kinks."""
    groups = {"closed": _closed(), "nonlinear": _nonlinear(), "kinks": _nonsmooth()}
    return [replace(case, name=f"{group}: {case.name}") for group, each in groups.items() for case in each]


def _closed() -> list[Case]:
    implicit, midpoint, rk4 = Integrator.IMPLICIT_EULER, Integrator.MIDPOINT, Integrator.RK4
    family = [
        LinearQuadratic(0.0),
        LinearQuadratic(0.0, y=1.002),
        LinearQuadratic(1.0, y=3.5, alpha=0.01),
        LinearQuadratic(-1.0, y=1.9),
        LinearQuadratic(2.0, x=0.5, alpha=1.0, tau=0.5),
        LinearQuadratic(0.5, y=-1.0, alpha=1e-3, tau=2.0),
        LinearQuadratic(0.3, y=1.4),
        LinearQuadratic(1.0, integrator=midpoint),
        LinearQuadratic(-1.0, y=0.5, alpha=0.01, integrator=midpoint),
        LinearQuadratic(1.0, y=1.0, integrator=rk4),
        LinearQuadratic(0.5, alpha=0.01, integrator=rk4),
        LinearQuadratic(-2.0, y=1.0, alpha=1.0, tau=3.0, integrator=rk4),
        LinearQuadratic(1.0, y=4.0, integrator=implicit),
        LinearQuadratic(-1.0, alpha=0.01, integrator=implicit),
        LinearQuadratic(0.5, y=-2.0, tau=0.3, integrator=implicit),
    ]
    single = [
        LinearQuadratic(1.0, y=3.5),
        LinearQuadratic(-0.5, integrator=rk4),
        LinearQuadratic(0.5, integrator=implicit),
    ]
    return [
        Case(f"{each.integrator.value} k={each.k:g} y={each.y:g} α={each.alpha:g}", each.problem, dtype, each)
        for dtype, group in ((torch.float64, family), (_SINGLE, single))
        for each in group
    ]


def _odd_pair(activation: str, **more: Any) -> Callable[[torch.dtype], Problem]:
    """Two samples, x = ±1 and y = ±2, everything trained."""
    weights = Regularisation({"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1})
    return lambda dtype: Problem(
        [[1.0], [-1.0]], [[2.0], [-2.0]], activation=activation, regularisation=weights, dtype=dtype, **more
    )


def _regression(activation: str, alpha: float, **more: Any) -> Callable[[torch.dtype], Problem]:
    """A curve in the plane."""
    t = np.linspace(-1.0, 1.0, 6)
    x, y = np.stack([t, np.cos(2.0 * t)], 1), np.stack([np.sin(2.0 * t) + t**2], 1)
    weights = Regularisation(dict.fromkeys("KbWc", alpha))
    return lambda dtype: Problem(x, y, activation=activation, regularisation=weights, dtype=dtype, **more)


def _classes(activation: str, loss: str, alpha: float) -> Callable[[torch.dtype], Problem]:
    """Two arcs, one class each."""
    t = np.linspace(0.0, np.pi, 8)
    x = np.concatenate([np.stack([np.cos(t), np.sin(t)], 1), np.stack([1.0 - np.cos(t), 0.4 - np.sin(t)], 1)])
    y = np.repeat([0, 1] if loss == "cross_entropy" else [-1, 1], 8)
    weights = Regularisation(dict.fromkeys("KbWc", alpha))
    return lambda dtype: Problem(x, y, activation=activation, loss=loss, regularisation=weights, dtype=dtype)


def _nonlinear() -> list[Case]:
    return [
        Case("odd pair identity", _odd_pair("identity")),
        Case("odd pair tanh", _odd_pair("tanh")),
        Case("odd pair tanh midpoint", _odd_pair("tanh", regime=Regime(integrator=Integrator.MIDPOINT))),
        Case("odd pair tanh rk4", _odd_pair("tanh", regime=Regime(integrator=Integrator.RK4))),
        Case("odd pair tanh implicit", _odd_pair("tanh", regime=Regime(integrator=Integrator.IMPLICIT_EULER))),
        Case("odd pair tanh horizon 2", _odd_pair("tanh", regime=Regime(horizon=2.0))),
        Case("odd pair silu running cost", _odd_pair("silu", regime=Regime(running_cost=0.05))),
        Case("curve tanh", _regression("tanh", 0.01)),
        Case("curve silu", _regression("silu", 0.02)),
        Case("curve softplus", _regression("softplus", 0.05)),
        Case("curve sin", _regression("sin", 0.05)),
        Case("arcs logistic", _classes("tanh", "logistic", 0.01)),
        Case("arcs softmax", _classes("gelu", "cross_entropy", 0.02)),
        Case("odd pair tanh", _odd_pair("tanh"), _SINGLE),
        Case("curve tanh", _regression("tanh", 0.02), _SINGLE),
        Case("arcs logistic", _classes("tanh", "logistic", 0.02), _SINGLE),
    ]


def _nonsmooth() -> list[Case]:
    return [
        Case("odd pair relu", _odd_pair("relu")),
        Case("odd pair leaky", _odd_pair("leaky_relu")),
        Case("odd pair relu midpoint", _odd_pair("relu", regime=Regime(integrator=Integrator.MIDPOINT))),
        Case("curve relu", _regression("relu", 0.02)),
        Case("curve leaky", _regression("leaky_relu", 0.02)),
        Case("arcs relu logistic", _classes("relu", "logistic", 0.02)),
        Case("curve relu", _regression("relu", 0.02), _SINGLE),
    ]
