"""Every error is a problem document, whatever went wrong, and repeats nothing that was sent."""

from __future__ import annotations

import gzip
import json
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from service.api.main import create_app
from service.api.openapi import document
from service.config import Settings
from service.contract.values.limits import Limits
from tests.support.api import MOONS, serving
from tests.support.http.published import checked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.jobstore import JobStore

JSON = {"Content-Type": "application/json"}


def check(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "detail"} <= set(problem)
    assert problem["request_id"] == answer.headers["x-request-id"] != ""
    return problem


def post(api: httpx.Client, body: bytes | str, **headers: str) -> httpx.Response:
    return api.post("/v1/jobs", content=body, headers=JSON | headers)


def body_with(text: str) -> str:
    """A body with a text in the place of a JSON value."""
    return json.dumps(MOONS | {"name": "@"}).replace('"@"', text)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b" \n", "empty_body"),
        (b"{", "not_json"),
        (b"{} {}", "not_json"),
        (b"{'kind': 1}", "not_json"),
        (b"\xef\xbb\xbf", "empty_body"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "not_json"),
        (b'{"name": "a\nb"}', "not_json"),
        (b'{"name": "\xff"}', "wrong_encoding"),
        ('{"name": "é"}'.encode("latin-1"), "wrong_encoding"),
        ("{}".encode("utf-16"), "wrong_encoding"),
        (b'{"kind": "train", "kind": "train"}', "duplicate_key"),
        (b'{"data": {"a": 1, "a": 2}}', "duplicate_key"),
        (b"[" * 33 + b"]" * 33, "nesting_too_deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "nesting_too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "nesting_too_deep"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_400(api: httpx.Client, body: bytes, code: str) -> None:
    check(post(api, body), 400, code)


def test_nesting_of_32_is_read(api: httpx.Client) -> None:
    for body in (b"[" * 32 + b"]" * 32, b'{"a":[' * 16 + b'"[[[["' + b"]}" * 16):
        problem = check(post(api, body), 422, "invalid_spec")
        assert problem["errors"]


@pytest.mark.parametrize(
    ("text", "pointer", "code"),
    [
        ("NaN", "/name", "not_a_string"),
        ('"\\ud800"', "/name", "lone_surrogate"),
        ('"\\udc00\\ud800"', "/name", "lone_surrogate"),
        ('{"\\ud800": 1}', "/name", "lone_surrogate"),
        ('"x", "\\ud800": 1', "", "lone_surrogate"),
        ('"x", "metadata": {"a": "\\uD834"}', "/metadata/a", "lone_surrogate"),
        ('"x", "discrete": {"depths": [8, ' + "9" * 5000 + "]}", "/discrete/depths/1", "not_finite"),
        ('"x", "training": {"start_scale": -' + "9" * 5000 + "}", "/training/start_scale", "not_finite"),
        ('"x", "training": {"start_scale": 1e400}', "/training/start_scale", "not_finite"),
        ('"x", "training": {"seed": Infinity}', "/training/seed", "not_finite"),
        ('"x", "a/b~c": 1', "/a~1b~0c", "unknown_field"),
    ],
)
def test_422_of_json_that_no_number_or_text_can_hold(
    api: httpx.Client, store: JobStore, text: str, pointer: str, code: str
) -> None:
    problem = check(post(api, body_with(text)), 422, "invalid_spec")
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [(pointer, code)]
    assert store.queued() == 0


def test_escaped_pairs_of_surrogates_are_text(api: httpx.Client) -> None:
    assert post(api, body_with('"\\ud834\\udd1e"')).json()["name"] == "\U0001d11e"


def test_values_are_not_echoed(api: httpx.Client) -> None:
    secret = "hunter2-hunter2"  # noqa: S105  # what must not come back
    body = MOONS | {"training": {"device": secret, "dtype": [secret]}, "data": {"source": secret}, "kind": "train"}
    assert secret not in api.post("/v1/jobs", json=body).text
    assert secret not in api.get("/v1/jobs", params={"status": secret, "limit": secret, "created_after": secret}).text


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_415(api: httpx.Client, media_type: str) -> None:
    answer = api.post("/v1/jobs", content=json.dumps(MOONS), headers={"Content-Type": media_type})
    check(answer, 415, "unsupported_media_type")


def test_charset(api: httpx.Client) -> None:
    body = json.dumps(MOONS)
    assert post(api, body, **{"Content-Type": "Application/JSON; charset=UTF-8"}).status_code == 202
    check(post(api, body, **{"Content-Type": "application/json; charset=latin-1"}), 400, "wrong_encoding")


def test_a_byte_order_mark_is_read_over(api: httpx.Client) -> None:
    created = post(api, b"\xef\xbb\xbf" + json.dumps(MOONS).encode())
    assert created.status_code == 202
    assert created.json()["spec"]["data"]["name"] == "moons"


@pytest.mark.parametrize("width", [16, 32])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("name", ["moons", "Monde é"])
def test_another_encoding_is_named(api: httpx.Client, width: int, mark: str, name: str) -> None:
    for order in ("le", "be"):
        body = (mark + json.dumps(MOONS | {"name": name}, ensure_ascii=False)).encode(f"utf-{width}-{order}")
        assert f"UTF-{width}." in check(post(api, body), 400, "wrong_encoding")["detail"]


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b'{"name": \xff', "wrong_encoding", "byte 9 is not"),
        (b'{"name": "\0"}', "not_json", "column 11"),
        (b"\0" * 8, "not_json", "column 1"),
        (b"{\0", "wrong_encoding", "UTF-16"),
        (b"\xef\xbb\xbf\xef\xbb\xbf\xff", "wrong_encoding", "byte 3 is not"),
    ],
)
def test_no_other_encoding_is_made_up(api: httpx.Client, body: bytes, code: str, said: str) -> None:
    assert said in check(post(api, body), 400, code)["detail"]


def test_gzip_that_is_not_said_is_named(api: httpx.Client) -> None:
    body = gzip.compress(json.dumps(MOONS).encode())
    for sent, headers in ((body, {}), (gzip.compress(body), GZIP)):
        assert "Content-Encoding: gzip" in check(post(api, sent, **headers), 400, "wrong_encoding")["detail"]


GZIP = {"Content-Encoding": "gzip"}


def test_a_compressed_body_is_read(api: httpx.Client) -> None:
    for encoding in ("GZIP", "x-gzip"):
        created = post(api, gzip.compress(json.dumps(MOONS).encode()), **{"Content-Encoding": encoding})
        assert (created.status_code, created.json()["spec"]["data"]["name"]) == (202, "moons")
    assert post(api, json.dumps(MOONS), **{"Content-Encoding": "identity"}).status_code == 202
    check(post(api, gzip.compress(b'{"kind": "\xff"}'), **GZIP), 400, "wrong_encoding")
    check(post(api, gzip.compress(b""), **GZIP), 400, "empty_body")


def test_a_body_in_several_members_is_read(api: httpx.Client) -> None:
    """As `cat` and parallel compressors write gzip: the parts, one after the other."""
    body = json.dumps(MOONS).encode()
    for parts in ((body[:9], body[9:]), (b"", body, b""), (body[:2], body[2:50], body[50:])):
        created = post(api, b"".join(map(gzip.compress, parts)), **GZIP)
        assert (created.status_code, created.json()["spec"]["data"]["name"]) == (202, "moons")
    check(post(api, gzip.compress(body) * 2, **GZIP), 400, "not_json")
    check(post(api, gzip.compress(b" " * 2**23) * 3, **GZIP), 413, "body_too_large")


def test_a_body_is_the_same_compressed_or_not(api: httpx.Client) -> None:
    body = json.dumps(MOONS).encode()
    first = post(api, body, **{"Idempotency-Key": "one"})
    again = post(api, gzip.compress(body), **{"Idempotency-Key": "one"}, **GZIP)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]


def test_a_body_that_is_not_the_gzip_it_says(api: httpx.Client, store: JobStore) -> None:
    whole = gzip.compress(json.dumps(MOONS).encode())
    for body in (json.dumps(MOONS).encode(), whole[:-9], whole + b"x", whole + whole[:-9], b"\x1f\x8b"):
        assert "Content-Encoding" in check(post(api, body, **GZIP), 400, "invalid_request")["detail"]
    assert store.queued() == 0


def test_a_compressed_body_is_limited_by_what_it_holds(api: httpx.Client) -> None:
    """16 MiB are taken, one byte more is not, and no more than that is ever unpacked."""
    body = json.dumps(MOONS).encode()
    assert post(api, gzip.compress(body + b" " * (2**24 - len(body))), **GZIP).status_code == 202
    for size in (2**24 + 1, 2**28):
        check(post(api, gzip.compress(b" " * size, 1), **GZIP), 413, "body_too_large")


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "x"])
def test_a_content_encoding_that_is_not_taken(api: httpx.Client, encoding: str) -> None:
    answer = post(api, json.dumps(MOONS), **{"Content-Encoding": encoding})
    assert "Content-Encoding" in check(answer, 415, "unsupported_media_type")["detail"]
    assert answer.headers["accept-encoding"] == "gzip"


def test_413_announced_and_streamed(api: httpx.Client, store: JobStore) -> None:
    size = 17 * 2**20
    check(post(api, b" " * size), 413, "body_too_large")

    def chunks() -> Iterator[bytes]:
        for _ in range(17):
            yield b" " * 2**20

    check(api.post("/v1/jobs", content=chunks(), headers=JSON), 413, "body_too_large")
    assert store.queued() == 0


def test_413_before_a_body_that_waits_to_be_asked_for(base_url: str) -> None:
    host, port = base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_404_and_405(api: httpx.Client) -> None:
    check(api.get("/nowhere"), 404, "not_found")
    check(api.get("/v1/jobs/"), 404, "not_found")
    check(api.put("/v1/jobs"), 405, "method_not_allowed")
    assert api.get("/v1/jobs/plan/cancel").headers["allow"] == "POST"
    assert api.put("/v1/jobs").headers["allow"] == "GET, HEAD, POST"
    assert api.put("/v1/jobs/unknown").headers["allow"] == "DELETE, GET, HEAD"


@pytest.mark.parametrize("job_id", ["x", "UPPER-CASE", "0" * 32, "a" * 500, "%00", "..%2f..", "é", "a%20b"])
def test_an_id_that_cannot_be_one_is_a_404(api: httpx.Client, job_id: str) -> None:
    path = f"/v1/jobs/{job_id}"
    for answer in (
        api.get(path),
        api.delete(path),
        api.post(path + "/cancel"),
        api.get(path + "/results"),
        api.get(path + "/results/parameters?model=continuum"),
        api.get(path, headers={"Prefer": "wait=5"}),
    ):
        check(answer, 404, answer.json()["code"])


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("status=done", "status"),
        ("kind=other", "kind"),
        ("cursor=%00", "cursor"),
        ("cursor=latest", "cursor"),
        ("created_after=yesterday", "created_after"),
        ("created_after=0", "created_after"),
        ("created_after=2026-01-01T00:00:00", "created_after"),
        ("created_after=2026-13-01T00:00:00Z", "created_after"),
    ],
)
def test_422_of_a_query(api: httpx.Client, query: str, name: str) -> None:
    problem = check(api.get("/v1/jobs?" + query), 422, "invalid_parameter")
    assert problem["errors"][0]["parameter"] == name


def test_422_of_headers_and_flags(api: httpx.Client, store: JobStore) -> None:
    check(api.post("/v1/jobs", json=MOONS, headers={"Idempotency-Key": "x" * 256}), 422, "invalid_parameter")
    check(api.post("/v1/jobs?dry_run=maybe", json=MOONS), 422, "invalid_parameter")
    assert store.queued() == 0


def test_request_ids_are_taken_over_when_they_are_decent(api: httpx.Client) -> None:
    assert api.get("/nowhere", headers={"X-Request-ID": "trace-1"}).json()["request_id"] == "trace-1"
    assert api.get("/nowhere", headers={"X-Request-ID": "a b"}).json()["request_id"] != "a b"


@pytest.fixture
def without_redis(tmp_path: Path) -> Iterator[httpx.Client]:
    with socket.socket() as taken:  # bound and not listening: a connection is refused
        taken.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        settings = Settings(redis_url=url, data_dir=tmp_path, reconcile_s=60)
        with serving(create_app(settings)) as base, checked(base, timeout=40) as client:
            yield client


def test_503_without_redis(without_redis: httpx.Client) -> None:
    assert without_redis.get("/livez").status_code == 200
    for answer in (
        without_redis.get("/readyz"),
        without_redis.post("/v1/jobs", json=MOONS),
        without_redis.get("/v1/jobs"),
    ):
        check(answer, 503, "store_unavailable")
        assert answer.headers["retry-after"] == "1"
    metrics = without_redis.get("/metrics")
    assert metrics.status_code == 200
    assert "deeplimit_http_request_duration_seconds" in metrics.text


def test_500_is_a_problem_too(settings: Settings, store: JobStore) -> None:
    app = create_app(settings, Limits(nesting=32))

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError("the details stay in the log")

    with serving(app) as base, httpx.Client(base_url=base) as client:
        problem = check(client.get("/broken"), 500, "internal_error")
        assert "log" not in problem["detail"]
        assert "deeplimit_http_failures_total 1.0" in client.get("/metrics").text
    assert store.queued() == 0


def test_a_full_queue(settings: Settings, store: JobStore) -> None:
    with (
        serving(create_app(settings.model_copy(update={"max_queued": 1}))) as base,
        checked(base) as client,
    ):
        assert client.post("/v1/jobs", json=MOONS).status_code == 202
        answer = client.post("/v1/jobs", json=MOONS)
        check(answer, 503, "queue_full")
        assert answer.headers["retry-after"]
    assert store.queued() == 1


def test_the_body_limit_is_a_parameter_of_the_application(settings: Settings, store: JobStore) -> None:
    with (
        serving(create_app(settings, Limits(body_bytes=1000, depth=16))) as base,
        checked(base) as client,
    ):
        check(post(client, b" " * 1001), 413, "body_too_large")
        problem = check(client.post("/v1/jobs", json=MOONS), 422, "invalid_spec")
        assert problem["errors"][0]["pointer"] == "/discrete/depths/2"
    assert store.queued() == 0


OPERATIONS = [
    (method.upper(), path)
    for path, operations in document(create_app(Settings())).get("paths", {}).items()
    for method in operations
    if path.startswith("/v1/")
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_parameters_that_are_not_known(api: httpx.Client, method: str, path: str) -> None:
    address = path.format(job_id="a" * 32, dataset_id="0" * 64, name="minima")
    for asked in ("?dryrun=true", "?%00=a", "?LIMIT=2", "?" + "n" * 5000 + "=1"):
        items = check(api.request(method, address + asked), 422, "invalid_parameter")["errors"]
        found = [item for item in items if item["code"] == "unknown_parameter"]
        assert [len(item["parameter"]) <= 100 for item in found] == [True]


def test_a_parameter_that_is_there_twice(api: httpx.Client) -> None:
    for asked in (
        "datasets?limit=1&limit=2",
        "jobs?kind=train&kind=evaluate",
        "jobs/abc/results/states?model=a&model=b",
    ):
        problem = check(api.get(f"/v1/{asked}"), 422, "invalid_parameter")
        assert problem["errors"][0]["code"] == "twice"
    assert api.get("/v1/datasets?limit=1").status_code == 200


def test_a_mistyped_dry_run_queues_nothing(api: httpx.Client, store: JobStore) -> None:
    problem = check(api.post("/v1/jobs?dryrun=true", json=MOONS), 422, "invalid_parameter")
    assert "dry_run" in problem["detail"]
    assert store.queued() == 0
    assert api.post("/v1/jobs?dry_run=true", json=MOONS).status_code == 200
    assert api.get("/livez?cache-buster=1").status_code == 200
