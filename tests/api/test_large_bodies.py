"""Large bodies are planned elsewhere, a few at a time, and hold up nobody meanwhile."""

from __future__ import annotations

import errno
import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from service.jobs.planning.child import AT_ONCE, LARGE
from service.jobs.planning.prepared import prepare
from tests.support.api import MOONS

if TYPE_CHECKING:
    import httpx
    import pytest

MORE_THAN_THREADS = 45
"""Requests than the framework has threads."""
BODY = json.dumps(MOONS).encode() + b" " * LARGE


def post(api: httpx.Client, path: str) -> httpx.Response:
    return api.post(path, content=BODY, headers={"Content-Type": "application/json"})


def test_large_bodies_wait_outside_of_the_threads(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, most, lock, done = 0, 0, threading.Lock(), threading.Event()
    begun = threading.Semaphore(0)

    def slow(body: bytes, references: Any) -> Any:
        nonlocal reading, most
        with lock:
            reading += 1
            most = max(most, reading)
        begun.release()
        assert done.wait(60)
        with lock:
            reading -= 1
        return prepare(body, references)

    monkeypatch.setattr("service.jobs.plans.prepare_large", slow)
    with ThreadPoolExecutor(MORE_THAN_THREADS) as pool:
        pending = [pool.submit(post, api, "/v1/jobs/plan") for _ in range(MORE_THAN_THREADS)]
        for _ in range(AT_ONCE):
            assert begun.acquire(timeout=30)
        assert api.get("/v1/jobs").status_code == 200
        assert api.post("/v1/jobs", json=MOONS).status_code == 202
        assert not any(answer.done() for answer in pending)
        done.set()
        assert {answer.result().status_code for answer in pending} == {200}
    assert most == AT_ONCE


def test_a_machine_out_of_processes_is_asked_again_later(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")  # as fork says at the limit

    monkeypatch.setattr(subprocess, "Popen", refuse)
    upload = api.post("/v1/datasets", content=b"1,2\n3,4\n", headers={"Content-Type": "text/csv"})
    for answer in (post(api, "/v1/jobs"), post(api, "/v1/jobs/plan"), upload):
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert answer.headers["retry-after"] == "1"
    assert api.post("/v1/jobs", json=MOONS).status_code == 202


def test_a_large_body_makes_a_job_like_any_other(api: httpx.Client) -> None:
    answer = post(api, "/v1/jobs")
    assert answer.status_code == 202
    small = api.post("/v1/jobs", json=MOONS).json()
    assert answer.json()["spec"] == small["spec"]
    assert api.get(answer.headers["location"]).json() == answer.json()
