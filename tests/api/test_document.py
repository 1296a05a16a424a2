"""The OpenAPI document as clients are generated from it, and that answers are held against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import jsonschema_rs
import pytest

from service.api.examples import EXAMPLES
from service.api.main import create_app
from service.api.openapi import document
from service.config import Settings
from service.contract.data.dataset import MEDIA_TYPES
from service.contract.kinds import KINDS, parse
from service.contract.values.errors import ErrorCode
from tests.support.api import MOONS
from tests.support.http.published import Published, UnpublishedError

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = document(create_app(Settings()))
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    (method, path): operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def within(schema: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a schema that is one itself, with its place."""
    if isinstance(schema, dict):
        yield at, schema
        for name, part in schema.items():
            yield from within(part, f"{at}/{name}")
    elif isinstance(schema, list):
        for index, part in enumerate(schema):
            yield from within(part, f"{at}/{index}")


def test_operations_have_plain_names() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)
    assert OPERATIONS["post", "/v1/jobs"]["operationId"] == "create_job"
    assert all(name.isidentifier() and "v1" not in name for name in names)


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/plan"])
def test_specifications_are_told_apart_by_their_kind(path: str) -> None:
    schema = OPERATIONS["post", path]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["discriminator"]["propertyName"] == "kind"
    assert set(schema["discriminator"]["mapping"]) == set(KINDS)
    assert [one["$ref"] for one in schema["oneOf"]] == list(schema["discriminator"]["mapping"].values())
    for kind, reference in schema["discriminator"]["mapping"].items():
        described = SCHEMAS[reference.rpartition("/")[2]]
        assert described["properties"]["kind"]["const"] == kind
        assert "kind" in described["required"]


def test_every_schema_that_one_of_may_have_says_which_it_is() -> None:
    """By a discriminator, or by types that exclude each other: no instance is valid under two of them."""
    for at, schema in within(SCHEMAS):
        if isinstance(schema.get("oneOf"), list) and "discriminator" not in schema:
            assert at == "/Discrete/properties/depths"


def test_no_choice_has_a_constant_beside_other_types() -> None:
    """openapi-python-client then takes nothing but the constant; an enumeration of one it reads."""
    chosen = [(at, one) for at, schema in within(SCHEMAS) for one in schema.get("anyOf", ()) if isinstance(one, dict)]
    assert [at for at, one in chosen if "const" in one] == []
    assert len(chosen) > 100


def test_no_field_has_an_object_as_its_default() -> None:
    assert [at for at, schema in within(SCHEMAS) if isinstance(schema.get("default"), dict)] == []
    assert SCHEMAS["Training"]["properties"]["starts"]["default"] == 4


def test_every_error_code_is_enumerated() -> None:
    assert SCHEMAS["Problem"]["properties"]["code"]["$ref"] == "#/components/schemas/ErrorCode"
    assert set(SCHEMAS["ErrorCode"]["enum"]) == set(ErrorCode)


def test_metrics_are_text() -> None:
    content = OPERATIONS["get", "/metrics"]["responses"]["200"]["content"]
    assert {name: media["schema"]["type"] for name, media in content.items()} == {"text/plain": "string"}


def test_bytes_of_a_named_format_come_first_among_uploads() -> None:
    """A generator that takes the first, and one that takes what it knows, send what the service reads."""
    create = OPERATIONS["post", "/v1/datasets"]
    assert list(create["requestBody"]["content"]) == ["application/octet-stream", *MEDIA_TYPES]
    (named,) = (parameter for parameter in create["parameters"] if parameter["name"] == "format")
    assert named["in"] == "query"


@pytest.mark.parametrize("body", [MOONS, {"kind": "train"}, MOONS | {"discrete": {"depths": {"gap": 0.01}}}])
def test_a_plan_is_a_dry_run(api: httpx.Client, body: dict[str, Any]) -> None:
    plan, dry = (api.post(path, json=body) for path in ("/v1/jobs/plan", "/v1/jobs?dry_run=true"))
    assert plan.status_code == dry.status_code in {200, 422}
    assert {**plan.json(), "request_id": ""} == {**dry.json(), "request_id": ""}
    assert api.get("/v1/jobs").json()["items"] == []
    assert api.post("/v1/jobs/plan?dry_run=true", json=body).json()["code"] == "invalid_parameter"


def successes(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for status, declared in operation["responses"].items():
        if status.startswith("2"):
            yield from (media["schema"] for name, media in declared.get("content", {}).items() if name.endswith("json"))


def names(schema: dict[str, Any]) -> list[str]:
    refs = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return [one["$ref"].rpartition("/")[2] for one in refs]


def test_every_answer_and_every_body_has_an_example() -> None:
    """Of answers that depend on the kind of job, one has."""
    assert "examples" in SCHEMAS["Problem"]
    for operation in OPERATIONS.values():
        for schema in successes(operation):
            assert any("examples" in SCHEMAS[name] for name in names(schema)), operation["operationId"]
        for media in operation.get("requestBody", {}).get("content", {}).values():
            if "oneOf" in media["schema"]:
                assert all("examples" in SCHEMAS[name] for name in names(media["schema"]))
    csv = OPERATIONS["post", "/v1/datasets"]["requestBody"]["content"]["text/csv"]["example"]
    assert csv.startswith("left,right,side\n")


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_what_they_are_examples_of(name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(EXAMPLES[name])


def test_examples_of_specifications_hold_up() -> None:
    for kind in KINDS.values():
        parse(EXAMPLES[kind.request.__name__])


def answer(status: int, *, method: str = "GET", path: str = "/livez", **content: Any) -> httpx.Response:
    return httpx.Response(status, request=httpx.Request(method, f"http://x{path}"), **content)


PROBLEM = {
    "type": "about:blank",
    "title": "Not Found",
    "status": 404,
    "detail": "There is nothing at this address.",
    "code": "not_found",
    "request_id": "1",
}
PROBLEM_TYPE = {"Content-Type": "application/problem+json"}


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (answer(200, json={"status": "alive"}), None),
        (answer(404, path="/nowhere", json=PROBLEM, headers=PROBLEM_TYPE), None),
        (answer(200, method="HEAD", headers={"Content-Type": "application/json"}), None),
        (answer(201, json={"status": "alive"}), "status is not declared"),
        (answer(200, json={"status": 1}), "/status"),
        (answer(200, json={"status": "alive", "more": 1}), "more"),
        (answer(200, text="alive"), "text/plain is not declared"),
        (answer(200, method="HEAD", json={"status": "alive"}), "a body"),
        (answer(404, path="/nowhere", json=PROBLEM), "a problem is expected"),
        (answer(404, path="/nowhere", json=PROBLEM | {"code": "other"}, headers=PROBLEM_TYPE), "/code"),
        (answer(304, path="/v1/jobs/abc"), "without the headers"),
    ],
)
def test_answers_that_are_not_published_are_found(response: httpx.Response, said: str | None) -> None:
    if said is None:
        Published(DOCUMENT).check(response)
        return
    with pytest.raises(UnpublishedError) as refused:
        Published(DOCUMENT).check(response)
    assert said.strip("/") in str(refused.value)
