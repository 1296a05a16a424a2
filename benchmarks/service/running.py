"""A service without workers on a Valkey of its own, in processes whose processor time is read from the system."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

from service.config import Settings
from service.jobstore import connect
from service.runtime.supervisor import embedded_service
from service.runtime.valkey import ValkeyServer


@dataclass(frozen=True)
class Server:
    """Where a server answers, and its process."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """Return the processor time of all its threads so far, in seconds; those that have ended are lost."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


@contextlib.contextmanager
def running_service(workers: int = 0) -> Iterator[tuple[Server, redis.Redis]]:
    """Run the service, and give a client of its Valkey as well."""
    with tempfile.TemporaryDirectory() as place:
        valkey = ValkeyServer.prepare(Path(place) / "valkey")
        with subprocess.Popen(valkey.command) as process, connect(valkey.url) as client:
            valkey.wait_ready(process)
            settings = Settings(
                data_dir=Path(place) / "data", port=0, redis_url=valkey.url, workers=workers, max_queued=10**6
            )
            with embedded_service(settings, log_dir=Path(place) / "logs") as url:
                yield Server(url, _child("service.api.server")), client
            process.terminate()


@contextlib.contextmanager
def bare_route() -> Iterator[Server]:
    """Run the bare route."""
    command = [sys.executable, "-m", "benchmarks.service.bare"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("a pipe was asked for")
        yield Server(f"http://127.0.0.1:{process.stdout.readline().strip()}", process.pid)
        process.terminate()


def _child(module: str) -> int:
    """Return the youngest process whose command line names a module."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if module.encode() in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return max(found)
