"""Each wrong specification, and where the error points."""

from __future__ import annotations

import math
from copy import deepcopy
from enum import Enum
from typing import Any

import pytest

from service.contract.data.sources import BuiltinName
from service.contract.train.resolve import Resolution, resolve_train
from service.contract.values.errors import SpecInvalidError
from service.contract.values.limits import LIMITS, Limits
from tests.support.specs import parse_train

MOONS: dict[str, Any] = {"kind": "train", "data": {"source": "builtin", "name": "moons"}}
INLINE: dict[str, Any] = {
    "kind": "train",
    "data": {"source": "inline", "inputs": [[1, 2], [3, 4], [5, 6.5]], "targets": [0, 1, 1]},
}


class Missing(Enum):
    """What a pointer has no value at; its name is in the names of tests, which have to be the same in every process."""

    FIELD = "missing"


MISSING = Missing.FIELD


def run(body: object, limits: Limits = LIMITS) -> Resolution:
    return resolve_train(parse_train(body, limits), limits)


def errors(body: object, limits: Limits = LIMITS) -> list[tuple[str, str]]:
    with pytest.raises(SpecInvalidError) as caught:
        run(body, limits)
    for error in caught.value.errors:
        assert error.detail
    return [(error.pointer, error.code) for error in caught.value.errors]


def put(base: dict[str, Any], pointer: str, value: object) -> dict[str, Any]:
    """A copy of a body with a value at a pointer."""
    body = deepcopy(base)
    *path, last = pointer.split("/")[1:]
    place = body
    for part in path:
        place = place.setdefault(part, {})
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return body


TEXTS = ("name", "external_id", "metadata/note")
CONTROLS = ("\0", "\x07", "\t", "\r", "\n", "\x1b[2J", "\x7f", "\x9b31m")
WRONG_FIELDS = [
    ("/kind", MISSING, "required"),
    ("/kind", "fit", "invalid_choice"),
    ("/kind", ["train"], "invalid_choice"),
    ("/data", MISSING, "required"),
    ("/data", [], "not_an_object"),
    ("/data/source", MISSING, "required"),
    ("/data/source", "file", "invalid_choice"),
    ("/data/source", 1, "invalid_choice"),
    ("/data/name", MISSING, "required"),
    ("/data/name", "mnist", "invalid_choice"),
    ("/data/builtin", 1, "unknown_field"),
    ("/data/samples", 3, "too_small"),
    ("/data/samples", 10**7, "too_large"),
    ("/data/samples", 100.5, "not_an_integer"),
    ("/data/samples", math.inf, "not_finite"),
    ("/data/noise", -0.1, "too_small"),
    ("/data/seed", 2**32, "too_large"),
    ("/data/standardise", 1, "not_a_boolean"),
    ("/data/standardise", "true", "not_a_boolean"),
    ("/data/standardise_targets", True, "not_applicable"),
    ("/data/validation_fraction", 1, "too_large"),
    ("/data/validation_fraction", -0.5, "too_small"),
    ("/data/validation_fraction", 1e-9, "no_validation_samples"),
    ("/data/validation_fraction", math.nan, "not_finite"),
    ("/data/split_seed", -1, "too_small"),
    ("/network", None, "not_an_object"),
    ("/network/state_dim", 1, "state_dim_too_small"),
    ("/network/state_dim", 0, "too_small"),
    ("/network/state_dim", 10**6, "too_large"),
    ("/network/state_dim", True, "not_an_integer"),
    ("/network/state_dim", "8", "not_an_integer"),
    ("/network/activation", "swish", "invalid_choice"),
    ("/network/output", "tanh", "invalid_choice"),
    ("/network/fixed/K", [[1, 0]], "wrong_shape"),
    ("/network/fixed/K", [1, 0], "wrong_shape"),
    ("/network/fixed/K", "eye", "invalid_choice"),
    ("/network/fixed/K", 1, "not_an_array"),
    ("/network/fixed/b", "identity", "invalid_choice"),
    ("/network/fixed/b", [1, 2, 3], "wrong_shape"),
    ("/network/fixed/b", [[1, 2]], "wrong_shape"),
    ("/network/fixed/W", [[1, 2]], "wrong_shape"),
    ("/network/fixed/c", [1], "wrong_shape"),
    ("/network/fixed/c", [], "empty"),
    ("/network/fixed", dict.fromkeys("KbWc", "zero") | {"W": "identity"}, "nothing_to_train"),
    ("/network/fixed/X", None, "unknown_field"),
    ("/objective/loss", "hinge", "invalid_choice"),
    ("/objective/alpha", 1e-3, "not_an_object"),
    ("/objective/tau/K", 0, "too_small"),
    ("/objective/tau/b", -1, "too_small"),
    ("/objective/tau/W", 1, "unknown_field"),
    *((f"/objective/alpha/{name}", value, "too_small") for name in "KbWc" for value in (0, -1e-9)),
    *((f"/objective/alpha/{name}", value, "too_small") for name in "KbWc" for value in (5e-324, 1e-320)),
    *((f"/objective/tau/{name}", 2.2250738585072009e-308, "too_small") for name in "Kb"),
    ("/network/horizon", 1e-320, "too_small"),
    ("/objective/alpha/K", math.nan, "not_finite"),
    ("/objective/alpha/K", 10**400, "not_finite"),
    ("/objective/alpha/K", True, "not_a_number"),
    ("/objective/alpha/K", "1", "not_a_number"),
    ("/objective/alpha/K", None, "not_a_number"),
    ("/discrete/depths", [], "empty"),
    ("/discrete/depths", list(range(2, 50)), "too_many"),
    ("/discrete/depths", 8, "not_an_array"),
    ("/discrete/depths", None, "not_an_array"),
    ("/discrete", [8], "not_an_object"),
    ("/continuum/basis", "fourier", "invalid_choice"),
    ("/continuum/tolerance", 0, "too_small"),
    ("/continuum/tolerance", 1, "too_large"),
    ("/training/gradient_tolerance", 0, "too_small"),
    ("/training/max_iterations", 0, "too_small"),
    ("/training/max_iterations", 10**9, "too_large"),
    ("/training/starts", 0, "too_small"),
    ("/training/starts", 1000, "too_large"),
    ("/training/start_scale", 0, "too_small"),
    ("/training/seed", 0.5, "not_an_integer"),
    ("/training/dtype", "float16", "invalid_choice"),
    ("/training/device", "tpu", "invalid_choice"),
    ("/limits/wall_time_s", 0, "too_small"),
    ("/limits/wall_time_s", 1e9, "too_large"),
    ("/name", 3, "not_a_string"),
    ("/name", "x" * 201, "too_long"),
    ("/external_id", [], "not_a_string"),
    ("/metadata", [], "not_an_object"),
    ("/metadata/a", [1], "not_a_scalar"),
    ("/metadata/a", math.nan, "not_finite"),
    ("/metadata", {str(index): index for index in range(33)}, "too_many"),
    *((f"/{name}", f"plate{control}7", "control_character") for name in TEXTS for control in CONTROLS),
    *(("/metadata", {f"plate{control}7": 1}, "bad_key") for control in CONTROLS),
    ("/surprise", 1, "unknown_field"),
]


@pytest.mark.parametrize(("pointer", "value", "code"), WRONG_FIELDS, ids=lambda value: repr(value)[:40])
def test_wrong_field(pointer: str, value: object, code: str) -> None:
    assert errors(put(MOONS, pointer, value)) == [(pointer, code)]


WRONG_PLACES = [
    ("/discrete/depths", [1], [("/discrete/depths/0", "too_small")]),
    ("/discrete/depths", [8, True], [("/discrete/depths/1", "not_an_integer")]),
    ("/discrete/depths", [8, 8], [("/discrete/depths/1", "not_increasing")]),
    (
        "/discrete/depths",
        [8, 4, 2],
        [("/discrete/depths/1", "not_increasing"), ("/discrete/depths/2", "not_increasing")],
    ),
    ("/discrete/depths", [8, 10**5], [("/discrete/depths/1", "too_large")]),
    ("/network/fixed/K", [[1, 0], [0, "1"]], [("/network/fixed/K/1/1", "not_a_number")]),
    ("/network/fixed/b", [0, math.inf], [("/network/fixed/b/1", "not_finite")]),
    ("/network/fixed/K", [[1, 0], [1]], [("/network/fixed/K/1", "ragged")]),
    ("/a/b~", 1, [("/a", "unknown_field")]),
]


@pytest.mark.parametrize(("pointer", "value", "found"), WRONG_PLACES, ids=lambda value: repr(value)[:40])
def test_wrong_entry(pointer: str, value: object, found: list[tuple[str, str]]) -> None:
    assert errors(put(MOONS, pointer, value)) == found


WRONG_DATA = [
    ("/data/inputs", MISSING, ("/data/inputs", "required")),
    ("/data/targets", MISSING, ("/data/targets", "required")),
    ("/data/inputs", {}, ("/data/inputs", "not_an_array")),
    ("/data/inputs", [], ("/data/inputs", "empty")),
    ("/data/inputs", [1, 2, 3], ("/data/inputs", "wrong_shape")),
    ("/data/inputs", [[], [], []], ("/data/inputs/0", "empty")),
    ("/data/inputs", [[1, 2], [3], [4, 5]], ("/data/inputs/1", "ragged")),
    ("/data/inputs", [[1, 2], [3, 4], 5], ("/data/inputs/2", "not_an_array")),
    ("/data/inputs", [[1, 2], [3, None], [4, 5]], ("/data/inputs/1/1", "not_a_number")),
    ("/data/inputs", [[1, 2], [True, 4], [4, 5]], ("/data/inputs/1/0", "not_a_number")),
    ("/data/inputs", [[1, 2], [3, 4], ["8", 5]], ("/data/inputs/2/0", "not_a_number")),
    ("/data/inputs", [[1, 2], [3, [4]], [4, 5]], ("/data/inputs/1/1", "not_a_number")),
    ("/data/inputs", [[1, 2], [3, math.nan], [4, 5]], ("/data/inputs/1/1", "not_finite")),
    ("/data/inputs", [[1, 2], [3, 10**400], [4, 5]], ("/data/inputs/1/1", "not_finite")),
    ("/data/inputs", [[1, 2], [3, 1e101], [4, 5]], ("/data/inputs/1/1", "too_large")),
    ("/data/inputs", [[1, 2], [3, 4]], ("/data/targets", "length_mismatch")),
    ("/data/targets", [0, 1], ("/data/targets", "length_mismatch")),
    ("/data/targets", [0, 1, True], ("/data/targets/2", "not_a_number")),
    ("/data/targets", [0, 1, 3], ("/data/targets", "class_missing")),
    ("/data/targets", [1, 2, 2], ("/data/targets", "class_missing")),
    ("/data/targets", [0, 0, 0], ("/data/targets", "targets_do_not_fit")),
    ("/data/targets", [0, 1, -1], ("/data/targets/2", "targets_do_not_fit")),
    ("/data/targets", [0, 1, 10**12], ("/data/targets/2", "targets_do_not_fit")),
    ("/data/targets", [[0], [1], 2], ("/data/targets/2", "not_an_array")),
    ("/data/targets", [[0], [1], [1, 2]], ("/data/targets/2", "ragged")),
    ("/data/samples", 3, ("/data/samples", "unknown_field")),
]


@pytest.mark.parametrize(("pointer", "value", "found"), WRONG_DATA, ids=lambda value: repr(value)[:40])
def test_wrong_inline_data(pointer: str, value: object, found: tuple[str, str]) -> None:
    assert errors(put(INLINE, pointer, value)) == [found]


def test_an_array_in_the_place_of_a_number_is_called_one() -> None:
    with pytest.raises(SpecInvalidError, match=r"must be a number, and is an array: nested one level too deep"):
        run(put(INLINE, "/data/inputs", [[1, 2], [3, [4]], [4, 5]]))


WRONG_TARGETS = [
    ("cross_entropy", [0, 1, 1.5], "/data/targets/2"),
    ("cross_entropy", [[0, 1], [1, 0], [1, 0]], "/data/targets"),
    ("cross_entropy", [[0], [1], [1.5]], "/data/targets"),
    ("logistic", [1, -1, 0], "/data/targets/2"),
    ("logistic", [[1, 1], [-1, 1], [1, 1]], "/data/targets"),
    ("logistic", [[1], [-1], [0]], "/data/targets"),
]


@pytest.mark.parametrize(("loss", "targets", "pointer"), WRONG_TARGETS)
def test_targets_that_do_not_fit_the_loss(loss: str, targets: list[Any], pointer: str) -> None:
    body = put(put(INLINE, "/objective/loss", loss), "/data/targets", targets)
    assert errors(body) == [(pointer, "targets_do_not_fit")]


def test_loss_of_builtin_sets() -> None:
    assert errors(put(put(MOONS, "/data/name", "diabetes"), "/objective/loss", "cross_entropy")) == [
        ("/objective/loss", "targets_do_not_fit")
    ]
    assert errors(put(put(MOONS, "/data/name", "iris"), "/objective/loss", "logistic")) == [
        ("/objective/loss", "targets_do_not_fit")
    ]
    assert run(put(MOONS, "/objective/loss", "logistic")).spec.network.output == "logistic"


@pytest.mark.parametrize("output", ["softmax", "identity", "logistic"])
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error", "logistic"])
def test_pairs(output: str, loss: str) -> None:
    pairs = {"softmax": "cross_entropy", "identity": "squared_error", "logistic": "logistic"}
    body = put(put(MOONS, "/objective/loss", loss), "/network/output", output)
    if pairs[output] == loss:
        assert run(body).spec.objective.loss == loss
    else:
        assert errors(body) == [("/network/output", "output_loss_mismatch")]


def test_nothing_to_train_is_a_rule_over_the_whole() -> None:
    assert errors(MOONS | {"discrete": None, "continuum": None}) == [("", "nothing_to_train")]


def test_a_set_that_cannot_be_uploaded_yet() -> None:
    assert errors(put(MOONS, "/data", {"source": "dataset", "id": "x"})) == [("/data/id", "dataset_not_found")]


@pytest.mark.parametrize("body", [None, 1, "train", [], [MOONS]])
def test_not_an_object(body: object) -> None:
    assert errors(body) == [("", "not_an_object")]


@pytest.mark.parametrize("name", [name for name in BuiltinName if name not in {"moons", "circles", "spirals"}])
def test_fixed_sets_take_no_options(name: str) -> None:
    for option, value in (("samples", 100), ("noise", 0.1), ("seed", 1)):
        body = put(put(MOONS, "/data/name", name), f"/data/{option}", value)
        assert errors(body) == [(f"/data/{option}", "not_applicable")]


def test_work_and_memory_limits_point_at_the_whole() -> None:
    assert errors(MOONS, LIMITS.model_copy(update={"work_flops": 1.0})) == [("", "work_limit")]
    assert errors(MOONS, LIMITS.model_copy(update={"memory_bytes": 1})) == [("", "memory_limit")]


@pytest.mark.parametrize(("dtype", "least"), [("float64", 2.2250738585072014e-308), ("float32", 2.0**-126)])
def test_the_smallest_weights_are_the_smallest_normal_numbers(dtype: str, least: float) -> None:
    weights = {"alpha": dict.fromkeys("KbWc", least), "tau": dict.fromkeys("Kb", least)}
    body = MOONS | {"objective": weights, "training": {"dtype": dtype}}
    objective = run(body).spec.objective
    assert (objective.alpha.K, objective.tau.b) == (least, least)
    below = math.nextafter(least, 0.0)
    for pointer in ("/objective/alpha/W", "/objective/tau/b"):
        assert errors(put(body, pointer, below)) == [(pointer, "too_small")]


def test_limits_that_were_lowered_hold_for_defaults_too() -> None:
    assert errors(MOONS, Limits(depth=32)) == [("/discrete/depths/3", "too_large")]
    assert errors(put(MOONS, "/data/name", "digits"), Limits(state_dim=63)) == [("/network/state_dim", "too_large")]
    assert errors(INLINE, Limits(samples=2))[0] == ("/data/inputs", "too_many")


def test_only_the_first_bad_entries_are_named() -> None:
    body = put(INLINE, "/data/inputs", [["x", "x"]] * 1000)
    found = errors(put(body, "/data/targets", [0, 1] * 500))
    assert found == [(f"/data/inputs/{index // 2}/{index % 2}", "not_a_number") for index in range(20)]
    assert len(errors(MOONS | {f"x{index}": 1 for index in range(1000)})) == 50


def test_several_errors_are_found_at_once() -> None:
    body = put(put(put(INLINE, "/network/state_dim", 1), "/network/fixed/K", [[1]]), "/data/targets", [0, 1, 7])
    assert errors(body) == [
        ("/data/targets", "class_missing"),
        ("/network/state_dim", "state_dim_too_small"),
    ]
