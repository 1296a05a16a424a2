"""Holds every answer of a running service against the OpenAPI document that it publishes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema_rs
from starlette.routing import compile_path

if TYPE_CHECKING:
    from re import Pattern

PROBLEM = "application/problem+json"


class UnpublishedError(AssertionError):
    """An answer is not what the document says."""


@dataclass(frozen=True)
class Published:
    """The OpenAPI document of a service, to check its answers by status, content type and schema."""

    document: dict[str, Any]
    _validators: dict[str, jsonschema_rs.Draft202012Validator] = field(default_factory=dict)

    def check(self, response: httpx.Response) -> None:
        """Refuse an answer that the document does not declare; any problem will do where it declares no operation."""
        request = response.request
        at = f"{request.method} {request.url.path} {response.status_code}"
        media_type = response.headers.get("content-type", "").partition(";")[0]
        operation = self._operation(request.method, request.url.raw_path.decode().partition("?")[0])
        if operation is None:
            schema: dict[str, Any] | None = {"$ref": "#/components/schemas/Problem"}
            if media_type != PROBLEM:
                raise UnpublishedError(f"{at}: {media_type} where a problem is expected")
        else:
            schema = self._schema(operation, response, media_type, at)
        if request.method == "HEAD":
            if response.content:
                raise UnpublishedError(f"{at}: a body")
        elif schema is not None and media_type.endswith("json"):
            errors = list(self._validator(schema).iter_errors(response.json()))
            if errors:
                raise UnpublishedError(f"{at}: {'; '.join(f'{e.instance_path}: {e.message:.300}' for e in errors[:3])}")

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        key = {"HEAD": "get"}.get(method, method.lower())
        (prefix,) = (server["url"] for server in self.document.get("servers", [{"url": ""}]))
        # an address without parameters comes before one that has some, as in the router
        for template in sorted(self.document["paths"], key=lambda template: template.count("{")):
            if _pattern(template).match(path.removeprefix(prefix) or "/") and key in self.document["paths"][template]:
                operation: dict[str, Any] = self.document["paths"][template][key]
                return operation
        return None

    def _schema(
        self, operation: dict[str, Any], response: httpx.Response, media_type: str, at: str
    ) -> dict[str, Any] | None:
        declared = operation["responses"].get(str(response.status_code))
        if declared is None:
            raise UnpublishedError(f"{at}: the status is not declared")
        missing = {name for name in declared.get("headers", ()) if name not in response.headers} - SOMETIMES
        if missing:
            raise UnpublishedError(f"{at}: without the headers {missing}")
        content: dict[str, Any] = declared.get("content", {})
        if not content and not response.content:
            return None
        if media_type not in content:
            raise UnpublishedError(f"{at}: {media_type} is not declared")
        schema: dict[str, Any] = content[media_type].get("schema", {})
        return schema

    def _validator(self, schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
        key = repr(schema)
        if key not in self._validators:
            rooted = schema | {"components": self.document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(rooted, validate_formats=True)
        return self._validators[key]


SOMETIMES = {"Idempotency-Replayed", "Retry-After"}
"""Headers that are declared and depend on the case."""


@cache
def _pattern(template: str) -> Pattern[str]:
    return compile_path(template)[0]


@cache
def published_by(base_url: str) -> Published:
    """Read the document of a running service, once."""
    return Published(httpx.get(base_url + "/openapi.json", trust_env=False).raise_for_status().json())


def checked(base_url: str, **options: Any) -> httpx.Client:
    """Return a client of a running service that holds every answer against the service's own document."""

    def check(response: httpx.Response) -> None:
        response.read()
        if response.request.url.path != "/openapi.json":
            published_by(base_url).check(response)

    return httpx.Client(base_url=base_url, event_hooks={"response": [check]}, **options)
