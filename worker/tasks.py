"""The one Celery task, and how a worker process starts and stops around it."""

import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, Final

import billiard
from celery import signals
from celery.worker import state

from service.artifacts import StorageError
from service.config import Settings
from service.contract.names import TASK_HINT
from worker.app import DEFAULT_REDIS_URL, SIGN_S, SIGN_SIGNAL, app
from worker.station import Station

LOG = logging.getLogger(__name__)

STOP_SIGNAL: Final = signal.SIGUSR2
"""From Celery's main process to the one that runs tasks; Celery's pool takes SIGTERM for itself."""
GIVE_UP_SIGNAL: Final = signal.SIGUSR2
"""The other way, when this worker cannot do any job."""

_STATION: Final[list[Station]] = []  # Celery hands a task nothing of its process, so the process's state is kept here


@app.task(name=TASK_HINT)
def hint() -> None:
    """Take the best ready job: the hint says only that there may be one."""
    for station in _STATION:  # none where it could not be made, and this process is about to end
        station.take()


@signals.setup_logging.connect
def _log_plainly(**_: Any) -> None:
    logging.basicConfig(
        level=Settings().log_level.upper(),
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("celery.worker.strategy", "celery.app.trace"):  # two lines for each hint; the job's own are enough
        logging.getLogger(chatty).setLevel(logging.WARNING)


@signals.worker_init.connect
def _listen_to_pool(**_: Any) -> None:
    signal.signal(GIVE_UP_SIGNAL, _end_worker)


def _end_worker(number: int, frame: FrameType | None) -> None:
    """End Celery's main process as its own handler of SIGTERM does, but with a status that says why."""
    del number, frame
    state.should_stop = os.EX_UNAVAILABLE  # type: ignore[assignment]  # Celery's own handlers set it to a status


def _give_up() -> None:
    """Tell Celery's main process from the one that runs tasks."""
    os.kill(os.getppid(), GIVE_UP_SIGNAL)


def _give_signs() -> None:
    """Tell Celery's main process again and again that this one runs; a thread of its own, which waits for no server."""
    pause, main = threading.Event(), os.getppid()
    while os.getppid() == main:  # else it has died, and the signal would be another's
        os.kill(main, SIGN_SIGNAL)
        pause.wait(SIGN_S)


@signals.worker_process_init.connect
def _open_station(**_: Any) -> None:
    threading.Thread(target=_give_signs, name="signs", daemon=True).start()
    try:
        settings = Settings()
        station = Station(settings, settings.redis_url or DEFAULT_REDIS_URL, _give_up)
    except Exception as failure:  # whatever it is, Celery would log it and go on, with hints that nobody can follow
        unforeseen = not isinstance(failure, StorageError)
        LOG.critical("the worker cannot start and gives up: %s", failure, exc_info=unforeseen)
        _give_up()
        return
    _STATION[:] = [station]
    signal.signal(STOP_SIGNAL, _stop_station)
    station.open()


def _stop_station(number: int, frame: FrameType | None) -> None:
    """Give the running job back; Celery ends the process after that."""
    del number, frame
    _STATION[0].ask_to_stop()


@signals.worker_shutting_down.connect
def _tell_pool(**_: Any) -> None:
    """Pass the order to stop on: Celery itself would wait for the running job to end, hours perhaps."""
    for child in billiard.active_children():
        if child.pid is not None:
            os.kill(child.pid, STOP_SIGNAL)
