"""A wanted gap in the place of depths."""

from __future__ import annotations

from typing import Any

import pytest

from service.contract.depths import GAP_LADDER
from service.contract.errors import SpecInvalidError
from service.contract.estimate import deepest_affordable, estimate
from service.contract.limits import LIMITS, Limits
from service.contract.resolve import Resolution, resolve
from service.contract.resolved import ResolvedTrainSpec
from service.contract.sequence import Classification, DepthAdvice
from service.contract.spec import parse_spec

MOONS: dict[str, Any] = {"kind": "train", "data": {"source": "builtin", "name": "moons"}}


def run(depths: object, **more: object) -> Resolution:
    return resolve(parse_spec({**MOONS, "discrete": {"depths": depths}, **more}))


def errors(depths: object, **more: object) -> list[tuple[str, str]]:
    with pytest.raises(SpecInvalidError) as caught:
        run(depths, **more)
    return [(error.pointer, error.code) for error in caught.value.errors]


def test_a_wanted_gap_is_kept_and_read_back() -> None:
    resolved = run({"gap": 1e-4}).spec
    body = resolved.model_dump(mode="json")
    assert body["discrete"] == {"depths": {"gap": 1e-4}}
    again = ResolvedTrainSpec.model_validate(body)
    assert again == resolved
    assert again.gap == 1e-4
    assert again.depths == GAP_LADDER == (8, 16, 32)


def test_a_list_of_depths_wants_no_gap() -> None:
    resolved = run([8, 16]).spec
    assert resolved.gap is None
    assert resolved.depths == (8, 16)
    assert resolved.model_dump(mode="json")["discrete"] == {"depths": [8, 16]}
    assert resolve(parse_spec({**MOONS, "discrete": None})).spec.gap is None


@pytest.mark.parametrize(
    ("depths", "pointer", "code"),
    [
        ({}, "/discrete/depths/gap", "required"),
        ({"gap": 0}, "/discrete/depths/gap", "too_small"),
        ({"gap": -1e-4}, "/discrete/depths/gap", "too_small"),
        ({"gap": "1e-4"}, "/discrete/depths/gap", "not_a_number"),
        ({"gap": True}, "/discrete/depths/gap", "not_a_number"),
        ({"gap": float("inf")}, "/discrete/depths/gap", "not_finite"),
        ({"gap": 1e-4, "depth": 8}, "/discrete/depths/depth", "unknown_field"),
        ("gap", "/discrete/depths", "not_an_array"),
        (None, "/discrete/depths", "not_an_array"),
        ([8, {"gap": 1e-4}], "/discrete/depths/1", "not_an_integer"),
        ([8, 8], "/discrete/depths/1", "not_increasing"),
        ([], "/discrete/depths", "empty"),
    ],
)
def test_a_bad_one_is_pointed_at(depths: object, pointer: str, code: str) -> None:
    assert errors(depths) == [(pointer, code)]


def test_a_gap_takes_a_limit_to_be_near_to() -> None:
    assert errors({"gap": 1e-4}, objective={"scaling": "unscaled"}) == [("/discrete/depths/gap", "not_applicable")]


def test_the_deepest_network_is_what_the_limits_allow() -> None:
    found = run({"gap": 1e-4})
    assert deepest_affordable(found.spec, found.sizes, LIMITS) == LIMITS.depth
    assert deepest_affordable(found.spec, found.sizes, Limits(depth=100)) == 100
    memory = Limits(memory_bytes=2 * found.estimate.memory_bytes)
    deepest = deepest_affordable(found.spec, found.sizes, memory)
    assert GAP_LADDER[-1] < deepest < LIMITS.depth
    for depth, fits in ((deepest, True), (deepest + 1, False)):
        cost = estimate(run([*GAP_LADDER, depth]).spec, found.sizes)
        assert (cost.memory_bytes <= memory.memory_bytes) is fits
    assert deepest_affordable(found.spec, found.sizes, Limits(memory_bytes=1)) == GAP_LADDER[-1]


def test_answers_are_named_as_the_contract_names_them() -> None:
    evidence = {"name": "beta", "value": 0.5, "interval": [0.4, 0.6], "supports": "rough", "detail": "…"}
    body = {"class": "rough", "evidence": [evidence]}
    assert Classification.model_validate(body).model_dump(mode="json") == body
    row = {"gap": 1e-4, "depth": 706, "basis": "continuum"}
    assert DepthAdvice.model_validate(row).model_dump(mode="json", exclude_unset=True) == row
