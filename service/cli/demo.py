"""The demonstration: a service of its own on free ports, one study of real data, and nothing left running."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from service.cli.options import connected
from service.cli.output import FAILED, messages, standard_output
from service.cli.progress import watch
from service.cli.show import job_lines, show_results
from service.config import Settings
from service.runtime.data_directory import ServeError
from service.runtime.supervisor import embedded_service

if TYPE_CHECKING:
    from types import FrameType

    from rich.console import Console

    from deeplimit.client import Client

SPEC: Final[dict[str, Any]] = {
    "kind": "train",
    "name": "demo: breast cancer",
    "data": {"source": "builtin", "name": "breast_cancer"},
    "network": {"activation": "tanh", "output": "softmax"},
    "objective": {
        "loss": "cross_entropy",
        "alpha": {"K": 1e-2, "b": 1e-2, "W": 1e-2, "c": 1e-2},
        "tau": {"K": 1.0, "b": 1.0},
    },
    "discrete": {"depths": [8, 16, 32, 64]},
    "continuum": {"basis": "auto", "tolerance": 1e-8},
}

LOGS: Final = "logs"
LOG_LINES: Final = 15
WORKER_S: Final = 120.0

NEXT: Final = """
Where to go from here:
  make serve        keep the service running, on http://127.0.0.1:8000
  curl -s http://127.0.0.1:8000/v1/capabilities      what can be asked of it
  .venv/bin/deeplimit submit SPEC.json --wait        a study of your own
  README.md         the same by curl, and from a Python script"""


def run() -> int:
    """Run the demonstration; return the exit status."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    progress = messages()
    with tempfile.TemporaryDirectory(prefix="deeplimit-demo-") as place:
        try:
            status = _study(Path(place), progress)
        except KeyboardInterrupt:
            status = 128 + signal.SIGINT
        except ServeError as error:
            progress.print(str(error), style="red", markup=False)
            status = FAILED
        if status == FAILED:
            _show_logs(Path(place), progress)
    progress.print("the service has been stopped")
    if status == 0:
        standard_output().print(NEXT, markup=False)
    return status


def _study(place: Path, progress: Console) -> int:
    """Start the service in `place`, run the job, print its results; the service is stopped on the way out."""
    progress.print("starting a service of its own (API, worker, Valkey) on free ports")
    with embedded_service(_settings(place), log_dir=place / LOGS) as url, connected(url) as client:
        _wait_for_a_worker(client)
        job = client.submit(SPEC)
        progress.print(f"training on breast_cancer: job {job.id} at {url}", markup=False)
        record = watch(client, job.id, progress)
        if record["status"] != "succeeded":
            for line in job_lines(record):
                progress.print(line, style="red", markup=False)
            return FAILED
        show_results(standard_output(), job.results())
    return 0


def _wait_for_a_worker(client: Client) -> None:
    """Wait until a worker has imported torch; a job would wait for ever for one that cannot."""
    pause = threading.Event()
    deadline = time.monotonic() + WORKER_S
    while not client.capabilities()["devices"]:
        if time.monotonic() > deadline:
            raise ServeError(f"no worker became ready within {WORKER_S:.0f} s")
        pause.wait(0.1)


def _settings(place: Path) -> Settings:
    """Everything in `place`, whatever the environment says of other services."""
    return Settings(
        host="127.0.0.1", port=0, data_dir=place, redis_url=None, artifacts_url=str(place / "artifacts"), workers=1
    )


def _show_logs(place: Path, progress: Console) -> None:
    """The end of each process's log: the directory is about to go."""
    for log in sorted((place / LOGS).glob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        progress.print("\n".join([f"--- {log.name}", *lines]), markup=False)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """Leave by an exception, so that the service is stopped on the way out."""
    sys.exit(128 + number)
