"""Labels as texts in a body: the classes, names and refusals are those of an upload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import load

from service.contract import names
from service.contract.plan import InlineSamples
from service.contract.train.plan import plan_train
from service.contract.train.resolve import resolve_train
from service.contract.train.resolved import ResolvedInline
from service.contract.values.errors import FieldError, SpecInvalidError
from service.contract.values.limits import LIMITS
from service.jobs.planning.prepared import encode
from tests.support.specs import parse_train

if TYPE_CHECKING:
    from service.contract.data.dataset import DatasetRecord
    from service.contract.job import JobRecord


class NothingElse:
    """References of a specification that refers to nothing."""

    limits = LIMITS

    def dataset(self, dataset_id: str) -> DatasetRecord | None:
        raise AssertionError(dataset_id)

    def job(self, job_id: str) -> JobRecord | None:
        raise AssertionError(job_id)

    def results(self, record: JobRecord) -> dict[str, Any]:
        raise AssertionError(record)


def body(targets: list[Any], loss: str | None = None) -> dict[str, Any]:
    data = {"source": "inline", "inputs": [[float(k)] for k in range(len(targets))], "targets": targets}
    return {"kind": "train", "data": data} | ({} if loss is None else {"objective": {"loss": loss}})


def given(targets: list[Any], loss: str | None = None) -> tuple[ResolvedInline, list[Any]]:
    """The resolved data, and the targets that the worker is given."""
    plan = plan_train(parse_train(body(targets, loss)), NothingElse())
    samples = plan.given[names.DATA]
    assert isinstance(samples, InlineSamples)
    spec = resolve_train(parse_train(body(targets, loss))).spec
    assert isinstance(spec.data, ResolvedInline)
    return spec.data, np.squeeze(load(encode(samples))["targets"]).tolist()


def errors_of(targets: list[Any], loss: str | None = None) -> tuple[FieldError, ...]:
    with pytest.raises(SpecInvalidError) as refused:
        resolve_train(parse_train(body(targets, loss)))
    return refused.value.errors


def test_labels_become_classes_in_sorted_order() -> None:
    data, targets = given(["oak", "pine", "ash", " oak "])
    assert (data.class_names, targets) == (["ash", "oak", "pine"], [1, 2, 0, 1])
    assert data.model_dump()["class_names"] == ["ash", "oak", "pine"]
    data, targets = given(["TRUE", "false", "True"])
    assert (data.class_names, targets) == (["False", "True"], [1, 0, 1])
    data, targets = given(["10", "9"])
    assert data.class_names == ["10", "9"]  # texts, not numbers


def test_two_labels_are_signs_to_logistic() -> None:
    data, targets = given(["no", "yes", "no"], "logistic")
    assert (data.class_names, targets) == (["no", "yes"], [-1, 1, -1])


def test_numbers_have_no_names() -> None:
    data, targets = given([0, 1, 1])
    assert (data.class_names, targets, "class_names" in data.model_dump()) == (None, [0, 1, 1], False)


@pytest.mark.parametrize(
    ("targets", "places", "code"),
    [
        (["a", 1, "b", None], ["/1", "/3"], "not_a_label"),
        ([0, "b"], ["/0"], "not_a_label"),
        (["a", "", "NA"], ["/1", "/2"], "missing_value"),
        (["a", "x" * 201], ["/1"], "label_too_long"),
        (["a", "\x1b[31m"], ["/1"], "control_character"),
    ],
)
def test_what_is_no_label_is_pointed_at(targets: list[Any], places: list[str], code: str) -> None:
    found = errors_of(targets)
    assert [(error.pointer, error.code) for error in found] == [(f"/data/targets{place}", code) for place in places]


@pytest.mark.parametrize(
    ("targets", "loss"),
    [
        (["a", "a"], None),
        (["a", "b"], "squared_error"),
        (["a", "b", "c"], "logistic"),
        ([f"n{k}" for k in range(LIMITS.outputs + 1)], "cross_entropy"),
    ],
)
def test_labels_that_do_not_fit_the_loss_are_refused(targets: list[Any], loss: str | None) -> None:
    assert [(error.pointer, error.code) for error in errors_of(targets, loss)] == [
        ("/data/targets", "targets_do_not_fit")
    ]
