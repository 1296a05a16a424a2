"""Schemathesis against the service with its real worker: the document's links lead through jobs that are trained."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import schemathesis
from requests.structures import CaseInsensitiveDict
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation.stateful.state_machine import StepOutput
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.api.main import create_app
from service.api.openapi import document
from service.config import Settings
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schemathesis import Case, Response
    from schemathesis.schemas import BaseSchema

pytestmark = pytest.mark.e2e

DOCUMENT = document(create_app(Settings()))
LEAST_FOLLOWED = 0.8
"""Share of the document's links that lead to an answer which is no problem."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
CSV = "a,b,y\n0,1,0\n1,0,1\n2,1,0\n1,2,1\n"
TRAIN: dict[str, Any] = {
    "kind": "train",
    "data": {"source": "inline", "inputs": [[-1.0, 0.0], [1.0, 0.5], [0.5, 1.0]], "targets": [0, 1, 1]},
    "discrete": {"depths": [2, 4]},
    "continuum": None,
    "training": {"starts": 1, "gradient_tolerance": 1e-3, "max_iterations": 20},
}
EVALUATE = {"kind": "evaluate", "outputs": ["predictions", "metrics", "states"]}
WAIT = {"Prefer": "wait=30"}
OF_A_MODEL = {"get_parameters", "get_predictions", "get_states", "get_export", "get_plot"}


def tiny(body: Any, trained: Sequence[str]) -> dict[str, Any]:
    """Return a job that takes no second, of the same kind, with what a link put into the body."""
    if isinstance(body, dict) and body.get("kind") == "evaluate":
        known = body.get("job_id") in trained or not trained
        return {**EVALUATE, "job_id": body.get("job_id") if known else trained[-1]}
    data = body.get("data") if isinstance(body, dict) else None
    if isinstance(data, dict) and data.get("source") == "dataset":
        return {**TRAIN, "data": {"source": "dataset", "id": data.get("id")}}
    return TRAIN


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("schemathesis") / "data")
    running.start()
    running.ready_trainer()
    yield running
    running.stop()


def prepare(case: Case[Any], trained: Sequence[str]) -> None:
    """Leave what decides whether a step succeeds to the links, and let jobs and uploads be small."""
    name = case.operation.definition.raw["operationId"]
    if name == "create_job":
        case.body, case.query = tiny(case.body, trained), {}
        case.headers = CaseInsensitiveDict(WAIT if case.headers == WAIT else {})
    elif name == "create_dataset":
        case.body, case.media_type, case.query, case.headers = CSV, "text/csv", {}, CaseInsensitiveDict()
    elif name == "get_job":
        case.headers = CaseInsensitiveDict(WAIT)
    elif name in OF_A_MODEL:
        case.headers = CaseInsensitiveDict()
        case.query = {key: value for key, value in case.query.items() if key == "model"}


def job_trained(answer: Response) -> list[str]:
    """Return the id of the train job that an answer says has succeeded, if it does."""
    if answer.status_code != HTTPStatus.OK or "json" not in answer.headers["content-type"][0]:
        return []
    said = answer.json()
    return [said["id"]] if (said.get("kind"), said.get("status")) == ("train", "succeeded") else []


def schema_of(service: Service) -> BaseSchema:
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.config.update(base_url=str(service.client.base_url), request_timeout=60.0)
    schema.config.phases.stateful.inference.algorithms = []  # the document's own links alone
    return schema


class Links:
    """Follows links and remembers which led to an answer that is no problem; every answer is checked."""

    def __init__(self, schema: BaseSchema, machine: Any) -> None:
        self.operations = {
            found.ok().label: found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)
        }
        self.outgoing = {label: found.outgoing for label, found in machine._transitions.operations.items()}
        self.names = {link.full_name for links in self.outgoing.values() for link in links}
        self.followed: set[str] = set()
        self.trained: list[str] = []

    def call(self, operation: str, **parts: Any) -> StepOutput:
        """Take a step that no link leads to."""
        case = self.operations[operation].Case(**parts)
        prepare(case, self.trained)
        response = case.call()
        case.validate_response(response, checks=CHECKS)
        while operation == "GET /v1/jobs/{job_id}" and response.json().get("done") is False:
            response = case.call()
        self.trained.extend(job_trained(response))
        return StepOutput(response, case)

    def follow(self, output: StepOutput, *, deleting: bool) -> Iterator[StepOutput]:
        """Follow each link from an answer that was not followed yet."""
        for link in self.outgoing.get(output.case.operation.label, ()):
            status_fits = link.status_code == str(output.response.status_code)
            if status_fits and link.full_name not in self.followed and deleting is (link.target.method == "delete"):
                transition = link.extract(output)
                parts: dict[str, Any] = {
                    container: {name: said.value.ok() for name, said in values.items() if isinstance(said.value, Ok)}
                    for container, values in transition.parameters.items()
                }
                if transition.request_body is not None:
                    parts |= {"body": transition.request_body.value.ok(), "media_type": "application/json"}
                following = self.call(link.target.label, **parts)
                if following.response.status_code < HTTPStatus.BAD_REQUEST:
                    self.followed.add(link.full_name)
                    yield following


def test_links_lead_through_real_jobs(service: Service) -> None:
    schema = schema_of(service)
    links = Links(schema, schema.as_state_machine())
    csv = {"body": CSV, "media_type": "text/csv"}
    outputs = [links.call("POST /v1/datasets", **csv), links.call("POST /v1/datasets", **csv)]
    roots: list[tuple[str, dict[str, Any]]] = [
        ("POST /v1/jobs", {"body": TRAIN}),
        ("POST /v1/jobs", {"body": TRAIN}),  # whose link to itself was followed, so that it is cancelled
        ("POST /v1/jobs", {"body": TRAIN, "headers": WAIT}),
        ("GET /v1/jobs", {}),
        ("GET /v1/datasets", {}),
    ]
    for operation, parts in roots:
        outputs.append(links.call(operation, **parts))
        for output in outputs:  # it grows meanwhile
            outputs.extend(links.follow(output, deleting=False))
    evaluated = links.call("POST /v1/jobs", body={"kind": "evaluate"}).response.json()["id"]
    links.call("GET /v1/jobs/{job_id}", path_parameters={"job_id": evaluated})
    results = links.call("GET /v1/jobs/{job_id}/results", path_parameters={"job_id": evaluated})
    outputs.extend(links.follow(results, deleting=False))
    for output in outputs:
        outputs.extend(links.follow(output, deleting=True))
    left = links.names - links.followed
    assert len(left) <= (1 - LEAST_FOLLOWED) * len(links.names), sorted(left)


def test_random_walks_through_real_jobs_meet_declared_answers(service: Service) -> None:
    schema = schema_of(service)
    trained: list[str] = []

    class Walk(schema.as_state_machine()):  # type: ignore[misc]  # a class that is made while it runs
        def before_call(self, case: Case[Any]) -> None:
            prepare(case, trained)

        def after_call(self, response: Response, case: Case[Any]) -> None:
            super().after_call(response, case)
            trained.extend(job_trained(response))

        def validate_response(self, response: Response, case: Case[Any], *_: Any, **__: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    Walk.run(
        settings=hypothesis.settings(
            max_examples=3,
            stateful_step_count=25,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
    )
    assert trained
