"""The OpenAPI document of an application; `write_openapi` keeps it in a file."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from service.api.doors import SAFE
from service.api.examples import EXAMPLES
from service.api.problems import Problem
from service.api.routes.common import problems
from service.api.views import Capabilities, Dataset, DatasetPage, DryRun, Health, Job, JobPage
from service.contract.data.preview import DatasetPreview
from service.contract.evaluate.results import ModelPredictions, ModelStates
from service.contract.kinds import KINDS
from service.contract.plots.data import PLOT_DATA
from service.contract.plots.index import Plots, VegaLite
from service.contract.train.results import ContinuumParameters, DiscreteParameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

_ANSWERS: Final[tuple[type[BaseModel], ...]] = (
    *(Job, JobPage, DryRun, DiscreteParameters, ContinuumParameters, ModelPredictions, ModelStates),
    *(Plots, VegaLite),
    *PLOT_DATA.values(),
    *(Dataset, DatasetPage, DatasetPreview, Capabilities, Health, Problem),
)
"""Answers that do not hang on the kind of job."""


def _models() -> Iterator[tuple[type[BaseModel], Literal["validation", "serialization"]]]:
    for kind in KINDS.values():
        yield kind.request, "validation"
        for answer in (kind.results, *kind.documents.values()):
            yield answer, "serialization"
    for shown in _ANSWERS:
        yield shown, "serialization"


class _Schemas(GenerateJsonSchema):
    """Schemas that generators of clients understand: some stop at a default that is an object, where null may stand.

    Nothing is lost by leaving it away, as the fields of such an object have defaults of their own.
    """

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Describe a field with a default."""
        described = super().default_schema(schema)
        if isinstance(described.get("default"), dict):
            del described["default"]
        return described


def _add_doors(paths: dict[str, dict[str, Any]]) -> None:
    """Describe the refusals before a request reaches its route (`service.api.doors`)."""
    for operations in paths.values():
        for method, operation in operations.items():
            refused = [HTTPStatus.BAD_REQUEST, HTTPStatus.MISDIRECTED_REQUEST]
            if method.upper() not in SAFE:
                refused.append(HTTPStatus.FORBIDDEN)
            for status, answer in problems(*refused).items():
                operation["responses"].setdefault(str(status), answer)


def document(app: FastAPI) -> dict[str, Any]:
    """Describe an application, once.

    Bodies are read and written by our own code, so the routes refer to schemas by name and this adds them.
    """
    if app.openapi_schema is None:
        described = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            servers=app.servers or None,
        )
        _, schemas = models_json_schema(
            list(_models()), ref_template="#/components/schemas/{model}", schema_generator=_Schemas
        )
        components = described.setdefault("components", {}).setdefault("schemas", {})
        components.update(schemas["$defs"])
        for name, example in EXAMPLES.items():
            components[name]["examples"] = [example]
        for unused in ("HTTPValidationError", "ValidationError"):
            components.pop(unused, None)
        _add_doors(described["paths"])
        app.openapi_schema = described
    return app.openapi_schema
