"""The OpenAPI document: ``python -m service.openapi`` writes it, ``--check`` compares."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from service.contract.diagnostics import Diagnostics
from service.contract.kinds import KINDS
from service.contract.results import ContinuumParameters, DiscreteParameters, Losses, Results
from service.contract.results_kinds import DiagnosisResults, EvaluationResults, ModelPredictions, ModelStates
from service.problems import Problem
from service.views import Capabilities, Dataset, DatasetPage, DryRun, Health, Job, JobPage

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import BaseModel

PATH = Path(__file__).resolve().parent.parent / "openapi" / "openapi.json"

_Mode = Literal["validation", "serialization"]
_MODELS: tuple[tuple[type[BaseModel], _Mode], ...] = (
    *((model, "validation") for model in KINDS.values()),
    *(
        (model, "serialization")
        for model in (
            Job,
            JobPage,
            DryRun,
            Results,
            Diagnostics,
            Losses,
            EvaluationResults,
            DiagnosisResults,
            ModelPredictions,
            ModelStates,
            Dataset,
            DatasetPage,
            DiscreteParameters,
            ContinuumParameters,
            Capabilities,
            Health,
            Problem,
        )
    ),
)


def document(app: FastAPI) -> dict[str, Any]:
    """Describe an application.

    Bodies are read and written by our own code, so the routes refer to schemas by name and this adds them.

    Parameters
    ----------
    app
        With its routes.

    Returns
    -------
    dict
        The OpenAPI document.
    """
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, schemas = models_json_schema(list(_MODELS), ref_template="#/components/schemas/{model}")
        components = found.setdefault("components", {}).setdefault("schemas", {})
        components.update(schemas["$defs"])
        for unused in ("HTTPValidationError", "ValidationError"):
            components.pop(unused, None)
        app.openapi_schema = found
    return app.openapi_schema


def text() -> str:
    """Return the document of the application as it is written to `PATH`."""
    from service.config import Settings  # noqa: PLC0415  # the application itself imports this module
    from service.main import create_app  # noqa: PLC0415

    return json.dumps(document(create_app(Settings())), indent=2, sort_keys=True) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the document, or compare it.

    Parameters
    ----------
    arguments
        Of the command line.

    Returns
    -------
    int
        0; or 1 when ``--check`` finds the file untrue.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args(arguments).check:
        if PATH.exists() and PATH.read_text(encoding="utf-8") == text():
            return 0
        sys.stderr.write(f"{PATH} is not what the code says; run python -m service.openapi\n")
        return 1
    PATH.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
