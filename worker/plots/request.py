"""What trainer and drawing process say to each other: a line of JSON each way for each plot."""

from pydantic import BaseModel, ConfigDict

from service.contract.plots.index import PlotName, StoredPlot


class DrawRequest(BaseModel):
    """Draw a plot from its numbers, as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: PlotName
    data: str


class DrawAnswer(BaseModel):
    """What was drawn, its forms as text; or how drawing failed, for the log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plot: StoredPlot | None = None
    svg: str = ""
    vega_lite: str = ""
    failure: str | None = None
