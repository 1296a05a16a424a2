"""Who is asked for a sign of life, what counts as one, and how the asking ends."""

import contextlib
import errno
import logging
import os
import signal
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from service.config import Settings
from service.runtime import supervisor
from service.runtime.processes import Crew, Role
from service.runtime.watchdog import Probe, Watchdog, server_answers, server_serves, worker_answers

SLEEP = [sys.executable, "-c", "import signal; signal.pause()"]
LOADING = b"-LOADING Valkey is loading the dataset in memory\r\n"


@contextlib.contextmanager
def server_that_says(reply: bytes) -> Iterator[str]:
    """Address of a Redis server that has one reply to every command."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():  # each command is an array: its length, then two lines for each word
                for _ in range(2 * int(line[1:])):
                    self.rfile.readline()
                self.wfile.write(reply)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        server.shutdown()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a worker's pipe: where it is read, and where it is written."""
    ends = os.pipe()
    for descriptor in ends:
        os.set_blocking(descriptor, False)
    yield ends
    for descriptor in ends:
        os.close(descriptor)


@pytest.fixture
def crew() -> Iterator[Crew]:
    running = Crew()
    yield running
    running.stop()


def role(on_end: Callable[[], None] | None = None) -> Role:
    return Role(name="sleeper", command=SLEEP, rank=0, stop_within=1.0, on_end=on_end)


def test_a_server_that_loads_does_not_hang_but_serves_nobody() -> None:
    with server_that_says(LOADING) as url:
        assert server_answers(url, 5.0)()
        assert not server_serves(url, 5.0)()
    assert not server_answers(url, 5.0)()
    assert not server_serves(url, 5.0)()


def test_a_server_that_works_does_both(redis_url: str) -> None:
    assert server_answers(redis_url, 5.0)()
    assert server_serves(redis_url, 5.0)()


def test_silence_is_held_against_a_worker_only_while_its_broker_serves(pipe: tuple[int, int], redis_url: str) -> None:
    with server_that_says(LOADING) as loading:
        assert worker_answers(pipe[0], server_serves(loading, 5.0))()
    answers = worker_answers(pipe[0], server_serves(redis_url, 5.0))
    assert not answers()
    os.write(pipe[1], b"." * 5000)  # more than is read at once
    assert answers()
    assert not answers()


def test_pulses_of_a_dead_worker_are_not_its_successors(pipe: tuple[int, int], redis_url: str) -> None:
    settings = Settings(redis_url=redis_url, workers=1, torch_threads=1)
    worker = supervisor._worker_role(settings, "test", 0, pipe[0])
    os.write(pipe[1], b"...")
    assert worker.on_end is not None
    worker.on_end()
    assert not worker_answers(pipe[0], server_serves(redis_url, 5.0))()


def test_a_process_is_watched_on_after_it_could_not_be_asked(crew: Crew, caplog: pytest.LogCaptureFixture) -> None:
    asked = 0

    def answers() -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return False

    member = crew.start(role())
    watchdog = Watchdog(crew, [Probe("sleeper", answers)], interval_s=0.01, start_s=0.0)
    with caplog.at_level(logging.ERROR):
        watchdog.start()
        assert member.ended.wait(30)
        watchdog.stop()
        watchdog.join()
    assert member.process.returncode == -signal.SIGKILL
    assert "sleeper could not be asked" in caplog.text


def test_stopping_does_not_wait_for_an_answer(crew: Crew) -> None:
    member = crew.start(role())
    under_way = threading.Event()
    seen: list[bool] = []

    def answers() -> bool:
        under_way.set()
        seen.append(member.ended.wait(8))  # less than the watchdog is waited for
        return True

    with contextlib.ExitStack() as opened:
        supervisor._watch(crew, Settings(probe_s=0.01), [Probe("sleeper", answers)], opened)
        assert under_way.wait(30)
    assert seen == [True]
