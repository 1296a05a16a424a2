"""HEAD, targets in absolute form, a prefix behind a proxy, and pages of other origins."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

import httpx
import pytest

from service.api.main import create_app
from service.api.openapi import document
from service.config import OWN_PATHS, Settings
from tests.support.api import MOONS, HandWorker, serving
from tests.support.http.published import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.jobstore import JobStore

DOCUMENT = document(create_app(Settings()))
READ = [path for path, operations in DOCUMENT["paths"].items() if "get" in operations]
OF_THE_MOMENT = {"x-request-id", "date"}


@pytest.mark.parametrize("path", [*READ, "/openapi.json", "/nowhere"])
def test_head_answers_as_get_does_without_the_body(api: httpx.Client, worker: HandWorker, path: str) -> None:
    api.post("/v1/jobs", json=MOONS)
    address = path.format(job_id=worker.succeed().id, dataset_id="0" * 64, name="minima")
    if path.endswith("/parameters"):
        address += "?model=continuum"
    got, head = api.get(address), api.head(address)
    assert head.status_code == got.status_code
    assert head.content == b""
    if path != "/metrics":  # which counts the request before
        assert dict(head.headers).keys() == dict(got.headers).keys()
        same = {name: value for name, value in got.headers.items() if name not in OF_THE_MOMENT}
        # problems repeat the id of the request
        assert {name: head.headers[name] for name in same} == same


def test_head_is_counted_as_head_and_changes_nothing_else(api: httpx.Client) -> None:
    api.head("/v1/jobs/unknown-job")
    text = api.get("/metrics").text
    assert 'method="HEAD",route="/v1/jobs/{job_id}",status="404"' in text
    assert api.head("/v1/jobs/unknown-job/cancel").status_code == 405
    assert api.head("/v1/jobs/plan").status_code == 404


def raw(base_url: str, target: str, method: str = "GET", body: bytes = b"") -> tuple[int, dict[str, object]]:
    """Ask with a target exactly as it is given."""
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"), timeout=20)
    connection.putrequest(method, target, skip_host=True)
    for name, value in (
        ("Host", "localhost"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    ):
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    found: dict[str, object] = json.loads(content) if "json" in answer.headers["Content-Type"] else {"text": content}
    connection.close()
    return answer.status, found


def test_a_target_in_absolute_form(base_url: str, api: httpx.Client) -> None:
    assert raw(base_url, f"{base_url}/livez") == (200, {"status": "alive"})
    status, job = raw(base_url, "HTTP://LOCALHOST:99/v1/jobs", "POST", json.dumps(MOONS).encode())
    assert status == 202
    assert raw(base_url, f"http://localhost/v1/jobs/{job['id']}")[1] == job
    assert raw(base_url, "http://localhost/v1/jobs?limit=0")[1]["code"] == "invalid_parameter"
    page = api.get("/", headers={"Accept-Encoding": "identity"}).content
    for target in ("http://localhost", "http://localhost/"):
        assert raw(base_url, target) == (200, {"text": page})
    for target in ("http://elsewhere.example/livez", "http://localhost@x/livez", "http://"):  # goes before the Host
        assert raw(base_url, target)[1]["code"] == "wrong_host"
    for target in ("http://localhost/nowhere", "/http://localhost/livez", "ftp://localhost/livez"):
        assert raw(base_url, target)[1]["code"] == "not_found"
    assert len(api.get("/v1/jobs").json()["items"]) == 1


@pytest.fixture(scope="module")
def below(settings: Settings) -> Iterator[str]:
    """A service that a proxy has below a path."""
    with serving(create_app(settings.model_copy(update={"root_path": "/a/deep.limit"}))) as url:
        yield url


def test_links_start_with_the_prefix(below: str, worker: HandWorker, store: JobStore) -> None:
    assert store.queued() == 0
    with checked(below) as client:  # as behind a proxy that takes the prefix off
        created = client.post("/v1/jobs", json=MOONS)
        path = f"/a/deep.limit/v1/jobs/{worker.succeed().id}"
        assert created.headers["location"] == created.json()["links"]["self"] == path
        assert client.get("/v1/jobs").json()["items"][0]["links"]["results"] == f"{path}/results"
        csv = client.post("/v1/datasets", content=b"1,2\n3,4\n", headers={"Content-Type": "text/csv"})
        dataset = f"/a/deep.limit/v1/datasets/{csv.json()['id']}"
        assert csv.headers["location"] == csv.json()["links"]["self"] == dataset
        assert client.get("/v1/datasets").json()["items"][0]["links"]["self"] == dataset
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/a/deep.limit"}]
        results = client.get(f"{path}/results").json()  # as behind one that leaves it
        hrefs = [model["parameters"]["href"] for model in results["models"]]
        for link in (*results["links"].values(), *hrefs, dataset):
            assert link.startswith("/a/deep.limit/v1/")
            assert client.get(link).status_code == 200
        for other in ("/a/deep.limits/v1/jobs", "/a/v1/jobs", "/a/deep.limit/a/deep.limit/v1/jobs"):
            assert client.get(other).status_code == 404
        assert client.get("/a/deep.limit").text == client.get("/a/deep.limit/").text == client.get("/").text
        assert client.put(f"{path}/cancel").headers["allow"] == "POST"


def test_without_a_prefix_there_is_none(api: httpx.Client) -> None:
    assert api.get("/a/deep.limit/livez").status_code == 404
    assert "servers" not in api.get("/openapi.json").json()


@pytest.mark.parametrize("wrong", ["deeplimit", "/deeplimit/", "/", "//x", "/a b", "/a?b", "http://x/a"])
def test_prefixes_that_are_none(wrong: str) -> None:
    with pytest.raises(ValueError, match="root_path"):
        Settings(root_path=wrong)


@pytest.mark.parametrize("prefix", ["/v1", "/v1/jobs", "/v1/models", "/livez", "/metrics/x", "/openapi.json"])
def test_prefixes_that_are_paths_of_the_service(prefix: str) -> None:
    """With /v1, `/v1/jobs` would be read as `/jobs` below the prefix."""
    with pytest.raises(ValueError, match=f"root_path\n.*must not start with /{prefix.split('/')[1]}, "):
        Settings(root_path=prefix)


@pytest.mark.parametrize("prefix", ["/v10", "/a/v1", "/V1", "/livez2", "/openapi"])
def test_prefixes_that_only_look_like_paths_of_the_service(settings: Settings, prefix: str) -> None:
    settings = Settings(**settings.model_dump() | {"root_path": prefix})
    with serving(create_app(settings)) as url, checked(url) as client:
        for path in ("/livez", "/v1/jobs", "/v1/capabilities"):
            assert client.get(path).status_code == client.get(prefix + path).status_code == 200


def test_the_paths_of_the_service_are_known_to_its_settings(api: httpx.Client) -> None:
    paths = [*api.get("/openapi.json").json()["paths"], "/openapi.json"]
    assert {path.split("/")[1] for path in paths if path != "/"} | {"page"} == set(OWN_PATHS)


@pytest.mark.parametrize("wrong", ["", "example.org", "https://example.org/", "https://a.org, https://b.org", "*,*"])
def test_origins_that_are_none(wrong: str) -> None:
    with pytest.raises(ValueError, match="cors_origins"):
        Settings(cors_origins=wrong)


ORIGIN = {"Origin": "https://plots.example.org"}
PREFLIGHT = ORIGIN | {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,idempotency-key,prefer",
}


@pytest.mark.parametrize("origins", ["*", "https://a.example,https://plots.example.org"])
def test_pages_of_the_origins_that_are_named_may_call(settings: Settings, origins: str) -> None:
    with serving(create_app(settings.model_copy(update={"cors_origins": origins}))) as url, checked(url) as client:
        for answer in (client.get("/livez", headers=ORIGIN), client.get("/nowhere", headers=ORIGIN)):
            assert answer.headers["access-control-allow-origin"] in {"*", ORIGIN["Origin"]}
            assert {"ETag", "Location", "Retry-After"} <= set(
                answer.headers["access-control-expose-headers"].split(", ")
            )
            assert "access-control-allow-credentials" not in answer.headers
        preflight = client.build_request("OPTIONS", "/v1/jobs", headers=PREFLIGHT)
        client.event_hooks = {}  # a browser asks this, and the document does not have it
        allowed = client.send(preflight)
        assert allowed.status_code == 200
        assert "POST" in allowed.headers["access-control-allow-methods"]
        assert "idempotency-key" in allowed.headers["access-control-allow-headers"]
        other = client.get("/livez", headers={"Origin": "https://evil.example"})
        assert (other.headers.get("access-control-allow-origin") == "*") == (origins == "*")


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Origin": "https://evil.example"}, "origin;"),
        ({"Access-Control-Request-Method": "PUT"}, "method;"),
        ({"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}, "origin, method;"),
    ],
)
def test_a_preflight_that_is_refused_is_a_problem(settings: Settings, headers: dict[str, str], said: str) -> None:
    app = create_app(settings.model_copy(update={"cors_origins": ORIGIN["Origin"]}))
    with serving(app) as url, checked(url) as client:
        answer = client.options("/v1/jobs", headers=PREFLIGHT | headers | {"X-Request-ID": "mine-1"})
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (400, "invalid_request")
        assert said in problem["detail"]
        assert answer.headers["x-request-id"] == problem["request_id"] == "mine-1"
        allowed = answer.headers.get("access-control-allow-origin") == headers.get("Origin", ORIGIN["Origin"])
        assert allowed == ("Origin" not in headers)
        assert answer.headers["vary"].startswith("Origin")


def test_a_page_can_read_that_our_own_code_failed(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"cors_origins": ORIGIN["Origin"]}))

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError

    with serving(app) as url:
        answer = httpx.get(f"{url}/broken", headers=ORIGIN)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert answer.headers["vary"] == "Origin"


def test_pages_of_other_origins_may_not_call_unless_it_is_set(api: httpx.Client) -> None:
    assert not any(name.startswith("access-control") for name in api.get("/livez", headers=ORIGIN).headers)
    assert api.options("/v1/jobs", headers=PREFLIGHT).status_code == 405
