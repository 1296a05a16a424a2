"""What jobs are expected to cost: ratios that follow from the sizes of layers, stages and solves."""

from __future__ import annotations

from typing import Any

import pytest

from service.contract.estimate import Estimate, Sizes
from service.contract.evaluate.estimate import CONTINUUM_STEPS, estimate_evaluate
from service.contract.evaluate.request import EvaluateSpec
from service.contract.evaluate.resolve import TrainedJob, resolve_evaluate
from service.contract.kinds import parse
from service.contract.train.depths import LADDER
from service.contract.train.estimate import deepest_affordable, estimate_train
from service.contract.train.layer_cost import LayerCost
from service.contract.train.resolve import Resolution, resolve_train
from service.contract.values.limits import LIMITS, Limits
from tests.support.specs import parse_train

MOONS: dict[str, Any] = {"kind": "train", "data": {"source": "builtin", "name": "moons"}}
D, SAMPLES, OUTPUTS = 20, 200, 2
READOUT = 2 * OUTPUTS * D
"""Operations of a sample's prediction from its last state."""


def resolved(limits: Limits = LIMITS, **more: object) -> Resolution:
    return resolve_train(parse_train(MOONS | more), limits)


def evaluated(network: dict[str, Any] | None = None, **more: object) -> Estimate:
    """Estimate an evaluation of one network of depth 64, d = 20, unless said."""
    spec = parse({"kind": "evaluate", "job_id": "a-train-job", "models": ["discrete-64"], **more})
    assert isinstance(spec, EvaluateSpec)
    trained = resolved(network={"state_dim": D} | (network or {})).spec
    return resolve_evaluate(spec, TrainedJob(trained, ("discrete-64", "continuum"), OUTPUTS))[1]


def layers_work(found: Estimate) -> float:
    """Operations without those of the readout, for one sample and layer."""
    return (found.work_flops / SAMPLES - READOUT) / 64


def test_training_grows_with_depth_and_samples() -> None:
    def cost(samples: int, depths: list[int]) -> tuple[int, int, float]:
        found = estimate_train(resolved(discrete={"depths": depths}).spec, Sizes(samples, 2), LIMITS)
        return found.parameters, found.memory_bytes, found.work_flops

    assert cost(200, [2, 512]) > cost(200, [2, 256])
    assert cost(400, [2, 256])[2] == 2 * cost(200, [2, 256])[2]
    # 256 layers of 2×2 and 2 numbers, and a readout of 2×2 and 2
    assert cost(200, [2, 256])[0] == 256 * 6 + 6


def test_a_gradient_is_three_passes() -> None:
    for network in ({}, {"integrator": "rk4"}, {"block": "two_layer", "width": 7}):
        layer = LayerCost.of(resolved(network=network).spec.network)
        assert layer.gradient() == 3 * layer.forward()


@pytest.mark.parametrize(
    ("network", "ratio"),
    [
        ({"integrator": "midpoint"}, 2.0),
        ({"integrator": "rk4"}, 4.0),
        ({"block": "two_layer"}, 2.0),  # K and V, each (d, d)
        ({"block": "two_layer", "width": 3 * D}, 6.0),  # K (3d, d) and V (d, 3d)
        ({"block": "two_layer", "width": 3 * D, "integrator": "rk4"}, 24.0),
        ({"integrator": "implicit_euler"}, 1.0 + 3.0 * D**3 / (2.0 * D**2)),  # three systems of size d
    ],
)
def test_an_evaluation_costs_what_its_layers_do(network: dict[str, Any], ratio: float) -> None:
    paper = layers_work(evaluated())
    assert paper == pytest.approx(2.0 * D**2)
    assert layers_work(evaluated(network)) == pytest.approx(ratio * paper)


def test_an_evaluation_holds_what_its_layers_do() -> None:
    assert evaluated().parameters == 64 * (D**2 + D) + OUTPUTS * (D + 1)
    wide = evaluated({"block": "two_layer", "width": 30})
    assert wide.parameters == 64 * (2 * 30 * D + 30) + OUTPUTS * (D + 1)
    assert evaluated({"weights": "constant"}).parameters == D**2 + D + OUTPUTS * (D + 1)
    for network in ({"integrator": "rk4"}, {"block": "two_layer", "width": 30}):
        assert evaluated(network).memory_bytes > evaluated().memory_bytes


def test_the_continuum_has_the_layers_of_the_network_and_stages_of_its_own() -> None:
    steps = 4.0 * CONTINUUM_STEPS / 64.0
    own = layers_work(evaluated(models=["continuum"]))
    assert own == pytest.approx(steps * 2.0 * D**2)
    for integrator in ("rk4", "implicit_euler"):
        assert layers_work(evaluated({"integrator": integrator}, models=["continuum"])) == pytest.approx(own)
    two = layers_work(evaluated({"block": "two_layer"}, models=["continuum"]))
    assert two == pytest.approx(2.0 * own)


def test_more_outputs_take_more_passes() -> None:
    one = evaluated(outputs=["metrics"]).work_flops
    assert evaluated(outputs=["metrics", "states"]).work_flops == 2.0 * one
    noise = {"levels": [0.1, 0.2, 0.3], "repeats": 5}
    assert evaluated(outputs=["robustness"], noise=noise).work_flops == 16.0 * one
    few, many = (
        evaluated(outputs=["solvers"], solvers={"steps": steps}).work_flops - one for steps in ([8], [8, 1000])
    )
    # each step of 1000: one stage of Euler's method, two of the midpoint rule, four, and one with three systems
    assert many - few == pytest.approx(SAMPLES * 1000 * (8 * 2.0 * D**2 + 3.0 * D**3))
    two_layer = {"block": "two_layer"}
    few, many = (
        evaluated(two_layer, outputs=["solvers"], solvers={"steps": steps}).work_flops for steps in ([8], [8, 1000])
    )
    # no implicit method for these
    assert many - few == pytest.approx(SAMPLES * 1000 * 7 * 4.0 * D**2)


def test_systems_are_solved_where_layers_are_implicit_and_not_in_the_flow() -> None:
    paper, implicit = (
        resolved(discrete=None, network={"state_dim": D, "integrator": integrator}).estimate.work_flops
        for integrator in ("euler", "implicit_euler")
    )
    assert implicit == paper
    paper, implicit = (
        resolved(
            continuum=None, discrete={"depths": [64]}, network={"state_dim": D, "integrator": integrator}
        ).estimate.work_flops
        for integrator in ("euler", "implicit_euler")
    )
    per_layer, readout = 6.0 * D**2, 6.0 * OUTPUTS * D / 64
    assert implicit / paper == pytest.approx((per_layer + 4.0 * D**3 + readout) / (per_layer + readout))


@pytest.mark.parametrize("wanted", [{"gap": 1e-4}, {"prediction_error": 1e-3}])
def test_a_depth_that_is_sought_is_bounded_beside_what_seeks_it(wanted: dict[str, float]) -> None:
    found = resolved(discrete={"depths": wanted}).estimate
    ladder = resolved(discrete={"depths": list(LADDER)}).estimate
    assert found.model_copy(update={"at_most": None}) == ladder
    assert found.at_most is not None
    assert found.at_most.depth == LIMITS.depth
    deepest = resolved(discrete={"depths": [*LADDER, LIMITS.depth]}).estimate
    assert found.at_most.model_dump() == deepest.model_dump() | {"depth": LIMITS.depth}
    assert set(ladder.model_dump()) == {"parameters", "memory_bytes", "work_flops"}
    assert set(found.model_dump()) == {"parameters", "memory_bytes", "work_flops", "at_most"}


@pytest.mark.parametrize("measure", ["memory_bytes", "work_flops"])
def test_the_deepest_network_is_what_the_limits_allow(measure: str) -> None:
    found = resolved(discrete={"depths": {"gap": 1e-4}})
    assert deepest_affordable(found.spec, found.sizes, Limits(depth=100)).depth == 100
    limits = LIMITS.model_copy(update={measure: 2 * getattr(found.estimate, measure)})
    deepest = deepest_affordable(found.spec, found.sizes, limits).depth
    assert LADDER[-1] < deepest < LIMITS.depth
    for depth, fits in ((deepest, True), (deepest + 1, False)):
        cost = resolved(discrete={"depths": [*LADDER, depth]}).estimate
        assert (getattr(cost, measure) <= getattr(limits, measure)) is fits
    assert resolved(limits, discrete={"depths": {"gap": 1e-4}}).estimate.at_most == deepest_affordable(
        found.spec, found.sizes, limits
    )
    nothing = LIMITS.model_copy(update={measure: 1})
    assert deepest_affordable(found.spec, found.sizes, nothing).depth == LADDER[-1]


def test_what_is_evaluated_is_what_is_counted() -> None:
    spec = parse({"kind": "evaluate", "job_id": "x", "models": ["discrete-64"], "depths": [128]})
    assert isinstance(spec, EvaluateSpec)
    trained = TrainedJob(resolved().spec, ("discrete-64", "continuum"), OUTPUTS)
    found, cost = resolve_evaluate(spec, trained)
    assert cost == estimate_evaluate(found, Sizes(SAMPLES, OUTPUTS))
    assert cost.work_flops == SAMPLES * ((64 + 128) * 2.0 * 4 + 2 * 2.0 * OUTPUTS * 2)
