"""The real thing for tests: a Valkey server, and ``deeplimit serve`` with what it starts, driven from outside."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from service.runtime.valkey import ValkeyServer
from tests.support.http.published import checked

ROOT = Path(__file__).resolve().parents[2]
SLOW = "tests.support.slow_executor:execute"
LOOK_S = 0.1
"""Between two looks at a service, each of which takes a few milliseconds of processors that it needs itself."""


@contextlib.contextmanager
def running_valkey(directory: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer.prepare(directory)
    with subprocess.Popen(server.command) as process:
        try:
            server.wait_ready(process)
            yield server
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def slow_job(*, seconds: float = 0.05, behaviour: int = 0, wall_time_s: float = 3600, name: str | None = None) -> Any:
    """Body of a job for the slow executor."""
    return {
        "kind": "train",
        "name": name,
        "data": {"source": "builtin", "name": "iris"},
        "training": {"max_iterations": max(1, round(seconds / 0.01)), "seed": behaviour},
        "limits": {"wall_time_s": wall_time_s},
    }


@dataclass
class Service:
    """A running ``deeplimit serve``, once it is started."""

    data_dir: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    port: int = field(default_factory=free_port)
    directory: Path = ROOT
    """Where it is started."""

    def start(self) -> None:
        with (self.data_dir.parent / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "--workers", str(self.workers)],
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=self.whole_environment,
                start_new_session=True,
            )
        self.connect()
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if self.client.get("/readyz").is_success:
                    return
            pause(LOOK_S)
        raise AssertionError(self.log)

    def connect(self) -> None:
        self.client = checked(f"http://127.0.0.1:{self.port}", timeout=40, trust_env=False)

    @property
    def whole_environment(self) -> dict[str, str]:
        """What it is started with: executors of tests are found as well."""
        return {**os.environ, "PYTHONPATH": str(ROOT), **self.environment}

    @property
    def started(self) -> bool:
        return hasattr(self, "process")

    @property
    def command(self) -> list[str]:
        serve = [str(Path(sys.executable).parent / "deeplimit"), "serve"]
        return [*serve, "--port", str(self.port), "--data-dir", str(self.data_dir)]

    @property
    def log(self) -> str:
        return (self.data_dir.parent / "serve.log").read_text(errors="replace")

    def stop(self) -> None:
        """Stop it as a user would."""
        self.client.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)

    def submit(self, body: Any, **headers: str) -> str:
        answer = self.client.post("/v1/jobs", json=body, headers=headers)
        assert answer.status_code in {200, 202}, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        record: dict[str, Any] = answer.json()
        return record

    def wait_for(self, job_id: str, *statuses: str, within: float = 30) -> dict[str, Any]:
        """Follow a job's revisions until it has one of the statuses."""
        deadline = time.monotonic() + within
        job: dict[str, Any] = {}
        while job.get("status") not in statuses:
            assert time.monotonic() < deadline, (statuses, job, self.log[-3000:])
            assert not job.get("done"), (statuses, job, self.log[-3000:])
            with contextlib.suppress(httpx.TransportError, AssertionError):  # a test may have just killed the API
                job = self.job(job_id)
            pause(LOOK_S)
        return job

    def wait_running(self, job_id: str, *, attempt: int = 1) -> dict[str, Any]:
        """Wait until an attempt has made progress."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            job = self.wait_for(job_id, "running")
            if job["progress"] is not None and job["attempt"] == attempt:
                return job
            pause(LOOK_S)
        raise AssertionError(self.log[-3000:])

    def pid_of(self, *words: str) -> int:
        """Process below this service whose command line has all the words; it waits for one to appear."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for pid, command in descendants(self.process.pid).items():
                if all(word in command for word in words) and "service.runtime.lifeline" not in command:
                    return pid
            pause(0.02)
        raise AssertionError(f"no process {words}: {descendants(self.process.pid)}")

    def ready_trainer(self) -> int:
        """Wait until a worker has said what it can do, and return its trainer."""
        deadline = time.monotonic() + 30
        while not self.client.get("/v1/capabilities").json().get("devices"):
            assert time.monotonic() < deadline, self.log[-3000:]
            pause(0.05)
        return self.pid_of("worker.trainer")


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def descendants(pid: int) -> dict[int, str]:
    """Processes below `pid`, and their command lines."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                parent = int(stat.rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            waiting.append(child)
            with contextlib.suppress(OSError):
                found[child] = (Path("/proc") / str(child) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def listening(pid: int) -> Iterator[int]:
    """Ports that a process listens on."""
    sockets = set()
    for descriptor in (Path("/proc") / str(pid) / "fd").iterdir():
        with contextlib.suppress(OSError):
            sockets.add(str(descriptor.readlink()))
    for table in ("tcp", "tcp6"):
        for line in (Path("/proc") / str(pid) / "net" / table).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in sockets:
                yield int(local.rpartition(":")[2], 16)


def gone(pids: Mapping[int, str], within: float = 5.0) -> bool:
    """Whether all these processes end in time. A zombie has ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not any(_lives(pid) for pid in pids):
            return True
        pause(0.02)
    return False


def _lives(pid: int) -> bool:
    try:
        stat = (Path("/proc") / str(pid) / "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
