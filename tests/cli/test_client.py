"""The client where the service is slow, away, or says no."""

import socket

import pytest

from service.cli.client import Client, Refused, Unreachable
from tests.cli.conftest import ScriptedServer

QUEUED = {"id": "a", "status": "queued", "done": False, "revision": 1}
RUNNING = {"id": "a", "status": "running", "done": False, "revision": 2}
DONE = {"id": "a", "status": "succeeded", "done": True, "revision": 3}


def test_a_job_is_followed_by_long_polls_from_revision_to_revision(server: ScriptedServer) -> None:
    server.say(200, QUEUED, ETag='"1"')
    server.say(304, ETag='"1"')
    server.say(200, RUNNING, ETag='"2"')
    server.say(200, DONE, ETag='"3"')
    with Client(server.url) as client:
        assert list(client.follow("a")) == [QUEUED, RUNNING, DONE]
    tags = [headers.get("If-None-Match") for _, headers, _ in server.asked]
    assert tags == [None, '"1"', '"1"', '"2"']
    assert ["Prefer" in headers for _, headers, _ in server.asked] == [False, True, True, True]


def test_following_survives_a_cut_connection_and_a_service_that_restarts(server: ScriptedServer) -> None:
    server.say(200, QUEUED, ETag='"1"')
    server.say(None)
    server.say(503, {"code": "store_unavailable", "detail": "later"}, Retry_After="0")
    server.say(200, DONE, ETag='"3"')
    with Client(server.url) as client:
        assert client.wait("a") == DONE


def test_following_ends_when_the_job_is_gone(server: ScriptedServer) -> None:
    server.say(404, {"code": "job_not_found", "detail": "no such job"})
    with Client(server.url) as client, pytest.raises(Refused, match="404 job_not_found: no such job"):
        client.wait("a")


def test_a_lost_answer_to_a_submission_is_asked_for_again_under_the_same_key(server: ScriptedServer) -> None:
    server.say(None)
    server.say(202, QUEUED)
    with Client(server.url) as client:
        assert client.submit({"kind": "train"}) == QUEUED
    first, second = ((headers["Idempotency-Key"], body) for _, headers, body in server.asked)
    assert first == second
    assert first[1] == b'{"kind": "train"}'


def test_each_submission_has_a_key_of_its_own(server: ScriptedServer) -> None:
    server.say(202, QUEUED)
    server.say(202, QUEUED)
    with Client(server.url) as client:
        client.submit(b"{}")
        client.submit(b"{}")
    first, second = (headers["Idempotency-Key"] for _, headers, _ in server.asked)
    assert first != second


def test_a_problem_is_an_error_with_its_parts(server: ScriptedServer) -> None:
    errors = [{"pointer": "/kind", "code": "missing", "detail": "is required"}]
    problem = {"code": "invalid_spec", "detail": "one error", "request_id": "r", "errors": errors}
    server.say(422, problem, Content_Type="application/problem+json")
    with Client(server.url) as client, pytest.raises(Refused) as caught:
        client.submit({})
    refused = caught.value
    assert (refused.status, refused.code, refused.detail, refused.request_id) == (422, "invalid_spec", "one error", "r")
    assert [(e.pointer, e.code, e.detail) for e in refused.errors] == [("/kind", "missing", "is required")]
    assert refused.retry_after_s is None


@pytest.mark.parametrize("body", ["<html>Bad Gateway</html>", [1], None])
def test_an_error_that_is_no_problem_document(server: ScriptedServer, body: object) -> None:
    server.say(502, body)
    with Client(server.url) as client, pytest.raises(Refused, match="502 http_error: Bad Gateway"):
        client.job("a")


def test_an_identifier_cannot_leave_its_place_in_the_path(server: ScriptedServer) -> None:
    server.say(404, {})
    with Client(server.url) as client, pytest.raises(Refused):
        client.job("../readyz?x=1")
    assert server.asked[0][0] == "GET /v1/jobs/..%2Freadyz%3Fx%3D1"


def test_calls_ask_for_what_they_say(server: ScriptedServer) -> None:
    for _ in range(6):
        server.say(200, {})
    server.say(204)
    with Client(server.url) as client:
        client.dry_run({})
        client.results("a")
        client.losses("a")
        client.parameters("a", "discrete-8")
        client.parameters("a", "continuum", grid=5)
        client.cancel("a")
        client.delete("a")
    assert [line for line, _, _ in server.asked] == [
        "POST /v1/jobs?dry_run=true",
        "GET /v1/jobs/a/results",
        "GET /v1/jobs/a/results/losses",
        "GET /v1/jobs/a/results/parameters?model=discrete-8",
        "GET /v1/jobs/a/results/parameters?model=continuum&grid=5",
        "POST /v1/jobs/a/cancel",
        "DELETE /v1/jobs/a",
    ]


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.cli.client.CONNECT_RETRIES", 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        with (
            Client(f"http://127.0.0.1:{taken.getsockname()[1]}") as client,
            pytest.raises(Unreachable, match="no answer"),
        ):
            client.job("a")


def test_an_upload_and_the_listing_of_uploads(server: ScriptedServer) -> None:
    server.say(201, {"id": "a"})
    server.say(200, {"items": [{"id": "a"}], "next_cursor": "7"})
    server.say(200, {"items": [{"id": "b"}], "next_cursor": None})
    server.say(204)
    with Client(server.url) as client:
        assert client.upload(b"1,2\n", "text/csv", name="two", targets=["y"], header="absent") == {"id": "a"}
        assert [item["id"] for item in client.datasets()] == ["a", "b"]
        client.delete_dataset("a")
    asked = [what for what, _, _ in server.asked]
    assert asked == [
        "POST /v1/datasets?targets=y&name=two&header=absent",
        "GET /v1/datasets",
        "GET /v1/datasets?cursor=7",
        "DELETE /v1/datasets/a",
    ]
    assert server.asked[0][1]["Content-Type"] == "text/csv"
    assert server.asked[0][2] == b"1,2\n"
