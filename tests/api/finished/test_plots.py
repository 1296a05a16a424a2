"""Plots over HTTP: the list, each form by Accept, and pictures by a renderer that may fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from service.contract.names import PLOTS, plot_key
from service.contract.plots.index import PlotName, Plots
from service.rendering import child
from tests.support.api import MOONS
from tests.support.plots.made_up import numbers, plot_files
from worker.plots.drawing import draw

if TYPE_CHECKING:
    import httpx

    from service.artifacts import ArtifactStore
    from tests.support.api import HandWorker

SVG, VEGA, PNG, PDF = "image/svg+xml", "application/vnd.vegalite.v6+json", "image/png", "application/pdf"
JSON = "application/json"
WITHHELD = {PlotName.DECISION_BOUNDARIES.value: "they are drawn for two inputs, and there are 4"}


@pytest.fixture(scope="module")
def svg() -> bytes:
    return draw(PlotName.MINIMA, numbers()[PlotName.MINIMA].model_dump_json()).svg


@pytest.fixture
def path(api: httpx.Client, worker: HandWorker, svg: bytes) -> str:
    """The plots of a job that succeeded."""
    return with_plots(api, worker, svg)


def with_plots(api: httpx.Client, worker: HandWorker, svg: bytes) -> str:
    job = api.post("/v1/jobs", json=MOONS).json()["links"]["self"]
    worker.succeed(more=plot_files(svg, WITHHELD))
    found: str = api.get(job).json()["links"]["plots"]
    return found


def read(api: httpx.Client, path: str, accept: str | None = None, **headers: str) -> httpx.Response:
    return api.get(f"{path}/minima", headers={**({} if accept is None else {"Accept": accept}), **headers})


def test_the_list(api: httpx.Client, path: str) -> None:
    found = Plots.model_validate(api.get(path).json())
    assert found.withheld == WITHHELD
    (plot,) = found.plots
    assert plot.href == f"{path}/minima"
    assert plot.forms == [SVG, JSON, VEGA, PNG, PDF]
    for link in found.links.values():
        assert api.get(link).status_code == 200
    for form in plot.forms:
        answer = api.get(plot.href, headers={"Accept": form})
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, form)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, SVG),
        ("*/*", SVG),
        ("image/*", SVG),
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", SVG),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", SVG),
        ("application/*", JSON),
        (f"{PNG};q=0.5, {VEGA}", VEGA),
        (f"{PDF}, {SVG};q=0.1", PDF),
    ],
)
def test_negotiation(api: httpx.Client, path: str, accept: str | None, chosen: str) -> None:
    answer = read(api, path, accept)
    assert answer.headers["content-type"].partition(";")[0] == chosen
    assert answer.headers["vary"].startswith("Accept")


def test_what_was_stored_is_sent(api: httpx.Client, path: str, svg: bytes) -> None:
    answer = read(api, path)
    assert answer.content == svg
    assert answer.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert read(api, path, JSON).json() == json.loads(plot_files(svg)[plot_key("minima", "data")])


@pytest.mark.parametrize("form", [SVG, JSON, VEGA, PNG, PDF])
def test_a_client_that_has_it_is_told_so(api: httpx.Client, path: str, form: str) -> None:
    answer = read(api, path, form)
    again = read(api, path, form, **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = api.head(f"{path}/minima", headers={"Accept": form})
    assert (head.headers["etag"], head.content) == (answer.headers["etag"], b"")


def test_pictures_are_pictures(api: httpx.Client, path: str) -> None:
    png, pdf = read(api, path, PNG).content, read(api, path, PDF).content
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width = int.from_bytes(png[16:20], "big")
    assert width == 2 * int(read(api, path).text.partition(' width="')[2].partition('"')[0])
    assert pdf.startswith(b"%PDF-")


def test_a_picture_is_rendered_once(api: httpx.Client, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read(api, path, PNG)
    monkeypatch.setattr(child, "LONGEST_S", 0.001)
    assert read(api, path, PNG).content == first.content


def test_without_the_renderer_there_are_no_pictures(
    api: httpx.Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "LIBRARY", "no_such_library")
    assert api.get(path).json()["plots"][0]["forms"] == [SVG, JSON, VEGA]
    assert read(api, path, f"{PNG}, {SVG};q=0.5").headers["content-type"] == SVG
    answer = read(api, path, PNG)
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert "vl-convert-python, which is not installed here" in answer.json()["detail"]


def test_other_forms_are_not_acceptable(api: httpx.Client, path: str) -> None:
    answer = read(api, path, "text/html")
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert "installed" not in answer.json()["detail"]


def test_what_is_not_there(api: httpx.Client, path: str) -> None:
    answer = api.get(f"{path}/decision_boundaries")
    assert (answer.status_code, answer.json()["code"]) == (404, "plot_not_found")
    assert WITHHELD["decision_boundaries"] in answer.json()["detail"]
    answer = api.get(f"{path}/spectrum")
    assert (answer.status_code, answer.json()["code"]) == (404, "plot_not_found")
    assert answer.json()["detail"] == "There is no such plot; the job has minima."


def test_jobs_of_earlier_versions_have_none(api: httpx.Client, worker: HandWorker) -> None:
    job = api.post("/v1/jobs", json=MOONS).json()["links"]["self"]
    assert api.get(f"{job}/plots").json()["code"] == "results_not_ready"
    worker.succeed()
    assert "plots" not in api.get(job).json()["links"]
    assert api.get(f"{job}/plots").json()["code"] == "results_unavailable"
    assert api.get(f"{job}/plots/minima").json()["code"] == "results_unavailable"


def test_they_go_with_their_job(api: httpx.Client, worker: HandWorker, artifacts: ArtifactStore, svg: bytes) -> None:
    api.post("/v1/jobs", json=MOONS)
    record = worker.succeed(more=plot_files(svg))
    reference = record.artifacts[plot_key("minima", "svg")]
    assert artifacts.get(reference) == svg
    assert record.artifacts[PLOTS].path.endswith("/plots.json")
    api.delete(f"/v1/jobs/{record.id}").raise_for_status()
    assert api.get(f"/v1/jobs/{record.id}/plots").status_code == 404
    with pytest.raises(Exception, match="plots/minima"):
        artifacts.get(reference)


def unrendered(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.json()["code"]) == (503, "rendering_failed")
    assert answer.headers["retry-after"] == "1"
    detail: str = answer.json()["detail"]
    return detail


def test_a_renderer_that_hangs_is_ended(
    api: httpx.Client, worker: HandWorker, svg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_plots(api, worker, svg.replace(b"They fall", b"never rendered") + b"<!-- hangs -->")
    monkeypatch.setattr(child, "LONGEST_S", 0.01)
    assert "took longer than 0.01 s" in unrendered(read(api, path, PNG))
    monkeypatch.undo()
    assert read(api, path, PNG).status_code == 200


@pytest.mark.parametrize("size", ["0", "200000"])
def test_a_renderer_that_cannot_is_no_fault_of_the_service(api: httpx.Client, worker: HandWorker, size: str) -> None:
    """Nothing to draw, and a picture of 160 GB."""
    hostile = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}"/>'.encode()
    path = with_plots(api, worker, hostile)
    assert "ran out of memory or failed" in unrendered(read(api, path, PNG))
    assert read(api, path).content == hostile


def test_pictures_that_were_asked_for_last_are_kept() -> None:
    pictures = child.Pictures(most_bytes=10)
    pictures.keep("a", PNG, b"12345")
    pictures.keep("b", PNG, b"12345")
    assert pictures.find("a", PNG) == b"12345"
    pictures.keep("c", PNG, b"1")
    assert (pictures.find("a", PNG), pictures.find("b", PNG), pictures.find("c", PNG)) == (b"12345", None, b"1")
    assert pictures.find("a", PDF) is None
