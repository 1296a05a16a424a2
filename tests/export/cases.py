"""Small studies that together have every activation, integrator, block, basis, output and scaling."""

from __future__ import annotations

from typing import Any

MOONS = {"source": "builtin", "name": "moons", "samples": 30}
TWO_NUMBERS = {
    "source": "inline",
    "inputs": [[0.1 * i, (0.7 * i) % 1.0, 5.0 - 0.3 * i] for i in range(12)],
    "targets": [[100.0 + 3.0 * i, (0.4 * i) % 1.3] for i in range(12)],
}
SIGNS = {
    "source": "inline",
    "inputs": [[0.3 * i - 1.5, (0.7 * i) % 1.0] for i in range(12)],
    "targets": [1 if i % 3 else -1 for i in range(12)],
    "standardise": False,
}
FEW: dict[str, Any] = {"starts": 1, "max_iterations": 30}

CASES: dict[str, dict[str, Any]] = {
    "tanh euler softmax, polynomials": {"data": MOONS | {"validation_fraction": 0.3}},
    "relu midpoint numbers, linear pieces, padded, long": {
        "data": TWO_NUMBERS,
        "network": {"activation": "relu", "integrator": "midpoint", "state_dim": 4, "horizon": 2.5},
        "continuum": {"basis": "piecewise_linear", "tolerance": 1e-2},
    },
    "gelu rk4 two_layer logistic, as they come": {
        "data": SIGNS,
        "network": {"activation": "gelu", "integrator": "rk4", "block": "two_layer", "width": 3},
        "objective": {"loss": "logistic"},
    },
    "softplus implicit": {"data": MOONS, "network": {"activation": "softplus", "integrator": "implicit_euler"}},
    "gelu implicit numbers": {
        "data": TWO_NUMBERS,
        "network": {"activation": "gelu", "integrator": "implicit_euler", "horizon": 2.0},
    },
    "silu midpoint two_layer": {
        "data": MOONS,
        "network": {"activation": "silu", "integrator": "midpoint", "block": "two_layer", "width": 2},
    },
    "sin euler two_layer numbers": {
        "data": TWO_NUMBERS,
        "network": {"activation": "sin", "block": "two_layer", "width": 5, "state_dim": 4},
    },
    "sigmoid rk4": {"data": MOONS, "network": {"activation": "sigmoid", "integrator": "rk4"}},
    "leaky_relu implicit": {
        "data": MOONS,
        "network": {"activation": "leaky_relu", "integrator": "implicit_euler"},
        "continuum": {"tolerance": 1e-2},
    },
    "identity euler, targets as they come": {
        "data": TWO_NUMBERS | {"standardise_targets": False, "targets": [0.1 * i for i in range(12)]},
        "network": {"activation": "identity"},
    },
    "constant weights in single precision": {
        "data": MOONS,
        "network": {"weights": "constant", "integrator": "midpoint"},
        "training": FEW | {"dtype": "float32"},
    },
    "without a limit": {"data": SIGNS, "objective": {"loss": "logistic", "scaling": "l2"}, "continuum": None},
}
UNSEEN = {2: [[0.5, -0.25], [1.5, 0.75], [-1.0, 1.0], [0.0, 0.0]], 3: [[0.5, 0.2, 3.0], [-0.4, 0.9, 6.0]]}
"""Inputs by their number of columns."""
DEPTHS = [3, 8]


def parts_of(case: str) -> dict[str, Any]:
    """A specification's parts, quick to train."""
    return {"training": FEW, "discrete": {"depths": DEPTHS}, **CASES[case]}
