"""Regimes in a specification: defaults, rules between fields, cost."""

from __future__ import annotations

from typing import Any

import pytest

from service.contract.train.resolve import resolve_train
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.values.errors import SpecInvalidError
from tests.support.specs import parse_train

MOONS: dict[str, Any] = {"kind": "train", "data": {"source": "builtin", "name": "moons"}}


def body(**parts: Any) -> dict[str, Any]:
    return {**MOONS, **parts}


def resolved(**parts: Any) -> ResolvedTrainSpec:
    return resolve_train(parse_train(body(**parts))).spec


def errors(**parts: Any) -> list[tuple[str, str]]:
    with pytest.raises(SpecInvalidError) as caught:
        resolve_train(parse_train(body(**parts)))
    return [(error.pointer, error.code) for error in caught.value.errors]


def test_a_resolved_specification_from_before_means_the_papers_regime() -> None:
    spec = resolved()
    old = spec.model_dump(mode="json")
    for part, names in {
        "network": ("weights", "integrator", "block", "width", "horizon"),
        "objective": ("scaling", "running_cost"),
        "training": ("depth_start",),
    }.items():
        for name in names:
            del old[part][name]
    assert ResolvedTrainSpec.model_validate(old) == spec


@pytest.mark.parametrize("scaling", ["none", "l2", "unscaled"])
def test_other_scalings_have_no_continuum(scaling: str) -> None:
    objective = {"scaling": scaling}
    assert resolved(objective=objective).continuum is None
    assert resolved(objective=objective, continuum=None).continuum is None
    assert errors(objective=objective, continuum={}) == [("/continuum", "not_applicable")]
    assert errors(objective=objective, discrete=None) == [("", "nothing_to_train")]


def test_the_papers_scaling_keeps_its_continuum() -> None:
    assert resolved(objective={"scaling": "h1"}).continuum is not None
    assert resolved(network={"weights": "constant"}).continuum is not None


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ({"network": {"weights": "constant"}, "objective": {"scaling": "l2"}}, "/objective/scaling"),
        ({"training": {"depth_start": "recovery"}, "continuum": None}, "/training/depth_start"),
        ({"training": {"depth_start": "recovery"}, "objective": {"scaling": "none"}}, "/training/depth_start"),
        ({"network": {"width": 3}}, "/network/width"),
        ({"network": {"block": "two_layer", "fixed": {"K": "zero"}}}, "/network/fixed/K"),
        ({"network": {"block": "two_layer", "integrator": "implicit_euler"}}, "/network/integrator"),
        ({"training": {"kernel": "fused"}, "network": {"block": "two_layer"}}, "/training/kernel"),
        ({"training": {"kernel": "fused"}, "network": {"integrator": "implicit_euler"}}, "/training/kernel"),
        ({"training": {"kernel": "fused"}, "network": {"activation": "gelu"}}, "/training/kernel"),
        ({"training": {"kernel": "fused", "dtype": "float32"}}, "/training/kernel"),
        ({"training": {"kernel": "fused", "device": "cuda"}}, "/training/kernel"),
    ],
)
def test_what_does_not_go_together(parts: dict[str, Any], pointer: str) -> None:
    assert errors(**parts) == [(pointer, "not_applicable")]


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("network", "horizon", 0),
        ("network", "horizon", 1e9),
        ("network", "integrator", "dopri5"),
        ("network", "weights", None),
        ("network", "width", 0),
        ("network", "block", "bottleneck"),
        ("objective", "scaling", "tv"),
        ("objective", "running_cost", -1),
        ("training", "depth_start", "warm"),
    ],
)
def test_values_that_are_refused(part: str, name: str, value: object) -> None:
    assert [pointer for pointer, _ in errors(**{part: {name: value}})] == [f"/{part}/{name}"]


def test_two_layer_blocks_are_as_wide_as_the_state_unless_said() -> None:
    assert resolved(network={"block": "two_layer", "state_dim": 3}).network.width == 3
    assert resolved(network={"block": "two_layer", "width": 5}).network.width == 5
    assert resolved().network.width is None
    fixed = {"b": [0.0] * 5}
    assert resolved(network={"block": "two_layer", "width": 5, "fixed": fixed}).network.fixed.b == [0.0] * 5
    assert errors(network={"block": "two_layer", "width": 4, "fixed": fixed}) == [("/network/fixed/b", "wrong_shape")]


def cost(**parts: Any) -> tuple[int, int, float]:
    found = resolve_train(parse_train(body(**parts))).estimate
    return found.parameters, found.memory_bytes, found.work_flops


def test_what_regimes_cost() -> None:
    paper = cost(continuum=None)
    for more in ({"integrator": "rk4"}, {"block": "two_layer", "width": 10}, {"integrator": "implicit_euler"}):
        assert cost(continuum=None, network=more) > paper
        assert cost(continuum=None, network=more)[1] > paper[1]
        assert cost(continuum=None, network=more)[2] > paper[2]
    assert cost(continuum=None, network={"weights": "constant"})[0] == 4 + 2 + 4 + 2
    assert cost(continuum=None, network={"block": "two_layer", "width": 3})[0] == 64 * (12 + 3) + 4 + 2
    assert cost(training={"starts": 16, "depth_start": "independent"})[2] > cost(training={"starts": 16})[2]
