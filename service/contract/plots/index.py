"""Which plots a job has, in which forms, and why others are withheld."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from service.contract.values.answer import Answer
from service.contract.values.media_types import JSON, PDF, PNG, SVG, VEGA_LITE

STORED_FORMS: Final = (SVG, JSON, VEGA_LITE)
"""What the worker writes, the favourite first."""
RENDERED_FORMS: Final = (PNG, PDF)
"""What is made of the SVG when it is asked for."""


class PlotName(StrEnum):
    """Every plot of a study, in the order in which they are read."""

    MINIMA = "minima"
    ORDERS = "orders"
    PARAMETERS = "parameters"
    TRAINING = "training"
    TRAJECTORIES = "trajectories"
    DECISION_BOUNDARIES = "decision_boundaries"
    BRANCHES = "branches"


class StoredPlot(Answer):
    """One plot as the worker leaves it; sizes are the SVG's, in pixels."""

    name: str
    title: str
    description: str = Field(description="What is to be seen, in one or two sentences: the text for who cannot see it.")
    width: int
    height: int


class Plot(StoredPlot):
    """One plot as the service shows it."""

    href: str
    forms: list[str] = Field(description="Media types that `Accept` may ask for.")


class PlotsFile(Answer):
    """Content of the artifact ``plots``."""

    plots: list[StoredPlot]
    withheld: dict[str, str] = Field(description="For each plot that is not there: the reason.")


class VegaLite(BaseModel):
    """A chart as Vega-Lite, with its data inside."""

    model_config = ConfigDict(extra="allow", frozen=True)

    language: str = Field(alias="$schema", description="Names the version of Vega-Lite; nothing is fetched there.")
    description: str


class Plots(Answer):
    """Answer of ``GET /v1/jobs/{id}/plots``."""

    job_id: str
    plots: list[Plot]
    withheld: dict[str, str] = Field(description="For each plot that is not there: the reason.")
    links: dict[str, str]
