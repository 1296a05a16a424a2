"""The Celery app of the workers."""

import contextlib
import importlib
import logging
import os
import signal
import threading
from types import FrameType, ModuleType
from typing import Any, Final

import billiard
from celery import Celery, bootsteps
from celery.loaders.app import AppLoader
from celery.worker.consumer import Consumer
from celery.worker.consumer.tasks import Tasks
from kombu import Queue

from service.config import Settings
from service.contract.names import QUEUE
from service.jobstore import broker_url, release, worker_prefix

LOG = logging.getLogger(__name__)

PULSE_S: Final = 1.0
SIGN_SIGNAL: Final = signal.SIGURG
"""From the process that runs tasks to Celery's main process: a sign of life. Who does not listen for it ignores it."""
SIGN_S: Final = 5.0
SILENT_PULSES: Final = 20
"""Pulses without a sign of life after which the process that runs tasks hangs."""
START_PULSES: Final = 60
"""The same, before the first sign: a spawned process imports Celery anew, and the machine may be busy."""
DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"


class Installed(AppLoader):
    """Imports what is installed: Celery's own loader looks first into the working directory, at a user's files."""

    def import_from_cwd(self, module: str, imp: Any = None, package: str | None = None) -> ModuleType:  # noqa: ARG002 - Celery's signature
        """Import a module from where Python looks for it."""
        return importlib.import_module(module, package)


class _EachPulse(bootsteps.StartStopStep):
    """Does something from the event loop, again and again while the broker is connected."""

    requires = (Tasks,)

    def __init__(self, consumer: Consumer, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._entry: Any = None

    def start(self, consumer: Consumer) -> None:
        """Begin, whenever the broker is connected."""
        self.beat(consumer)
        self._entry = consumer.timer.call_repeatedly(PULSE_S, self.beat, (consumer,))

    def stop(self, consumer: Consumer) -> None:
        """End, when the connection does."""
        del consumer
        if self._entry is not None:
            self._entry.cancel()

    def beat(self, consumer: Consumer) -> None:
        """Do it once."""
        raise NotImplementedError


class Pulse(_EachPulse):
    """Writes to whoever started this process: one that hangs is found out by its silence."""

    def beat(self, consumer: Consumer) -> None:
        """Write a byte."""
        with contextlib.suppress(OSError):  # so many are waiting to be read, or nobody reads any more
            os.write(consumer.app.conf.pulse_fd, b".")


class PoolWatch(_EachPulse):
    """Kills a process that runs tasks and gives no sign of life any more: Celery starts another.

    What one that died held is free at once: the one that comes after it takes its time to start, and another worker may
    have nothing to do. Pulses are counted and not seconds, so that nothing is held against it where this process itself
    was stopped.
    """

    def __init__(self, consumer: Consumer, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._pid: int | None = None
        self._silent = 0
        self._most = START_PULSES
        signal.signal(SIGN_SIGNAL, self._hear)

    def beat(self, consumer: Consumer) -> None:
        """Count one more pulse without a sign."""
        pid = next((child.pid for child in billiard.active_children()), None)
        if pid != self._pid:
            if self._pid is not None:
                conf = consumer.app.conf
                dead = worker_prefix(conf.worker_name, self._pid)
                threading.Thread(
                    target=release, args=(conf.redis_url, dead, conf.max_outages), name="release"
                ).start()  # it may wait
            self._pid, self._silent, self._most = pid, 0, START_PULSES
        self._silent += 1
        if pid is not None and self._silent > self._most:
            LOG.error("process %d, which runs tasks, hangs: it gives no sign of life and is replaced", pid)
            self._silent = 0
            os.kill(pid, signal.SIGKILL)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._silent, self._most = 0, SILENT_PULSES


def create_app(settings: Settings) -> Celery:
    """Celery app with the settings that keep a hint from being lost quietly or run twice for long.

    The truth is the job store: a hint that is lost costs a second, so it is acknowledged early, and none is prefetched.
    """
    app = Celery(
        "deeplimit",
        broker=broker_url(settings.redis_url or DEFAULT_REDIS_URL),
        include=["worker.tasks"],
        loader=Installed,
    )
    app.conf.update(
        task_queues=[Queue(QUEUE)],
        task_default_queue=QUEUE,
        task_acks_late=False,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_pool="prefork",
        worker_concurrency=1,
        worker_pool_start_method="spawn",  # torch after fork hangs
        worker_proc_alive_timeout=START_PULSES * PULSE_S,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "health_check_interval": 5,
            "socket_keepalive": True,
        },
    )
    app.conf.redis_url = settings.redis_url or DEFAULT_REDIS_URL
    app.conf.worker_name = settings.worker_name
    app.conf.max_outages = settings.max_outages
    app.steps["consumer"].add(PoolWatch)
    if settings.pulse_fd is not None:
        app.conf.pulse_fd = settings.pulse_fd
        app.steps["consumer"].add(Pulse)
    return app


app = create_app(Settings())
"""What :mod:`worker.start` starts; the one module-level client, opened only when it is used."""
