"""The clients where the service is slow, away, or says no."""

from __future__ import annotations

import pickle
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from deeplimit import Client, Job, JobFailed, ServiceError, Unreachable
from deeplimit.client import calls
from deeplimit.client.exchange import LONGEST_PAUSE_S, RETRIES, Call, Pause, exchange
from deeplimit.client.following import BETWEEN_S, Following

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.deeplimit.client.conftest import Drive
    from tests.support.http.scripted import ScriptedServer

pytestmark = pytest.mark.usefixtures("quick")

QUEUED = {"id": "a", "status": "queued", "done": False, "revision": 1}
RUNNING = {"id": "a", "status": "running", "done": False, "revision": 2}
DONE = {"id": "a", "status": "succeeded", "done": True, "revision": 3}
ERROR = {"code": "worker_lost", "detail": "the worker was lost", "retryable": True, "origin": "system"}
LATER = {"code": "store_unavailable", "detail": "later"}


def test_a_job_is_followed_by_long_polls_from_revision_to_revision(server: ScriptedServer, drive: Drive) -> None:
    server.say(200, QUEUED, ETag='"1"')
    server.say(304, ETag='"1"')
    server.say(200, RUNNING, ETag='"2"')
    server.say(200, DONE, ETag='"3"')
    seen = drive(server.url, lambda client: client.follow("a"))
    assert [job.record for job in seen] == [QUEUED, RUNNING, DONE]
    tags = [headers.get("If-None-Match") for _, headers, _ in server.asked]
    assert tags == [None, '"1"', '"1"', '"2"']
    assert ["Prefer" in headers for _, headers, _ in server.asked] == [False, True, True, True]


def test_a_proxy_that_drops_the_wish_to_wait_is_not_asked_without_pause(
    server: ScriptedServer, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused, pause = list[float](), Following.pause

    def at_once(following: Following) -> float:
        paused.append(pause(following))
        return 0.0

    monkeypatch.setattr("deeplimit.client.following.BETWEEN_S", BETWEEN_S)
    monkeypatch.setattr(Following, "pause", at_once)
    server.say(200, QUEUED, ETag='"1"')
    server.say(304, ETag='"1"')
    server.say(200, QUEUED)
    server.say(200, RUNNING)
    server.say(200, DONE)
    seen = drive(server.url, lambda client: client.follow("a"))
    assert [length > 0 for length in paused] == [False, True, True, False], "a pause after each answer that is no news"
    assert [job.record for job in seen] == [QUEUED, RUNNING, DONE]


def test_the_pause_is_a_second_less_what_the_answer_took() -> None:
    following = Following("a", None)
    following.question()
    assert following.news((QUEUED, '"1"')) == QUEUED
    assert following.pause() == 0
    following.question()
    assert following.news((None, '"1"')) is None
    assert 0 < following.pause() <= BETWEEN_S


def test_waiting_survives_a_cut_connection_and_a_service_that_restarts(server: ScriptedServer, drive: Drive) -> None:
    server.say(202, QUEUED)
    server.say(200, QUEUED, ETag='"1"')
    server.say(None)
    server.say(200, RUNNING, cut=True, ETag='"2"')
    server.say(503, LATER, Retry_After="0")
    server.say(429, LATER)
    server.say(200, DONE, ETag='"3"')
    job = drive(server.url, lambda client: client.submit({}), lambda job: job.wait(progress=False))
    assert (job.status, job.done) == ("succeeded", True)


def test_waiting_ends_when_the_job_is_gone(server: ScriptedServer, drive: Drive) -> None:
    server.say(404, {"code": "job_not_found", "detail": "no such job"})
    with pytest.raises(ServiceError, match="404 job_not_found: no such job"):
        drive(server.url, lambda client: client.follow("a"))


def test_waiting_no_longer_than_asked(server: ScriptedServer, drive: Drive) -> None:
    server.say(200, RUNNING, ETag='"2"')
    server.say(304)
    with pytest.raises(TimeoutError, match="job a is not done after 0 s"):
        drive(server.url, lambda client: client.follow("a", timeout=0))
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_without_results_is_an_error_with_its_record(server: ScriptedServer, drive: Drive, status: str) -> None:
    ended = DONE | {"name": "moons", "status": status, "error": ERROR if status == "failed" else None}
    server.say(202, QUEUED)
    server.say(200, ended)
    with pytest.raises(JobFailed, match=rf"job a \(moons\) {status}") as caught:
        drive(server.url, lambda client: client.submit({}), lambda job: job.wait(progress=False))
    assert caught.value.job == ended
    assert ("submitting it again may help" in str(caught.value)) is (status == "failed")


def test_a_lost_answer_to_a_submission_is_asked_for_again_under_the_same_key(
    server: ScriptedServer, drive: Drive
) -> None:
    server.say(None)
    server.say(202, QUEUED, cut=True)
    server.say(503, LATER)
    server.say(202, QUEUED)
    assert drive(server.url, lambda client: client.submit({"kind": "train"})).id == "a"
    asked = {(headers["Idempotency-Key"], body) for _, headers, body in server.asked}
    assert len(server.asked) == 4
    assert {body for _, body in asked} == {b'{"kind": "train"}'}
    assert len(asked) == 1


def test_each_submission_has_a_key_of_its_own_unless_one_is_given(server: ScriptedServer, drive: Drive) -> None:
    for _ in range(3):
        server.say(202, QUEUED)
    for options in ({}, {}, {"idempotency_key": "mine"}):
        drive(server.url, lambda client, given=options: client.submit(b"{}", **given))
    first, second, third = (headers["Idempotency-Key"] for _, headers, _ in server.asked)
    assert first != second
    assert third == "mine"


def test_a_deletion_whose_answer_was_lost_was_one(server: ScriptedServer, drive: Drive) -> None:
    server.say(None)
    server.say(404, {"code": "dataset_not_found", "detail": "gone"})
    assert drive(server.url, lambda client: client.delete_dataset("a")) is None
    server.say(404, {"code": "dataset_not_found", "detail": "never there"})
    with pytest.raises(ServiceError, match="never there"):
        drive(server.url, lambda client: client.delete_dataset("a"))


def test_a_problem_is_an_error_with_its_parts(server: ScriptedServer, drive: Drive) -> None:
    errors = [{"pointer": "/kind", "code": "missing", "detail": "is required"}]
    problem = {"code": "invalid_spec", "detail": "one error", "request_id": "r", "errors": errors, "title": "No"}
    server.say(422, problem, Content_Type="application/problem+json")
    with pytest.raises(ServiceError) as caught:
        drive(server.url, lambda client: client.submit({}))
    for refused in (caught.value, pickle.loads(pickle.dumps(caught.value))):  # noqa: S301 - as multiprocessing does
        assert (refused.status, refused.code, refused.detail) == (422, "invalid_spec", "one error")
        assert [(e.pointer, e.code, e.detail) for e in refused.errors] == [("/kind", "missing", "is required")]
        assert str(refused) == "422 invalid_spec: one error\n  /kind: is required"
    assert (caught.value.problem, caught.value.request_id) == (problem, "r")
    assert caught.value.retry_after_s is None


@pytest.mark.parametrize("body", ["<html>Bad Gateway</html>", [1], None, {"errors": [1]}])
def test_an_error_that_is_no_problem_document(server: ScriptedServer, drive: Drive, body: object) -> None:
    server.say(502, body)
    with pytest.raises(ServiceError, match=r"502 http_error: (Bad Gateway|HTTP status 502)"):
        drive(server.url, lambda client: client.job("a"))


READS: dict[str, Callable[[Client], Any]] = {
    "job": lambda client: client.job("a"),
    "results": lambda client: Job({"id": "a"}, client).results(),
    "parameters": lambda client: Job({"id": "a"}, client).parameters("continuum"),
    "export": lambda client: Job({"id": "a"}, client).export(),
    "plot": lambda client: Job({"id": "a"}, client).plot("minima"),
    "follow": lambda client: list(client.follow("a")),
}


@pytest.mark.parametrize("what", READS)
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (301, "301 http_error: Moved Permanently: .* leads to https://elsewhere"),
        (304, "304 http_error"),
        (200, "200 http_error: OK: an answer that is not this service's"),
    ],
)
def test_what_answers_is_not_the_service(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, status: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    location = "https://elsewhere" if status == 301 else ""
    server.say(status, "" if status == 304 else "<html>Sign in</html>", Content_Type="text/html", Location=location)
    with Client(server.url) as client, pytest.raises(ServiceError, match=message):
        READS[what](client)
    assert not list(tmp_path.iterdir())


def test_an_identifier_cannot_leave_its_place_in_the_path(server: ScriptedServer, drive: Drive) -> None:
    server.say(404, {})
    with pytest.raises(ServiceError):
        drive(server.url, lambda client: client.job("../readyz?x=1"))
    assert server.asked[0][0] == "GET /v1/jobs/..%2Freadyz%3Fx%3D1"


def test_nobody_answers(drive: Drive) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        with pytest.raises(Unreachable, match="no answer from http://127"):
            drive(f"http://127.0.0.1:{taken.getsockname()[1]}", lambda client: client.job("a"), retries=1)


def test_a_key_and_an_address_of_the_environment(
    server: ScriptedServer, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPLIMIT_URL", server.url + "/")
    for key in ("secret", None):
        server.say(200, {"limits": {}})
        assert drive(None, lambda client: client.capabilities(), key=key) == {"limits": {}}
    assert [headers.get("Authorization") for _, headers, _ in server.asked] == ["Bearer secret", None]


# The exchange alone --------------------------------------------------------------------------------------------------


def pauses(*outcomes: Any, call: Any = None) -> list[float]:
    """Seconds between the repetitions of a call that meets these outcomes."""
    steps = exchange(call or calls.job("a"), "http://here")
    found, left, step = [], list(outcomes), steps.send(None)
    while True:
        if isinstance(step, Pause):
            found.append(step.seconds)
        try:
            step = steps.send(None if isinstance(step, Pause) else left.pop(0))
        except StopIteration:
            assert not left
            return found


OK = httpx.Response(200, json=DONE)


def later(seconds: str) -> httpx.Response:
    return httpx.Response(503, json=LATER, headers={"Retry-After": seconds})


def test_pauses_grow_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeplimit.client.exchange.FIRST_PAUSE_S", 1.0)
    found = pauses(*[httpx.ConnectError("no")] * RETRIES, OK)
    for longest, seconds in zip([1, 2, 4, 8, 8, 8], found, strict=True):
        assert 0.75 * longest <= seconds <= longest <= LONGEST_PAUSE_S


def test_the_pause_that_the_service_asks_for_is_made() -> None:
    assert pauses(later("7"), later("0"), OK) == [7, 0]
    (seconds,) = pauses(later(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)), OK)
    assert 25 < seconds <= 30
    (seconds,) = pauses(later("soon"), OK)
    assert seconds < 0.01


def test_a_pause_that_is_too_long_is_the_callers() -> None:
    with pytest.raises(ServiceError) as caught:
        pauses(later("3600"))
    assert caught.value.retry_after_s == 3600


def test_what_may_not_be_repeated_is_sent_again_only_where_it_never_arrived() -> None:
    call = Call("POST", "/once", lambda answer: answer, repeatable=False)
    assert len(pauses(httpx.ConnectError("no"), OK, call=call)) == 1
    with pytest.raises(Unreachable, match="ReadTimeout"):
        pauses(httpx.ReadTimeout(""), call=call)
