"""Specifications and tables for the tests of the page: small enough to be trained while one waits."""

from __future__ import annotations

from typing import Any

MOONS: dict[str, Any] = {
    "kind": "train",
    "name": "moons <img src=x onerror=alert(1)>",
    "data": {"source": "builtin", "name": "moons", "samples": 30, "validation_fraction": 0.2},
    "network": {"state_dim": 3},
    "discrete": {"depths": [4, 8]},
    "continuum": {"tolerance": 1e-4},
    "training": {"starts": 1, "gradient_tolerance": 1e-5, "sharpen": False},
}
LINE: dict[str, Any] = {
    **MOONS,
    "name": "a line",
    "data": {"source": "inline", "inputs": [[0.1], [0.4], [0.9], [1.7]], "targets": [1.0, 2.5, 2.0, 7.5]},
    "network": {
        "state_dim": 2,
        "activation": "gelu",
        "integrator": "rk4",
        "block": "two_layer",
        "width": 3,
        "horizon": 2.0,
    },
    "continuum": {"basis": "piecewise_linear", "tolerance": 1e-3},
}
LONG: dict[str, Any] = {
    "kind": "train",
    "name": "a long one",
    "data": {"source": "builtin", "name": "breast_cancer"},
    "discrete": {"depths": [256, 512]},
    "training": {"gradient_tolerance": 1e-12, "starts": 16},
}
BIRDS = "bill,flipper,species\n" + "".join(
    f"{39 + i % 5 + 8 * (i % 2)},{180 + i % 7 + 30 * (i % 2)},{('Adelie', 'Gentoo')[i % 2]}\n" for i in range(24)
)
WITH_GAPS = BIRDS + "NA,190,Adelie\n41,NA,Gentoo\n"
