"""Plots of a study: the list of them, and each as SVG, numbers, Vega-Lite, PNG or PDF."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final

import anyio.to_thread
from fastapi import APIRouter, Path
from starlette.responses import Response

from service.api.forms.arrays import to_json
from service.api.negotiate import accepted
from service.api.problems import ProblemError
from service.api.routes.common import Route, answers, one_of, problems, ref
from service.api.routes.finished import HEADERS, FinishedOf
from service.api.state import JobsOf, LinksOf, State
from service.contract.names import PLOTS, plot_key
from service.contract.plots.data import PLOT_DATA
from service.contract.plots.index import RENDERED_FORMS, STORED_FORMS, PlotName, PlotsFile
from service.contract.values.errors import ErrorCode
from service.contract.values.media_types import JSON, PDF, PNG, SVG, VEGA_LITE
from service.jobs.jobs import Jobs, stored
from service.rendering.child import RenderingFailedError, installed, render

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(prefix="/v1/jobs/{job_id}/plots", tags=["plots"], route_class=Route)

KEYS: Final[Mapping[str, str]] = MappingProxyType({SVG: "svg", JSON: "data", VEGA_LITE: "vega"})
"""What stored forms are called in the keys of artifacts."""
NOT_INSTALLED: Final = "PNG and PDF are rendered by vl-convert-python, which is not installed here (the extra `plots`)"
PlotOf = Annotated[str, Path(description=f"One of {', '.join(PlotName)}.")]
LOCKED: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Policy of an SVG that is opened by itself: nothing in it runs or is fetched."""
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_OTHERS: Final = answers(HTTPStatus.NOT_MODIFIED, "The client has it.", None, HEADERS) | problems(
    HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)
_FORMS: Final[dict[str, Any]] = {
    SVG: {"schema": {"type": "string"}},
    JSON: {"schema": one_of("plot", {name.value: data.__name__ for name, data in PLOT_DATA.items()})},
    VEGA_LITE: {"schema": ref("VegaLite")},
    PNG: _BINARY,
    PDF: _BINARY,
}


def _forms() -> tuple[str, ...]:
    """Return the media types that there are here."""
    return (*STORED_FORMS, *(RENDERED_FORMS if installed() else ()))


def _plots_of(jobs: Jobs, job_id: str) -> PlotsFile:
    content = jobs.artifact(job_id, PLOTS)
    with stored():
        return PlotsFile.model_validate_json(content)


@router.get(
    "",
    response_model=None,
    summary="List the plots",
    responses=answers(HTTPStatus.OK, "The plots of a study, and why others are withheld.", "Plots", HEADERS) | _OTHERS,
)
def get_plots(job_id: str, jobs: JobsOf, links: LinksOf, finished: FinishedOf) -> Response:
    """Read which plots there are of a finished study, what each shows, and in which forms."""
    found, path, forms = _plots_of(jobs, job_id), links.plots(job_id), list(_forms())
    shown = [{**plot.model_dump(), "href": f"{path}/{plot.name}", "forms": forms} for plot in found.plots]
    answer = {
        "job_id": job_id,
        "plots": shown,
        "withheld": found.withheld,
        "links": {"self": path, "job": links.job(job_id)},
    }
    return finished.answer(to_json(answer))


@router.get(
    "/{name}",
    response_model=None,
    summary="Read a plot",
    responses=answers(HTTPStatus.OK, "The plot, in the form that `Accept` asks for.", _FORMS, (*HEADERS, "Vary"))
    | _OTHERS
    | problems(HTTPStatus.NOT_ACCEPTABLE),
)
async def get_plot(job_id: str, name: PlotOf, service: State, finished: FinishedOf) -> Response:
    """Read one plot: an SVG for light and dark pages unless another form is asked for."""
    form = _choose(finished.accept)
    stored, sha256 = await anyio.to_thread.run_sync(partial(_read, service.jobs, job_id, name, form))
    headers = {"Vary": "Accept", "X-Content-Type-Options": "nosniff"}
    if form not in RENDERED_FORMS:
        return finished.answer(stored, form, headers | ({"Content-Security-Policy": LOCKED} if form == SVG else {}))
    picture = service.pictures.find(sha256, form)
    if picture is None:
        try:
            picture = await anyio.to_thread.run_sync(partial(render, stored, form), limiter=service.rendering_turns)
        except RenderingFailedError as failure:
            detail = f"The plot could not be rendered as {form}: {failure}. It is there as {SVG}."
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.RENDERING_FAILED, detail, headers={"Retry-After": "1"}
            ) from failure
        service.pictures.keep(sha256, form, picture)
    return finished.answer(picture, form, headers)


def _choose(accept: str) -> str:
    """Return the form to answer in.

    Raises
    ------
    ProblemError
        406 with what there is.
    """
    forms = _forms()
    acceptable = accepted(accept, forms)
    if acceptable:
        return acceptable[0][0]
    detail = f"The forms are {', '.join(forms[:-1])} and {forms[-1]}."
    if accepted(accept, RENDERED_FORMS):
        detail = f"{NOT_INSTALLED}. {detail}"
    raise ProblemError(HTTPStatus.NOT_ACCEPTABLE, ErrorCode.NOT_ACCEPTABLE, detail)


def _read(jobs: Jobs, job_id: str, name: str, form: str) -> tuple[bytes, str]:
    """Return the stored object that a form is, or is rendered from, and its digest.

    Raises
    ------
    ProblemError
        404 with the reason why the plot is withheld, or the names that there are.
    """
    found = _plots_of(jobs, job_id)
    names, withheld = [plot.name for plot in found.plots], found.withheld
    if name in withheld:
        detail = f"The plot {name} is withheld: {withheld[name]}."
        raise ProblemError(HTTPStatus.NOT_FOUND, ErrorCode.PLOT_NOT_FOUND, detail)
    if name not in names:
        detail = f"There is no such plot; the job has {', '.join(names) or 'none'}."
        raise ProblemError(HTTPStatus.NOT_FOUND, ErrorCode.PLOT_NOT_FOUND, detail)
    key = plot_key(name, KEYS.get(form, KEYS[SVG]))
    reference = jobs.get(job_id).artifacts[key]
    return jobs.artifact(job_id, key), reference.sha256
