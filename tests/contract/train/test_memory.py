"""Memory of train jobs: what is refused, what is estimated, and how a budget is shared."""

from __future__ import annotations

from typing import Any

import pytest

from service.contract.estimate import Sizes
from service.contract.train.estimate import deepest_affordable, memory_of
from service.contract.train.resolve import Resolution, resolve_train
from service.contract.values.errors import SpecInvalidError
from service.contract.values.limits import LIMITS
from tests.support.specs import parse_train

MIB = 2**20
DEEP: dict[str, Any] = {
    "kind": "train",
    "data": {"source": "builtin", "name": "digits"},
    "discrete": {"depths": [4, 1024]},
    "continuum": None,
}


def resolved(memory_mb: int | None = None, **more: Any) -> Resolution:
    limits = {} if memory_mb is None else {"limits": {"memory_mb": memory_mb}}
    return resolve_train(parse_train(DEEP | more | limits))


def least(memory: Resolution) -> int:
    return memory_of(memory.spec, memory.sizes, memory.spec.depths).least()


def test_what_cannot_fit_is_refused_with_what_it_needs_and_what_to_change() -> None:
    needed = -(-least(resolved()) // MIB)
    with pytest.raises(SpecInvalidError) as refused:
        resolved(needed - 1)
    (error,) = refused.value.errors
    assert (error.pointer, error.code) == ("/limits/memory_mb", "too_small")
    assert f"at least {needed} MiB" in error.detail
    assert "raise limits.memory_mb, or train shallower networks" in error.detail
    assert resolved(needed).spec.limits.memory_mb == needed


@pytest.mark.parametrize("more", [1, 1.2, 2, 5, 100])
def test_what_is_estimated_is_within_what_is_allowed(more: float) -> None:
    free = resolved()
    allowed = int(more * least(free)) // MIB + 1
    bound = resolved(allowed)
    assert bound.estimate.memory_bytes <= allowed * MIB
    assert bound.estimate.memory_bytes <= free.estimate.memory_bytes
    shares = memory_of(bound.spec, bound.sizes, bound.spec.depths).shares(allowed * MIB)
    assert shares.states is not None
    assert shares.vectors is not None
    assert 0 < shares.states + shares.vectors < allowed * MIB


def test_without_a_limit_the_mathematics_takes_what_makes_it_fast() -> None:
    free = resolved()
    shares = memory_of(free.spec, free.sizes, free.spec.depths).shares(None)
    assert (shares.states, shares.vectors) == (None, None)
    assert "memory_mb" not in free.spec.model_dump()["limits"]


@pytest.mark.parametrize(
    "more",
    [
        {"network": {"state_dim": 100}},
        {"network": {"integrator": "rk4"}},
        {"network": {"block": "two_layer"}},
        {"discrete": {"depths": [4, 2048]}},
    ],
)
def test_larger_models_take_more(more: dict[str, Any]) -> None:
    assert resolved(**more).estimate.memory_bytes > resolved().estimate.memory_bytes
    assert least(resolved(**more)) > least(resolved())


def test_half_the_precision_takes_less_and_kinks_need_no_second_derivatives() -> None:
    small: dict[str, Any] = {"discrete": {"depths": [4, 8]}}
    single, double = (resolved(training={"kernel": "torch", "dtype": dtype}) for dtype in ("float32", "float64"))
    assert single.estimate.memory_bytes < 0.6 * double.estimate.memory_bytes
    torch: dict[str, Any] = small | {"training": {"kernel": "torch"}}  # by the fused kernel products keep nothing
    kinks = resolved(network={"activation": "relu"}, **torch).estimate.memory_bytes
    assert kinks < resolved(**torch).estimate.memory_bytes


@pytest.mark.parametrize(
    "more",
    [
        {"training": {"kernel": "torch"}},
        {"training": {"device": "cuda"}},
        {"network": {"activation": "gelu"}},
        {"network": {"integrator": "implicit_euler"}},
        {"network": {"state_dim": 129}},
    ],
)
def test_the_fused_kernel_keeps_one_block_of_samples(more: dict[str, Any]) -> None:
    """Where torch's serves, all states of a Hessian-vector product are kept, as far as its bytes go."""
    many: dict[str, Any] = {"discrete": {"depths": [4, 64]}}
    fused, torch = (resolved(**many | each) for each in ({}, more))
    assert memory_of(fused.spec, fused.sizes, fused.spec.depths).fused
    assert not memory_of(torch.spec, torch.sizes, torch.spec.depths).fused
    assert fused.estimate.memory_bytes < 0.5 * torch.estimate.memory_bytes


def test_samples_that_are_held_out_are_not_trained_on() -> None:
    many: dict[str, Any] = {
        "data": {"source": "builtin", "name": "moons", "samples": 50_000},
        "discrete": {"depths": [4, 8]},
    }
    held = {"data": many["data"] | {"validation_fraction": 0.5}}
    assert resolved(**many | held).estimate.memory_bytes < 0.8 * resolved(**many).estimate.memory_bytes


def test_a_depth_is_sought_within_the_memory() -> None:
    wanted: dict[str, Any] = {"discrete": {"depths": {"gap": 1e-6}}, "continuum": {}}
    free = resolved(**wanted)
    ladder = memory_of(free.spec, free.sizes, free.spec.depths).least()
    bound = resolved(2 * ladder // MIB, **wanted)
    found = deepest_affordable(bound.spec, Sizes(1797, 10), LIMITS).depth
    assert max(bound.spec.depths) < found < deepest_affordable(free.spec, Sizes(1797, 10), LIMITS).depth
    depths = [*bound.spec.depths, found]
    assert memory_of(bound.spec, bound.sizes, depths).least() <= 2 * ladder
    assert memory_of(bound.spec, bound.sizes, [*depths[:-1], found + 1]).least() > 2 * ladder // MIB * MIB
