"""Who is let in: hosts by name, pages of other origins, requests with two lengths; and what seals every answer."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from service.api.main import create_app
from tests.support.api import MOONS, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from service.config import Settings
    from service.jobstore import JobStore

EVIL = "https://evil.example"


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "api", "[::]"),
        *("192.0.2.1", "[2001:db8::1]", "x@localhost", "localhost:http", "localhost/", "[localhost]", ""),
    ],
)
def test_a_host_that_is_not_ours_is_misdirected(api: httpx.Client, store: JobStore, host: str) -> None:
    for answer in (
        api.get("/v1/jobs", headers={"Host": host}),
        api.get("/", headers={"Host": host}),
        api.post("/v1/jobs", json=MOONS, headers={"Host": host}),
    ):
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["title"]) == (421, "wrong_host", "Misdirected Request")
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert not host or host not in answer.text
    assert store.queued() == 0


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "localhost.", "127.0.0.1", "127.0.0.1:1", "127.1.2.3", "[::1]", "[::1]:8000"]
)
def test_loopback_is_ours_by_every_name(api: httpx.Client, host: str) -> None:
    assert api.get("/livez", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("set_to", "host", "status"),
    [
        ({"hosts": "api,lab.example"}, "api:8000", 200),
        ({"hosts": "api,lab.example"}, "Lab.Example", 200),
        ({"hosts": "api,lab.example"}, "localhost", 200),
        ({"hosts": "api,lab.example"}, "www.lab.example", 421),
        ({"hosts": "*"}, "evil.example", 200),
        ({"host": "::"}, "192.0.2.1:8000", 200),  # any address of the machine is one it listens on
        ({"host": "::"}, "evil.example", 421),
        ({"host": "192.0.2.1"}, "192.0.2.1", 200),
        ({"host": "192.0.2.1"}, "192.0.2.2", 421),
    ],
)
def test_hosts_that_are_set(settings: Settings, set_to: Mapping[str, str], host: str, status: int) -> None:
    with serving(create_app(settings.model_copy(update=set_to))) as url:
        assert httpx.get(f"{url}/livez", headers={"Host": host}, timeout=40).status_code == status


@pytest.mark.parametrize("wrong", ["", "a,,b", "a, b", "https://a", "a:8000", "*.a", "a,*"])
def test_hosts_that_are_none(settings: Settings, wrong: str) -> None:
    with pytest.raises(ValueError, match="hosts"):
        type(settings)(hosts=wrong)


@pytest.fixture
def job(api: httpx.Client) -> str:
    address: str = api.post("/v1/jobs", json=MOONS).headers["location"]
    return address


FOREIGN = [
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Origin": "http://127.0.0.1.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": EVIL},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_pages_of_others_change_nothing(api: httpx.Client, store: JobStore, job: str, headers: dict[str, str]) -> None:
    answers = [
        api.post("/v1/jobs", json=MOONS, headers=headers),
        api.post("/v1/jobs/plan", json=MOONS, headers=headers),
        api.post(f"{job}/cancel", headers=headers),
        api.delete(job, headers=headers),
        api.post("/v1/datasets", content=b"1,2\n3,4\n", headers={"Content-Type": "text/csv", **headers}),
        api.delete("/v1/datasets/" + "0" * 64, headers=headers),
        api.put("/nowhere", headers=headers),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "foreign_origin")}
    assert store.queued() == 1
    assert api.get(job, headers=headers).json()["status"] == "queued"
    assert api.get("/v1/datasets").json()["items"] == []


def own(base_url: str) -> Iterator[dict[str, str]]:
    yield {}
    yield {"Origin": base_url}
    yield {"Sec-Fetch-Site": "same-origin", "Origin": base_url}
    yield {"Sec-Fetch-Site": "none"}
    yield {"Sec-Fetch-Site": "same-origin", "Origin": "https://lab.example"}  # a proxy changed the name of the host


def test_our_own_page_and_programs_may(api: httpx.Client, base_url: str) -> None:
    for headers in own(base_url):
        assert api.post("/v1/jobs", json=MOONS, headers=headers).status_code == 202


@pytest.mark.parametrize(
    ("origins", "let_in"),
    [("*", FOREIGN), (f"https://other.example,{EVIL}", [headers for headers in FOREIGN if EVIL in headers.values()])],
    ids=["all", "named"],
)
def test_pages_that_are_named_may(settings: Settings, origins: str, let_in: list[dict[str, str]]) -> None:
    with serving(create_app(settings.model_copy(update={"cors_origins": origins}))) as url:
        for headers in FOREIGN:
            answer = httpx.post(f"{url}/v1/jobs/plan", json=MOONS, headers=headers, timeout=40)
            assert answer.status_code == (200 if headers in let_in else 403), headers


def test_two_lengths_are_refused_and_the_connection_is_closed(base_url: str, store: JobStore) -> None:
    """As what passed it on may have taken the other one, and the rest for a request of its own (RFC 9112, 6.1)."""
    host, port = base_url.removeprefix("http://").split(":")
    smuggled = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    for method in (b"POST /v1/jobs", b"GET /livez"):
        head = method + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(head + b"0\r\n\r\n" + smuggled)
            answered = connection.makefile("rb").read().decode().lower()  # to the end, so it is closed
        assert answered.startswith("http/1.1 400 ")
        assert answered.count("http/1.1 ") == 1
        assert "connection: close" in answered
        assert '"code":"invalid_request"' in answered
    assert store.queued() == 0


def test_every_answer_is_sealed(api: httpx.Client, job: str) -> None:
    tag = {"If-None-Match": api.get(job).headers["etag"]}
    kept = [api.get(job), api.get(job, headers=tag), api.get("/"), api.get("/v1/capabilities")]
    others = [
        api.get("/v1/jobs"),
        api.head("/v1/jobs"),
        api.get("/livez"),
        api.get("/metrics"),
        api.get("/openapi.json"),
        api.get("/nowhere"),
        api.post("/v1/jobs", content=b"{", headers={"Content-Type": "application/json"}),
        api.post("/v1/jobs/plan", json=MOONS),
        api.get("/livez", headers={"Host": "evil.example"}),
        api.post(f"{job}/cancel", headers={"Origin": EVIL}),
        api.put("/v1/jobs"),
    ]
    for answer in (*kept, *others):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert {answer.headers["cache-control"] for answer in others} == {"no-store"}
    assert kept[1].status_code == 304
    for answer in kept:  # asked for again by its tag
        assert answer.headers["cache-control"] in {"private, no-cache", "no-cache"}
        assert "etag" in answer.headers


def test_answers_of_a_failure_and_to_a_preflight_are_sealed(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"cors_origins": EVIL}))

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError

    preflight = {"Origin": EVIL, "Access-Control-Request-Method": "POST"}
    with serving(app) as url:
        for answer in (
            httpx.get(f"{url}/broken", timeout=40),
            httpx.options(f"{url}/v1/jobs", headers=preflight, timeout=40),
        ):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
