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
    from collections.abc import Iterator, Mapping

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


_JOB: Final = {"job_id": "$response.body#/id"}
_THIS_JOB: Final = {"job_id": "$request.path.job_id"}
_MODEL: Final = {**_THIS_JOB, "model": "$response.body#/models/0/model"}
_EVALUATED: Final = {**_THIS_JOB, "model": "$response.body#/evaluations/0/model"}
_DATASET: Final = {"dataset_id": "$response.body#/id"}
_OF_A_JOB: Final = ("get_results", "get_losses", "get_diagnostics", "get_plots", "get_report", "get_export")
_LINKS: Final[Mapping[tuple[str, HTTPStatus], Mapping[str, Mapping[str, str]]]] = {
    ("create_job", HTTPStatus.ACCEPTED): {"get_job": _JOB, "cancel_job": _JOB},
    ("create_job", HTTPStatus.OK): {"get_job": _JOB},
    ("list_jobs", HTTPStatus.OK): {"get_job": {"job_id": "$response.body#/items/0/id"}},
    ("get_job", HTTPStatus.OK): {**dict.fromkeys(_OF_A_JOB, _JOB), "cancel_job": _JOB, "delete_job": _JOB},
    ("cancel_job", HTTPStatus.OK): {"get_job": _JOB, "delete_job": _JOB},
    ("cancel_job", HTTPStatus.ACCEPTED): {"get_job": _JOB},
    ("get_results", HTTPStatus.OK): {
        "get_parameters": _MODEL,
        "get_predictions": _EVALUATED,
        "get_states": _EVALUATED,
        "get_export": _MODEL,
    },
    ("get_plots", HTTPStatus.OK): {"get_plot": {**_THIS_JOB, "name": "$response.body#/plots/0/name"}},
    ("create_dataset", HTTPStatus.CREATED): dict.fromkeys(("get_dataset", "preview_dataset"), _DATASET),
    ("create_dataset", HTTPStatus.OK): {"get_dataset": _DATASET},
    ("list_datasets", HTTPStatus.OK): {"get_dataset": {"dataset_id": "$response.body#/items/0/id"}},
    ("get_dataset", HTTPStatus.OK): dict.fromkeys(("preview_dataset", "delete_dataset"), _DATASET),
}
"""Which operations go on from an answer, and the parameters that they take from it, by operation and status."""
_BODIES: Final[Mapping[tuple[str, HTTPStatus], Mapping[str, Any]]] = {
    ("get_job", HTTPStatus.OK): {"kind": "evaluate", "job_id": "$response.body#/id"},
    ("get_dataset", HTTPStatus.OK): {"kind": "train", "data": {"source": "dataset", "id": "$response.body#/id"}},
}
"""Specifications of jobs that go on from an answer."""


def _add_links(paths: dict[str, dict[str, Any]]) -> None:
    """Describe where one goes from an answer (`_LINKS` and `_BODIES`)."""
    operations = {operation["operationId"]: operation for path in paths.values() for operation in path.values()}
    for (source, status), targets in _LINKS.items():
        links = operations[source]["responses"][str(int(status))].setdefault("links", {})
        for target, parameters in targets.items():
            links[target] = {"operationId": target, "parameters": dict(parameters)}
    for (source, status), body in _BODIES.items():
        links = operations[source]["responses"][str(int(status))].setdefault("links", {})
        links["create_job"] = {"operationId": "create_job", "requestBody": dict(body)}


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
        _add_links(described["paths"])
        app.openapi_schema = described
    return app.openapi_schema
