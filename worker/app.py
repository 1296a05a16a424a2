"""The Celery app of the workers."""

import contextlib
import importlib
import os
from types import ModuleType
from typing import Any, Final

from celery import Celery, bootsteps
from celery.loaders.app import AppLoader
from celery.worker.consumer import Consumer
from celery.worker.consumer.tasks import Tasks
from kombu import Queue

from service.config import Settings
from service.contract.names import QUEUE
from service.jobstore import broker_url

PULSE_S: Final = 1.0
DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"


class Installed(AppLoader):
    """Imports what is installed: Celery's own loader looks first into the working directory, at a user's files."""

    def import_from_cwd(self, module: str, imp: Any = None, package: str | None = None) -> ModuleType:  # noqa: ARG002 - Celery's signature
        """Import a module from where Python looks for it."""
        return importlib.import_module(module, package)


class Pulse(bootsteps.StartStopStep):
    """Writes to whoever started this process, from the event loop: one that hangs is found out by its silence."""

    requires = (Tasks,)

    def __init__(self, consumer: Consumer, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._entry: Any = None

    def start(self, consumer: Consumer) -> None:
        """Begin, whenever the broker is connected."""
        descriptor: int = consumer.app.conf.pulse_fd

        def beat() -> None:
            with contextlib.suppress(OSError):  # so many are waiting to be read, or nobody reads any more
                os.write(descriptor, b".")

        beat()
        self._entry = consumer.timer.call_repeatedly(PULSE_S, beat)

    def stop(self, consumer: Consumer) -> None:
        """End, when the connection does."""
        del consumer
        if self._entry is not None:
            self._entry.cancel()


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
        worker_proc_alive_timeout=60.0,  # a spawned process imports Celery anew, and the machine may be busy
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
    if settings.pulse_fd is not None:
        app.conf.pulse_fd = settings.pulse_fd
        app.steps["consumer"].add(Pulse)
    return app


app = create_app(Settings())
"""What :mod:`worker.start` starts; the one module-level client, opened only when it is used."""
