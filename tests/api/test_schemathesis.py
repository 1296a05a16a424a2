"""Schemathesis against the running API: whatever it makes up, the answer is one that the OpenAPI document declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.api.main import create_app
from service.api.openapi import document
from service.config import Settings
from tests.support.api import MOONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from schemathesis.schemas import APIOperation

    from tests.support.api import HandWorker

DOCUMENT = document(create_app(Settings()))


def _operations() -> Iterator[APIOperation[Any, Any, Any, Any]]:
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations():
        assert isinstance(found, Ok)
        yield found.ok()


OPERATIONS = {operation.label: operation for operation in _operations()}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE


def takes(label: str, where: str) -> bool:
    """Whether an operation has parameters in some place."""
    method, path = label.split()
    return any(parameter["in"] == where for parameter in DOCUMENT["paths"][path][method.lower()].get("parameters", ()))


CAN_BE_ASKED_WRONGLY = [label for label in OPERATIONS if takes(label, "query")]
OF_A_JOB = [label for label in OPERATIONS if "{job_id}" in label]


def ask(api: httpx.Client, label: str, mode: schemathesis.GenerationMode, job_id: str | None = None) -> None:
    @hypothesis.given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def check(case: Any) -> None:
        if job_id is not None:
            case.path_parameters["job_id"] = job_id
        if case.headers is not None:
            case.headers.pop("Prefer", None)  # it would only wait
        case.call_and_validate(base_url=str(api.base_url), checks=CHECKS)

    check()


@pytest.mark.parametrize("label", OPERATIONS)
def test_right_questions(api: httpx.Client, label: str) -> None:
    ask(api, label, POSITIVE)


@pytest.mark.parametrize("label", CAN_BE_ASKED_WRONGLY)
def test_wrong_questions(api: httpx.Client, label: str) -> None:
    ask(api, label, NEGATIVE)


@pytest.mark.parametrize("label", OF_A_JOB)
def test_questions_about_a_job_that_succeeded(api: httpx.Client, worker: HandWorker, label: str) -> None:
    api.post("/v1/jobs", json=MOONS)
    ask(api, label, POSITIVE, worker.succeed().id)
