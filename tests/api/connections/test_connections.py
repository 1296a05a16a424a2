"""Clients that say nothing, or say it slowly, or are too many, against the API in a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from service.api.connections import protocol
from service.api.connections.protocol import PatientProtocol
from service.api.main import create_app
from tests.support.api import serving
from tests.support.service import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.config import Settings

REQUEST = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UPLOAD = b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
ANSWER_S = 30
IDLE = """
import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    held.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def address(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Where an API answers that has much less patience than usual."""
    monkeypatch.setattr(protocol, "HEADERS_S", 0.5)
    monkeypatch.setattr(protocol, "BODY_S", 0.5)
    with serving(create_app(settings)) as url:
        yield "127.0.0.1", int(url.rsplit(":", 1)[1])


def connected(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=ANSWER_S)


def rest(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_connection_that_sends_nothing_is_closed_without_a_word(address: tuple[str, int]) -> None:
    with connected(address) as connection:
        assert rest(connection) == b""


@pytest.mark.parametrize("before", [b"", REQUEST + b"\r\n"], ids=["first", "second"])
def test_headers_that_break_off_are_answered_408(address: tuple[str, int], before: bytes) -> None:
    with connected(address) as connection:
        if before:
            connection.sendall(before)
            answered = b""
            while not answered.endswith(b'{"status":"alive"}'):
                answered += connection.recv(65536)
        connection.sendall(REQUEST)
        answer = rest(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408")
    assert b'"code":"request_timeout"' in body


@pytest.mark.parametrize(
    "request_line",
    [b"\x16\x03\x01 hello\r\n\r\n", b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n"],
    ids=["TLS", "long"],
)
def test_what_is_no_request_is_refused_like_all_else(address: tuple[str, int], request_line: bytes) -> None:
    with connected(address) as connection:
        connection.sendall(request_line)
        head, _, body = rest(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in head
    assert b'"code":"invalid_request"' in body


def test_half_a_request_behind_another_is_answered_408(address: tuple[str, int]) -> None:
    with connected(address) as connection:
        connection.sendall(REQUEST + b"\r\n" + REQUEST)
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in answer


def test_a_body_that_trickles_is_not_waited_for(address: tuple[str, int]) -> None:
    with connected(address) as connection:
        connection.sendall(UPLOAD)
        connection.settimeout(0.1)
        for _ in range(99):  # of the 100 bytes that are announced
            try:
                connection.sendall(b" ")
                answer = connection.recv(1)
            except TimeoutError:
                continue
            except ConnectionError:  # closed between two bytes: the next one is answered by a reset
                return
            assert answer == b""
            return
    pytest.fail("the connection was kept for ten seconds")


def test_a_body_that_comes_fast_enough_may_take_its_time(address: tuple[str, int]) -> None:
    size, piece = 3000, 600  # five pieces, one for each half second
    head = UPLOAD.replace(b"Content-Length: 100", f"Content-Length: {size}".encode())
    with connected(address) as connection:
        connection.sendall(head)
        for _ in range(size // piece):
            connection.settimeout(0.3)
            connection.sendall(b" " * piece)
            with contextlib.suppress(TimeoutError):
                assert connection.recv(65536).startswith(b"HTTP/1.1 400")  # blanks are no JSON: the body was read whole
                return
        connection.settimeout(ANSWER_S)
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")


def test_the_one_that_is_idle_longest_makes_room(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADERS_S", 60.0)
    monkeypatch.setattr(PatientProtocol, "most", 3)
    with contextlib.ExitStack() as opened:
        first, *_ = (opened.enter_context(connected(address)) for _ in range(3))
        newest = opened.enter_context(connected(address))
        newest.sendall(REQUEST + b"\r\n")
        assert newest.recv(65536).startswith(b"HTTP/1.1 200")
        assert rest(first) == b""


def test_where_all_are_busy_a_new_one_is_told_to_come_back(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "BODY_S", 60.0)
    monkeypatch.setattr(PatientProtocol, "most", 2)
    with contextlib.ExitStack() as opened:
        for _ in range(2):
            busy = opened.enter_context(connected(address))
            busy.sendall(UPLOAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
            assert busy.recv(65536).startswith(b"HTTP/1.1 100")
        refused = opened.enter_context(connected(address))
        answer = rest(refused)
    assert answer.startswith(b"HTTP/1.1 503")
    for header in (b"Retry-After: 1", b"X-Content-Type-Options: nosniff", b"Cache-Control: no-store"):
        assert header in answer
    assert b'"code":"too_many_connections"' in answer


def test_idle_sockets_beyond_the_descriptors_stop_no_service(settings: Settings, tmp_path: Path) -> None:
    with contextlib.ExitStack() as opened:
        listening = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = listening.getsockname()[1]
        log = opened.enter_context((tmp_path / "api.log").open("wb"))
        limited = ["sh", "-c", 'ulimit -n 1024; exec "$@"', "sh", sys.executable, "-m", "service.api.server"]
        environment = {
            "PYTHONPATH": str(ROOT),
            "DEEPLIMIT_REDIS_URL": settings.redis_url or "",
            "DEEPLIMIT_DATA_DIR": str(settings.data_dir),
        }
        api = opened.enter_context(
            subprocess.Popen(
                [*limited, "--fd", str(listening.fileno())],
                pass_fds=[listening.fileno()],
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
            )
        )
        opened.callback(api.terminate)
        client = opened.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False))
        assert client.get("/livez").is_success
        for _ in range(2):  # a process of the tests has no more descriptors than the API
            idle = opened.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", IDLE, str(port), "550"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
            opened.callback(idle.kill)
            assert idle.stdout is not None
            assert idle.stdout.readline() == b"held\n"
        for _ in range(3):
            with httpx.Client(timeout=60, trust_env=False) as another:
                assert another.get(f"http://127.0.0.1:{port}/livez").is_success
        assert (tmp_path / "api.log").stat().st_size < 100_000
