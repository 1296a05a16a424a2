"""Nodes of ONNX graphs in float64, and activations of nodes that onnxruntime computes in float64."""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FARTHEST: Final = 8.0
"""Beyond ±8√2 the normal distribution function is 0 or 1 to 1e-29."""
DEGREE: Final = 32
"""Of the polynomial for the normal distribution function: with it the error is that of rounding."""


class Nodes:
    """Nodes of one graph, in order; graphs within it share its constants and its supply of names."""

    def __init__(self, outer: Nodes | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = outer.constants if outer is not None else []
        self.numbers: count[int] = outer.numbers if outer is not None else count()

    def name(self, stem: str) -> str:
        """Return a name that nothing else has."""
        return f"{stem}_{next(self.numbers)}"

    def constant(self, value: Any) -> str:
        """Keep an array, or a number, and return its name."""
        name = self.name("constant")
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def op(self, kind: str, *inputs: str | float, outputs: int = 1, **attributes: Any) -> str:
        """Add a node and return the name of its first output; numbers become constants."""
        names = [self.constant(np.float64(given)) if isinstance(given, float) else given for given in inputs]
        made = [self.name(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, **attributes))
        return made[0]


def activation(nodes: Nodes, name: str, z: str) -> str:
    """Add σ(z)."""
    op = nodes.op
    made: dict[str, Callable[[], str]] = {
        "identity": lambda: z,
        "tanh": lambda: op("Tanh", z),
        "sin": lambda: op("Sin", z),
        "relu": lambda: op("Relu", z),
        "leaky_relu": lambda: op("Max", z, op("Mul", z, 0.01)),
        "softplus": lambda: op(
            "Add", op("Max", z, 0.0), op("Log", op("Mul", op("Add", op("Exp", op("Neg", op("Abs", z))), 1.0), 0.5))
        ),
        "silu": lambda: op("Mul", z, op("Sigmoid", z)),
        "gelu": lambda: op("Mul", z, normal(nodes, z)),
        "sigmoid": lambda: op("Sigmoid", z),
    }
    return made[name]()


def slope(nodes: Nodes, name: str, z: str) -> str:
    """Add σ'(z), for Newton's method."""
    op = nodes.op
    density = 1.0 / math.sqrt(2.0 * math.pi)

    def sigmoid_slope() -> str:
        s = op("Sigmoid", z)
        return op("Mul", s, op("Sub", 1.0, s))

    def step() -> str:
        return op("Cast", op("Greater", z, 0.0), to=onnx.TensorProto.DOUBLE)

    made: dict[str, Callable[[], str]] = {
        "identity": lambda: op("Exp", op("Mul", z, 0.0)),
        "tanh": lambda: op("Sub", 1.0, op("Mul", op("Tanh", z), op("Tanh", z))),
        "sin": lambda: op("Sin", op("Add", z, 0.5 * math.pi)),
        "relu": step,
        "leaky_relu": lambda: op("Add", op("Mul", step(), 0.99), 0.01),
        "softplus": lambda: op("Sigmoid", z),
        "silu": lambda: op("Add", op("Sigmoid", z), op("Mul", z, sigmoid_slope())),
        "gelu": lambda: op(
            "Add",
            normal(nodes, z),
            op("Mul", z, op("Mul", op("Exp", op("Mul", op("Mul", z, z), -0.5)), density)),
        ),
        "sigmoid": sigmoid_slope,
    }
    return made[name]()


def normal(nodes: Nodes, z: str) -> str:
    """Add the distribution function of the standard normal, for which onnxruntime has no float64.

    With a = |z|/√2 and t = 2/(2 + a), erfc(a) = exp(−a² + q(t)); q is smooth, and a polynomial to rounding.
    """
    op = nodes.op
    a = op("Min", op("Mul", op("Abs", z), math.sqrt(0.5)), FARTHEST)
    t = op("Div", 2.0, op("Add", a, 2.0))
    low = 2.0 / (2.0 + FARTHEST)
    u = op("Sub", op("Mul", t, 2.0 / (1.0 - low)), (1.0 + low) / (1.0 - low))
    first, *others = _coefficients(low).tolist()
    twice = op("Add", u, u)
    ahead, further = op("Mul", u, 0.0), op("Mul", u, 0.0)
    for coefficient in reversed(others):  # Clenshaw's recurrence
        ahead, further = op("Add", op("Sub", op("Mul", twice, ahead), further), coefficient), ahead
    q = op("Add", op("Sub", op("Mul", u, ahead), further), first)
    half = op("Mul", op("Exp", op("Sub", q, op("Mul", a, a))), 0.5)
    return op("Where", op("Greater", z, 0.0), op("Sub", 1.0, half), half)


def _coefficients(low: float) -> NDArray[np.float64]:
    """Return the Chebyshev coefficients of q(t) on [low, 1]."""
    u = np.polynomial.chebyshev.chebpts1(DEGREE + 1)
    a = 4.0 / ((1.0 - low) * u + 1.0 + low) - 2.0
    q = np.array([math.log(math.erfc(value)) + value * value for value in a.tolist()])
    return np.polynomial.chebyshev.chebfit(u, q, DEGREE)
