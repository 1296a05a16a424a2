"""The calls of the HTTP API as plain values: how each is asked, and how its answer is read."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import numpy as np

from deeplimit.client.errors import ServiceError
from deeplimit.client.exchange import TIMEOUT_S, UPLOAD_S, Call

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx
    from numpy.typing import NDArray

    from deeplimit.client.uploads import Upload

Json = dict[str, Any]
Arrays = dict[str, "NDArray[Any]"]

JSON: Final = "application/json"
NPZ: Final = "application/x-npz"
PLOT_FORMS: Final = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "json": JSON,
    "vega": "application/vnd.vegalite.v6+json",
}
"""Media types of a plot by the short names of its forms."""
WAIT_S: Final = 20
"""Longest single wait asked of the service; a watched job is asked for again and again."""
FILE_S: Final = 120.0
"""A report, an export and a picture are made when they are asked for."""


def submit(spec: Mapping[str, Any] | bytes | str, idempotency_key: str | None) -> Call[Json]:
    """Create a job, always under a key of its own, so that a lost answer can be asked for again."""
    headers = {"Content-Type": JSON, "Idempotency-Key": idempotency_key or uuid.uuid4().hex}
    return Call("POST", "/v1/jobs", _json, headers=headers, content=body_of(spec))


def plan(spec: Mapping[str, Any] | bytes | str) -> Call[Json]:
    """Resolve a specification and estimate its cost."""
    return Call("POST", "/v1/jobs/plan", _json, headers={"Content-Type": JSON}, content=body_of(spec))


def job(job_id: str) -> Call[Json]:
    """Read a job as it is now."""
    return Call("GET", job_path(job_id), _json)


def next_job(job_id: str, tag: str | None, wait_s: float = WAIT_S) -> Call[tuple[Json | None, str | None]]:
    """Read a job, or with the tag of a revision the next one; nothing where there is none within the wait."""

    def read(response: httpx.Response) -> tuple[Json | None, str | None]:
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            return None, tag
        return _json(response), response.headers.get("ETag", tag)

    seconds = max(1, round(wait_s))
    headers = {} if tag is None else {"Prefer": f"wait={seconds}", "If-None-Match": tag}
    return Call("GET", job_path(job_id), read, headers=headers, timeout_s=TIMEOUT_S + seconds)


def jobs(cursor: str | None, filters: Mapping[str, Any]) -> Call[Json]:
    """Read a page of jobs."""
    return Call("GET", "/v1/jobs", _json, params=_given({"cursor": cursor, **filters}))


def cancel(job_id: str) -> Call[Json]:
    """Ask for a job to be cancelled."""
    return Call("POST", job_path(job_id, "/cancel"), _json)


def delete(job_id: str) -> Call[None]:
    """Remove a finished job, its record and its artifacts."""
    return Call("DELETE", job_path(job_id), _nothing, gone_is_done=True)


def results(job_id: str) -> Call[Json]:
    """Read what a job found."""
    return Call("GET", job_path(job_id, "/results"), _json)


def losses(job_id: str) -> Call[Json]:
    """Read the objective, its parts and the gradient norm, per model and iteration."""
    return Call("GET", job_path(job_id, "/results/losses"), _json)


def arrays(job_id: str, what: str, model: str, grid: int | None = None) -> Call[Arrays]:
    """Read parameters, predictions or states of one model."""
    params = _given({"model": model, "grid": grid})
    return Call("GET", job_path(job_id, f"/results/{what}"), _npz, params=params, headers={"Accept": NPZ})


def plots(job_id: str) -> Call[Json]:
    """Read which plots there are."""
    return Call("GET", job_path(job_id, "/plots"), _json)


def plot(job_id: str, name: str, form: str) -> Call[bytes]:
    """Read one plot in one of its forms."""
    path = job_path(job_id, f"/plots/{quote(name, safe='')}")
    return Call("GET", path, _file, headers={"Accept": PLOT_FORMS.get(form, form)}, timeout_s=FILE_S)


def report(job_id: str) -> Call[bytes]:
    """Read the report, one HTML file."""
    return Call("GET", job_path(job_id, "/report"), _bytes, headers={"Accept": "text/html"}, timeout_s=FILE_S)


def export(job_id: str, model: str | None, form: str = "zip", steps: int | None = None) -> Call[bytes]:
    """Read one trained model of a job: the named one, or that which the service chooses."""
    params = _given({"model": model, "format": None if form == "zip" else form, "steps": steps})
    headers = {"Accept": "application/zip" if form == "zip" else "application/octet-stream"}
    return Call("GET", job_path(job_id, "/export"), _file, params=params, headers=headers, timeout_s=FILE_S)


def upload(what: Upload) -> Call[Json]:
    """Keep a data set, or the weights of a network. Repeating it is harmless: the same content is kept once."""
    return Call(
        "POST",
        "/v1/datasets",
        _json,
        params=_given(what.params),
        headers={"Content-Type": what.media_type},
        content=what.content,
        timeout_s=UPLOAD_S,
    )


def datasets(cursor: str | None) -> Call[Json]:
    """Read a page of data sets."""
    return Call("GET", "/v1/datasets", _json, params=_given({"cursor": cursor}))


def dataset(dataset_id: str, below: str = "") -> Call[Json]:
    """Read what is known of a data set, or with ``/preview`` its columns and first rows."""
    return Call("GET", dataset_path(dataset_id, below), _json)


def delete_dataset(dataset_id: str) -> Call[None]:
    """Delete a data set; jobs that were given it keep their copies."""
    return Call("DELETE", dataset_path(dataset_id), _nothing, gone_is_done=True)


def capabilities() -> Call[Json]:
    """Read what can be asked for."""
    return Call("GET", "/v1/capabilities", _json)


def job_path(job_id: str, below: str = "") -> str:
    """Path of a job; an id cannot lead out of its place."""
    return f"/v1/jobs/{quote(job_id, safe='')}{below}"


def dataset_path(dataset_id: str, below: str = "") -> str:
    """Path of a data set, likewise."""
    return f"/v1/datasets/{quote(dataset_id, safe='')}{below}"


def body_of(spec: Mapping[str, Any] | bytes | str) -> bytes:
    """Write a specification as JSON; arrays in it become lists, and an uploaded data set what refers to it."""
    if isinstance(spec, bytes):
        return spec
    text = spec if isinstance(spec, str) else json.dumps(spec, allow_nan=False, default=_plain)
    return text.encode()


def _plain(value: Any) -> Any:
    """Return what stands in JSON for an object that JSON does not have."""
    if (reference := getattr(value, "reference", None)) is not None:
        return reference
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if hasattr(value, "to_numpy"):  # a column or a frame
        return value.to_numpy().tolist()
    raise TypeError(f"a specification cannot hold a {type(value).__name__}")


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that were given, as they are written in a query; lists are given again for each."""
    written = {True: "true", False: "false"}
    return {
        name: written[value] if isinstance(value, bool) else value
        for name, value in params.items()
        if value is not None and value is not False and value != ()
    }


def _json(response: httpx.Response) -> Json:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):  # a page of a proxy, say
        raise ServiceError.of(response)
    return answer


def _bytes(response: httpx.Response) -> bytes:
    return response.content


def _file(response: httpx.Response) -> bytes:
    """Return a file that is no HTML; an HTML page in its place is not the service's."""
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise ServiceError.of(response)
    return response.content


def _nothing(response: httpx.Response) -> None:  # noqa: ARG001 - what a call without an answer is read by
    return None


def _npz(response: httpx.Response) -> Arrays:
    if not zipfile.is_zipfile(io.BytesIO(response.content)):
        raise ServiceError.of(response)
    with np.load(io.BytesIO(response.content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
