"""Defaults, filled in as the contract says."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.contract.data.sources import BUILTINS, BuiltinName, validation_sizes
from service.contract.job import JobRecord
from service.contract.train.request import Activation
from service.contract.train.resolve import LARGEST_SHOWN, resolve_train
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.values.errors import SpecInvalidError
from tests.support.specs import parse_train


def resolved(body: dict[str, Any]) -> dict[str, Any]:
    return resolve_train(parse_train(body)).spec.model_dump(mode="json")


def inline(inputs: list[list[float]], targets: list[Any], **more: Any) -> dict[str, Any]:
    return {"kind": "train", "data": {"source": "inline", "inputs": inputs, "targets": targets, **more}}


def test_every_default() -> None:
    assert resolved({"kind": "train", "data": {"source": "builtin", "name": "moons"}}) == {
        "kind": "train",
        "name": None,
        "metadata": {},
        "external_id": None,
        "data": {
            "source": "builtin",
            "name": "moons",
            "samples": 200,
            "noise": 0.1,
            "seed": 0,
            "standardise": True,
            "standardise_targets": False,
            "validation_fraction": 0.0,
            "split_seed": 0,
        },
        "network": {
            "state_dim": 2,
            "activation": "tanh",
            "output": "softmax",
            "fixed": {"K": None, "b": None, "W": None, "c": None},
            "weights": "varying",
            "integrator": "euler",
            "block": "single",
            "width": None,
            "horizon": 1.0,
        },
        "objective": {
            "loss": "cross_entropy",
            "alpha": {"K": 1e-2, "b": 1e-2, "W": 1e-2, "c": 1e-2},
            "tau": {"K": 1.0, "b": 1.0},
            "scaling": "h1",
            "running_cost": 0.0,
        },
        "discrete": {"depths": [8, 16, 32, 64]},
        "continuum": {"basis": "auto", "tolerance": 1e-8},
        "training": {
            "gradient_tolerance": 1e-7,
            "max_iterations": 2000,
            "starts": 4,
            "most_unseen": 0.1,
            "seed": 0,
            "start_scale": 0.5,
            "depth_start": "prolong",
            "follow": "best",
            "sharpen": True,
            "coarse": "tolerance",
            "carry_curvature": True,
            "dtype": "float64",
            "device": "auto",
            "kernel": "auto",
        },
        "limits": {"wall_time_s": 3600.0},
        "plots": True,
    }


def test_targets_choose_output_and_loss() -> None:
    found = resolved(inline([[1], [2]], [0.0, 1]))
    assert (found["network"]["output"], found["objective"]["loss"]) == ("softmax", "cross_entropy")
    for targets in ([0.5, 1], [[0.5], [1]], [[2.0, 1.0], [3.0, 1.0]]):
        found = resolved(inline([[1], [2]], targets))
        assert (found["network"]["output"], found["objective"]["loss"]) == ("identity", "squared_error")
        assert found["data"]["standardise_targets"] is True
    assert resolved(inline([[1], [2]], [0.5, 1], standardise_targets=False))["data"]["standardise_targets"] is False


@pytest.mark.parametrize(
    ("output", "loss"), [("identity", "squared_error"), ("logistic", "logistic"), ("softmax", "cross_entropy")]
)
def test_output_and_loss_bring_each_other(output: str, loss: str) -> None:
    targets = {"logistic": [-1, 1]}.get(output, [0, 1])
    for more in ({"network": {"output": output}}, {"objective": {"loss": loss}}):
        found = resolved(inline([[1], [2]], targets) | more)
        assert (found["network"]["output"], found["objective"]["loss"]) == (output, loss)


def test_gradient_tolerance_follows_the_type() -> None:
    body = inline([[1], [2]], [0, 1])
    assert resolved(body | {"training": {"dtype": "float32"}})["training"]["gradient_tolerance"] == 1e-4
    more = {"training": {"dtype": "float32", "gradient_tolerance": 1e-5}}
    assert resolved(body | more)["training"]["gradient_tolerance"] == 1e-5


def test_parts_may_be_left_out_by_null() -> None:
    assert resolved(inline([[1], [2]], [0, 1]) | {"discrete": None})["discrete"] is None
    assert resolved(inline([[1], [2]], [0, 1]) | {"continuum": None})["continuum"] is None


def test_fixed_parameters_are_kept_as_written() -> None:
    fixed = {"K": "identity", "b": [0, 1], "W": "identity", "c": "zero"} | {"b": None}
    body = inline([[1, 2], [2, 3]], [0, 1]) | {"network": {"fixed": fixed}}
    assert resolved(body)["network"]["fixed"] == fixed
    fixed = {"K": [[1, 2], [3, 4]], "b": [1, 2], "W": [[1, 2], [3, 4.5]], "c": None}
    assert resolved(inline([[1, 2], [2, 3]], [0, 1]) | {"network": {"fixed": fixed}})["network"]["fixed"] == fixed


def test_large_fixed_arrays_are_shown_by_their_digests() -> None:
    d = 1024
    K = [[row - column / 7 for column in range(d)] for row in range(d)]
    body = inline([[1, 2], [2, 3]], [0, 1]) | {"network": {"state_dim": d, "fixed": {"K": K, "c": [1, 2]}}}
    resolution = resolve_train(parse_train(body))
    shown = resolution.spec.model_dump(mode="json")["network"]["fixed"]
    numbers = [number for row in K for number in row]
    digest = hashlib.sha256(struct.pack(f"<{d * d}d", *numbers)).hexdigest()
    assert shown == {"K": {"shape": [d, d], "sha256": digest}, "b": None, "W": None, "c": [1, 2]}
    assert len(resolution.spec.model_dump_json()) < 4000
    assert {name: (kept.shape, list(kept.values)) for name, kept in resolution.fixed.items()} == {
        "K": ((d, d), numbers)
    }
    assert ResolvedTrainSpec.model_validate_json(resolution.spec.model_dump_json()) == resolution.spec


@pytest.mark.parametrize(("size", "kept"), [(LARGEST_SHOWN, False), (LARGEST_SHOWN + 1, True)])
def test_what_is_large(size: int, *, kept: bool) -> None:
    body = inline([[1, 2], [2, 3]], [0, 1]) | {"network": {"state_dim": size, "fixed": {"b": [0.5] * size}}}
    resolution = resolve_train(parse_train(body))
    assert (list(resolution.fixed) == ["b"]) is kept
    assert (resolution.spec.network.fixed.b == [0.5] * size) is not kept


@pytest.mark.parametrize("loss", [None, "cross_entropy", "logistic", "squared_error"])
def test_targets_in_one_column_are_targets_of_one_dimension(loss: str | None) -> None:
    body = {"objective": {"loss": loss}} if loss else {}
    targets = [-1, 1, 1] if loss == "logistic" else [0, 1, 1]
    flat, column = (inline([[1], [2], [3]], found) | body for found in (targets, [[y] for y in targets]))
    assert resolved(column) == resolved(flat)
    if loss is None:
        assert resolved(column)["objective"]["loss"] == "cross_entropy"


@pytest.mark.parametrize("targets", [[1, -1, 1], [[1], [-1], [1]], [[2], [-2], [1]], [0.5, 1, 2]])
def test_what_cannot_be_labels_are_numbers(targets: list[Any]) -> None:
    assert resolved(inline([[1], [2], [3]], targets))["objective"]["loss"] == "squared_error"


def test_the_hash_of_inline_data_can_be_recomputed() -> None:
    found = resolved(inline([[1, 2.5], [3, 4]], [0, 1]))["data"]
    content = struct.pack("<6d", 1, 2.5, 3, 4, 0, 1)
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert (found["samples"], found["features"]) == (2, 2)


@pytest.mark.parametrize("name", BuiltinName)
def test_builtin_sets(name: BuiltinName) -> None:
    body = {"kind": "train", "data": {"source": "builtin", "name": name}}
    resolution = resolve_train(parse_train(body))
    known = BUILTINS[name]
    assert resolution.spec.network.state_dim == known.features
    assert resolution.sizes.samples == (known.samples or 200)
    assert sum(known.counts(200)) in {0, known.samples or 200}
    again = resolution.spec.model_dump(mode="json")
    assert resolved(again) == again
    assert ("samples" in again["data"]) == (known.samples is None)


@given(
    dims=st.integers(2, 8),
    activation=st.sampled_from(Activation),
    alpha=st.floats(1e-12, 1e12),
    depths=st.sets(st.integers(2, 4096), min_size=1, max_size=16),
    tolerance=st.floats(1e-14, 0.5),
)
def test_resolving_is_idempotent_and_survives_json(
    dims: int, activation: Activation, alpha: float, depths: set[int], tolerance: float
) -> None:
    body = {
        "kind": "train",
        "data": {"source": "builtin", "name": "moons"},
        "network": {"state_dim": dims, "activation": activation},
        "objective": {"alpha": {"K": alpha}},
        "discrete": {"depths": sorted(depths)},
        "continuum": {"tolerance": tolerance},
    }
    spec = resolve_train(parse_train(body)).spec
    assert resolve_train(parse_train(spec.model_dump(mode="json"))).spec == spec
    assert ResolvedTrainSpec.model_validate_json(spec.model_dump_json()) == spec


@given(fraction=st.floats(0, 1, exclude_max=True), counts=st.lists(st.integers(1, 1000), min_size=1, max_size=10))
def test_validation_leaves_every_class_to_train_on(fraction: float, counts: list[int]) -> None:
    held_out = validation_sizes(fraction, counts)
    for size, count in zip(held_out, counts, strict=True):
        assert 0 <= size < count
        assert size == count - 1 or abs(size - fraction * count) <= 0.5


def test_a_record_holds_a_resolved_specification() -> None:
    spec = resolved({"kind": "train", "data": {"source": "builtin", "name": "moons"}})
    times = dict.fromkeys(("created_at", "updated_at"), "2026-01-01T00:00:00Z")
    fields = {"id": "x" * 8, "kind": "train", "status": "queued", "revision": 1, "attempt": 1, "spec_sha256": "0" * 64}
    record = JobRecord.model_validate({**fields, **times, "spec": spec})
    again = JobRecord.model_validate_json(record.model_dump_json())
    assert ResolvedTrainSpec.model_validate(again.spec).model_dump(mode="json") == spec


def test_starts_may_be_as_many_as_it_takes() -> None:
    auto = resolved({"kind": "train", "data": {"source": "builtin", "name": "moons"}, "training": {"starts": "auto"}})
    assert auto["training"]["starts"] == "auto"
    for wrong in ("many", 0, 1.5):
        with pytest.raises(SpecInvalidError) as refused:
            resolved({"kind": "train", "data": {"source": "builtin", "name": "moons"}, "training": {"starts": wrong}})
        assert [error.pointer for error in refused.value.errors] == ["/training/starts"]
