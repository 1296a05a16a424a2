"""The process that trains: ``python -m worker.trainer``. It runs one job at a time and knows neither Celery nor Redis.

It speaks JSON lines. From its standard input it reads ``{"type": "run", …}``, ``{"type": "cancel"}``, and
``{"type": "leave"}``, which cancels so that another attempt goes on; it ends when that ends. It writes, to what was its
standard output: ``ready`` once torch is imported and it can take a job; ``progress``; ``tick`` now and then;
``checkpoint`` with what another attempt can go on from; and for each job one of ``done``, ``stopped``, ``failed``,
``not_understood`` with the reason, ``unstored`` with the bytes that there must be room for. What libraries print goes
to standard error, so it cannot break a line.
"""

import argparse
import faulthandler
import gc
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from typing import IO, Any, Final

from service.artifacts import ArtifactStore, StorageError, is_storage_fault
from service.config import Settings
from service.contract.job import ArtifactRef
from worker.executor import Executor, JobInput, Keeping, Report, Stopped, UserError, load_executor
from worker.reporting import ThinnedReport
from worker.specification import NotUnderstoodError, check_understood

LOG = logging.getLogger("worker.trainer")
TICKS: Final = 6
"""Signs of life in the time after which a silent trainer is replaced."""
OUT_OF_MEMORY: Final = "out_of_memory"


class Trainer:
    """Reads orders in one thread and trains in the main one."""

    def __init__(
        self,
        executor: Executor,
        artifacts: ArtifactStore,
        orders: IO[bytes],
        answers: IO[bytes],
        settings: Settings,
    ) -> None:
        self._executor = executor
        self._artifacts = artifacts
        self._orders = orders
        self._answers = answers
        self._runs: SimpleQueue[Mapping[str, Any]] = SimpleQueue()
        self._cancelled = threading.Event()
        self._leaving = threading.Event()
        self._settings = settings
        self._speaking = threading.Lock()
        self._busy = threading.Event()
        self._tick_s = settings.tick_s / TICKS

    def serve(self) -> None:
        """Run jobs until the orders end."""
        threading.Thread(target=self._listen, name="orders", daemon=True).start()
        threading.Thread(target=self._tick, name="ticks", daemon=True).start()
        self.say({"type": "ready", **_machine()})
        while True:
            order = self._runs.get()
            self._busy.set()
            answer = self._run(order)
            self._busy.clear()
            self.say(answer)

    def say(self, message: Mapping[str, Any]) -> None:
        """Write one line."""
        with self._speaking:
            self._answers.write(json.dumps(message).encode() + b"\n")
            self._answers.flush()

    def _commit(self, checkpoints: Sequence[ArtifactRef]) -> None:
        self.say({"type": "checkpoint", "checkpoints": [ref.model_dump(mode="json") for ref in checkpoints]})

    def _tick(self) -> None:
        """Give a sign of life now and then while a job runs, whether or not that has anything to report."""
        while self._busy.wait():
            time.sleep(self._tick_s)  # the interval itself
            if self._busy.is_set():
                self.say({"type": "tick"})

    def _listen(self) -> None:
        for line in self._orders:
            order = json.loads(line)
            if order["type"] == "run":
                self._cancelled.clear()
                self._leaving.clear()
                self._runs.put(order)
            else:
                if order["type"] == "leave":
                    self._leaving.set()
                self._cancelled.set()
        os._exit(0)  # the supervisor is gone, or wants no more: nothing here is worth waiting for

    def _run(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            check_understood(order["spec"], order.get("spec_sha256", ""))
        except NotUnderstoodError as reason:
            return {"type": "not_understood", "reason": str(reason)}
        started = time.monotonic()  # for the supervisor, both are one attempt
        report = ThinnedReport(lambda progress: self.say({"type": "progress", **progress.model_dump(mode="json")}))
        answer = self._attempt(order, report, started, frugal=False)
        if answer.get("code") == OUT_OF_MEMORY:
            LOG.warning("job %s: it is done once more, in smaller parts", order["job_id"])
            gc.collect()  # the failure's frames have held what took the memory
            answer = self._attempt(order, report, started, frugal=True)
        return answer

    def _attempt(self, order: Mapping[str, Any], report: Report, started: float, *, frugal: bool) -> Mapping[str, Any]:
        job = JobInput(
            job_id=order["job_id"],
            fence=order["fence"],
            spec=order["spec"],
            artifacts=self._artifacts,
            given={key: ArtifactRef.model_validate(ref) for key, ref in order["given"].items()},
            frugal=frugal,
            checkpoints=[ArtifactRef.model_validate(ref) for ref in order.get("checkpoints", ())],
            finish_only=order.get("finish_only", False),
            started=started,
            keeping=Keeping(
                every_s=self._settings.checkpoint_s,
                most_bytes=self._settings.checkpoint_mb * 2**20,
                commit=self._commit,
                leaving=self._leaving.is_set,
            ),
        )
        try:
            outcome = self._executor(job, report, self._cancelled.is_set)
        except Stopped:
            return {"type": "stopped"}
        except UserError as error:
            return {"type": "failed", "code": error.code, "detail": error.detail, "origin": "user"}
        except Exception as error:  # whatever a job meets ends that job and is told to the supervisor, not the queue
            LOG.exception("job %s failed", job.job_id)
            if is_storage_fault(error):
                return {"type": "unstored", "bytes": _discarded(job) + getattr(error, "size", 0)}
            if _out_of_memory(error):
                detail = "Memory ran out, in smaller parts as well."
                return {"type": "failed", "code": OUT_OF_MEMORY, "detail": detail, "origin": "system"}
            detail = f"The fit ended with {type(error).__name__}; the worker's log has the details."
            return {"type": "failed", "code": "internal_error", "detail": detail, "origin": "system"}
        artifacts = {name: ref.model_dump(mode="json") for name, ref in outcome.artifacts.items()}
        return {"type": "done", "artifacts": artifacts}


def _discarded(job: JobInput) -> int:
    """Make room again, and return how much."""
    try:
        return job.discard()
    except StorageError:  # it is read-only or away, and its room is not what lacks
        return 0


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    of_processor = isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in str(error)
    return torch is not None and (of_processor or isinstance(error, torch.OutOfMemoryError))


def _machine() -> dict[str, Any]:
    """What the executor's torch sees; an executor without torch has the processor alone."""
    torch = sys.modules.get("torch")
    if torch is None:
        return {"devices": ["cpu"], "torch": None}
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return {"devices": ["cpu", *gpus], "torch": torch.__version__}


def main() -> None:
    """Take over the standard streams, import the executor, serve."""
    parser = argparse.ArgumentParser(prog="python -m worker.trainer")
    parser.add_argument("--executor", required=True, help="function that runs a job, as module:name")
    arguments = parser.parse_args()
    faulthandler.enable(all_threads=False)  # short, as its end goes into the job's error
    orders = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device, not a path of ours
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    settings = Settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(name)s %(levelname)s %(message)s")
    executor = load_executor(arguments.executor)
    torch = sys.modules.get("torch")
    if torch is not None and settings.torch_threads is not None:
        torch.set_num_threads(settings.torch_threads)
    prepare = getattr(sys.modules[executor.__module__], "prepare", None)
    if prepare is not None:
        threading.Thread(target=prepare, name="prepare", daemon=True).start()
    Trainer(executor, ArtifactStore.of(settings), orders, answers, settings).serve()


if __name__ == "__main__":
    main()
