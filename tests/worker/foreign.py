"""Specifications of a later version of the service."""

from service.contract.train.request import TrainSpec
from service.contract.train.resolve import resolve_train
from tests.support.service import slow_job

WHOLE = resolve_train(TrainSpec.model_validate(slow_job() | {"plots": False})).spec.model_dump(mode="json")
"""One of this version."""
OTHERS = {
    "a kind of a later version": WHOLE | {"kind": "later"},
    "a field of a later version": WHOLE | {"training": WHOLE["training"] | {"later": True}},
    "limits of a later version": WHOLE | {"limits": None},
}
