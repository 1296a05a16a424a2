"""Results of a job that has succeeded are tagged, kept by clients while they hold, and compressed where large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.api.main import create_app
from service.api.negotiate import takes_gzip
from service.api.routes.finished import LARGE
from tests.support.api import MOONS, discrete_file, serving
from tests.support.http.published import checked

if TYPE_CHECKING:
    import httpx

    from service.config import Settings
    from tests.support.api import HandWorker

NPZ, SAFETENSORS = "application/x-npz", "application/vnd.safetensors"
LARGE_MODEL = "parameters?model=discrete-200"


@pytest.fixture
def path(api: httpx.Client, worker: HandWorker) -> str:
    """The results of a job that succeeded."""
    found: str = api.post("/v1/jobs", json=MOONS).json()["links"]["results"]
    worker.succeed(depth=200)
    return found


@pytest.mark.parametrize(
    ("end", "accept"),
    [
        *((end, "application/json") for end in ("", "/losses", "/diagnostics", f"/{LARGE_MODEL}")),
        *((f"/{LARGE_MODEL}", form) for form in (NPZ, SAFETENSORS)),
    ],
)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_what_a_client_has_is_not_sent_again(
    api: httpx.Client, path: str, end: str, accept: str, encoding: str
) -> None:
    headers = {"Accept": accept, "Accept-Encoding": encoding}
    first = api.get(path + end, headers=headers)
    assert first.status_code == 200
    assert first.headers["cache-control"] == (
        "private, no-cache" if accept == "application/json" else "private, max-age=31536000, immutable"
    )
    tag = first.headers["etag"]
    assert not tag.startswith("W/")
    again = api.get(path + end, headers=headers | {"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    kept = ("etag", "cache-control", "vary")
    assert [again.headers.get(name) for name in kept] == [first.headers.get(name) for name in kept]
    other = api.get(path + end, headers=headers | {"If-None-Match": '"other"'})
    assert (other.status_code, other.content, other.headers["etag"]) == (200, first.content, tag)


@pytest.mark.parametrize("end", ["", "/losses", f"/{LARGE_MODEL}"])
def test_what_is_kept_does_not_outlive_a_change_of_the_prefix(
    api: httpx.Client, path: str, settings: Settings, end: str
) -> None:
    """The same job before and after the service moved below a path: only what has links is another answer."""
    first = api.get(path + end)
    with serving(create_app(settings.model_copy(update={"root_path": "/moved"}))) as url, checked(url) as moved:
        again = moved.get(path + end, headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == (304 if end else 200)
        if not end:
            assert again.json()["links"]["self"] == f"/moved{path}"
    for answer in (first, again):
        assert answer.headers["cache-control"] == "private, no-cache"


def test_numbers_in_a_binary_form_are_kept_for_good(api: httpx.Client, path: str, settings: Settings) -> None:
    with serving(create_app(settings.model_copy(update={"root_path": "/moved"}))) as url, checked(url) as moved:
        for form in (NPZ, SAFETENSORS):
            first, again = (one.get(f"{path}/{LARGE_MODEL}", headers={"Accept": form}) for one in (api, moved))
            assert first.headers["cache-control"].endswith("immutable")
            assert first.content == again.content
            assert first.headers["etag"] == again.headers["etag"]


def test_every_content_has_a_tag_of_its_own(api: httpx.Client, path: str) -> None:
    asked = [
        ("", "application/json"),
        ("/losses", "application/json"),
        *((f"/{LARGE_MODEL}", form) for form in ("application/json", NPZ, SAFETENSORS)),
        *((f"/parameters?model=continuum&grid={grid}", "application/json") for grid in (3, 4)),
    ]
    tags = {
        api.get(path + end, headers={"Accept": accept, "Accept-Encoding": encoding}).headers["etag"]
        for end, accept in asked
        for encoding in ("gzip", "identity")
    }
    large = 1
    assert len(tags) == len(asked) + large  # only the large text has another one where it is compressed


def test_large_text_is_compressed_for_clients_that_take_it(api: httpx.Client, path: str) -> None:
    plain = api.get(f"{path}/{LARGE_MODEL}", headers={"Accept-Encoding": "identity"})
    small = api.get(f"{path}/{LARGE_MODEL}", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < len(plain.content)
    assert small.content == plain.content
    assert "content-encoding" not in plain.headers
    assert len(plain.content) >= LARGE
    for answer in (plain, small):
        assert answer.headers["vary"] == "Accept, Accept-Encoding"
    short = api.get(f"{path}/losses")
    assert len(short.content) < LARGE
    assert not {"content-encoding", "vary"} & set(short.headers)


def test_a_file_is_sent_as_it_is(api: httpx.Client, path: str) -> None:
    """Its hash is among the results, and its numbers hardly get smaller."""
    answer = api.get(f"{path}/{LARGE_MODEL}", headers={"Accept": SAFETENSORS, "Accept-Encoding": "gzip"})
    assert answer.content == discrete_file(200, 2)
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept"


def test_what_may_change_is_not_kept(api: httpx.Client, path: str, worker: HandWorker) -> None:
    """A job that runs, one that was cancelled, and one that is gone."""
    created = api.post("/v1/jobs", json=MOONS)
    assert created.headers["cache-control"] == "private, no-cache"
    unfinished = created.json()["links"]["results"]
    api.post(created.json()["links"]["cancel"])
    gone = path.removesuffix("/results")
    tag = api.get(path).headers["etag"]
    assert api.delete(gone).status_code == 204
    for answer in (api.get(unfinished), api.get(path, headers={"If-None-Match": tag})):
        assert answer.status_code == 404
        assert (answer.headers["cache-control"], answer.headers.get("etag")) == ("no-store", None)
    waiting = api.get(api.post("/v1/jobs", json=MOONS).json()["links"]["results"], headers={"If-None-Match": "*"})
    assert waiting.status_code == 409
    assert (waiting.headers["cache-control"], waiting.headers.get("etag")) == ("no-store", None)
    assert worker.store.queued() == 1


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.1", True),
        ("*", True),
        ("gzip;q=0", False),
        ("*, gzip;q=0", False),
        ("identity;q=1, *;q=0", False),
        ("x-gzip", True),
        ("x-gzip;q=0, *", False),
        ("deflate, x-gzipped", False),
        (";;q=,", False),
    ],
)
def test_takes_gzip(header: str, taken: bool) -> None:
    assert takes_gzip(header) is taken
