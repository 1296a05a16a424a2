"""``deeplimit serve``: the whole service on one machine, started, kept alive and stopped together."""

import contextlib
import ipaddress
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import redis

from service.artifacts import ArtifactStore, StorageError
from service.config import Settings
from service.jobstore import StoresApartError, StoresUnnamedError, check_together, connect, release
from service.runtime.data_directory import ServeError, open_directory, start_valkey
from service.runtime.processes import Crew, Role
from service.runtime.watchdog import (
    LONGEST_ANSWER_S,
    MISSED_BY_WORKER,
    Probe,
    Watchdog,
    api_answers,
    server_answers,
    server_serves,
    take_pulses,
    worker_answers,
)

LOG = logging.getLogger(__name__)

REFUSED: Final = 2
"""Exit status where the service cannot or may not start."""

READY_S: Final = 60.0
ANSWER_S: Final = 5.0
LOOK_S: Final = 0.05
BACKLOG: Final = 2048

WORKERS, API = range(2)
"""Ranks: the order in which they are stopped; Valkey comes last."""

STOP_WITHIN: Final = {WORKERS: 5.0, API: 3.0}


def serve(settings: Settings) -> int:
    """Run the service in the foreground until SIGTERM or Ctrl-C, and return the exit status."""
    _log_to_stderr(settings)
    crew = Crew()
    with contextlib.ExitStack() as opened:
        try:
            listening = _assemble(crew, settings, opened)
        except ServeError as refusal:
            LOG.error("%s", refusal)  # noqa: TRY400 - the message is for people, without a traceback
            return REFUSED
        LOG.info("serving on %s", base_url(listening))
        crew.watch()
        LOG.info("stopping")
    return 0


def serve_worker(settings: Settings) -> int:
    """Run one worker against the server of ``DEEPLIMIT_REDIS_URL`` until SIGTERM or Ctrl-C, or until it gives up.

    The exit status is ``os.EX_UNAVAILABLE`` where it cannot start a trainer, for whoever restarts this process.
    """
    _log_to_stderr(settings)
    if settings.redis_url is None:
        LOG.error("DEEPLIMIT_REDIS_URL must name the Redis server of the service that the worker is to work for")
        return REFUSED
    crew = Crew()
    with contextlib.ExitStack() as opened:
        _stop_on_signals(crew)
        opened.callback(crew.stop)
        name = f"{socket.gethostname()}-{secrets.token_hex(3)}"
        children = _for_children(settings, settings.redis_url, workers=1)
        serves = server_serves(settings.redis_url, min(settings.probe_s, LONGEST_ANSWER_S))
        _watch(crew, settings, list(_start_workers(crew, children, name, opened, serves)), opened)
        return crew.watch(give_up=True)


@contextlib.contextmanager
def embedded_service(settings: Settings, *, log_dir: Path | None = None) -> Iterator[str]:
    """Run the service beside the caller, and give its address once it is ready.

    Each process writes its log into `log_dir`, or to the streams of the caller where that is None.

    Raises
    ------
    ServeError
        The service cannot or may not start.
    """
    crew = Crew(log_dir)
    address: list[str | Exception] = []
    started = threading.Event()

    def run() -> None:  # one thread starts, watches and stops: the processes die with the thread that started them
        with contextlib.ExitStack() as opened:
            try:
                address.append(base_url(_assemble(crew, settings, opened, handle_signals=False)))
            except Exception as failure:  # noqa: BLE001 - raised again in the caller's thread
                address.append(failure)
                return
            finally:
                started.set()
            crew.watch()

    thread = threading.Thread(target=run, name="supervisor")
    thread.start()
    try:
        started.wait()
        if isinstance(address[0], Exception):
            raise address[0]
        _wait_ready(address[0], thread)
        yield address[0]
    finally:
        crew.ask_to_stop()
        thread.join()


def base_url(listening: socket.socket) -> str:
    """Address of the API that listens on a socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _assemble(
    crew: Crew, settings: Settings, opened: contextlib.ExitStack, *, handle_signals: bool = True
) -> socket.socket:
    """Start everything. What is opened, processes included, is closed by `opened` in the right order."""
    _check_address(settings)
    listening = opened.enter_context(_listen(settings.host, settings.port))
    valkey = open_directory(settings, opened)
    if handle_signals:
        _stop_on_signals(crew)
    opened.callback(crew.stop)
    redis_url = str(settings.redis_url) if valkey is None else start_valkey(crew, valkey)
    _check_stores(settings, redis_url)
    name = _name_of(settings)
    if settings.redis_url is None:  # else nobody knows which workers of others are dead
        release(redis_url, f"{name}/", settings.max_outages)
    children = _for_children(settings, redis_url, settings.workers)
    descriptor = listening.fileno()
    crew.start(
        Role(
            name="api",
            command=[sys.executable, "-P", "-m", "service.api.server", "--fd", str(descriptor)],
            rank=API,
            stop_within=STOP_WITHIN[API],
            environment=children.environment(),
            descriptors=(descriptor,),
        )
    )
    timeout = min(settings.probe_s, LONGEST_ANSWER_S)
    probes = [Probe("api", api_answers(base_url(listening), timeout))]
    if settings.redis_url is None:
        probes.append(Probe("valkey", server_answers(redis_url, timeout)))
    probes += _start_workers(crew, children, name, opened, server_serves(redis_url, timeout))
    _watch(crew, settings, probes, opened)
    return listening


def _start_workers(
    crew: Crew, settings: Settings, name: str, opened: contextlib.ExitStack, redis_serves: Callable[[], bool]
) -> Iterator[Probe]:
    """Start the workers, each with a pipe for its pulses, and say how to ask them."""
    for number in range(settings.workers):
        reading, writing = os.pipe()
        for descriptor in (reading, writing):
            opened.callback(os.close, descriptor)
            os.set_blocking(descriptor, False)
        role = _worker_role(settings.model_copy(update={"pulse_fd": writing}), name, number, reading)
        crew.start(role)
        yield Probe(role.name, worker_answers(reading, redis_serves), MISSED_BY_WORKER)


def _watch(crew: Crew, settings: Settings, probes: Sequence[Probe], opened: contextlib.ExitStack) -> None:
    watchdog = Watchdog(crew, probes, interval_s=settings.probe_s, start_s=settings.start_s)
    watchdog.start()
    opened.callback(watchdog.join)  # before the pipes that it reads are closed
    opened.callback(crew.stop)  # which must not wait for an answer that is under way
    opened.callback(watchdog.stop)


def _name_of(settings: Settings) -> str:
    """Name of this service's workers, which no other has on its Redis, whatever its host is called."""
    if settings.redis_url is None:
        return "serve"
    return f"{socket.gethostname()}-{secrets.token_hex(8)}"


def _check_stores(settings: Settings, redis_url: str) -> None:
    """Refuse to start where job store and objects belong to different services; what is away is waited for later."""
    try:
        objects = ArtifactStore.of(settings)
    except StorageError as failure:
        raise ServeError(str(failure)) from failure
    with connect(redis_url) as client:
        try:
            check_together(client, objects, name=False)
        except StoresUnnamedError:
            LOG.info("the API gives job store and objects their id")
        except StoresApartError as apart:
            raise ServeError(str(apart)) from apart
        except (redis.RedisError, StorageError) as failure:
            LOG.warning("one of the stores does not answer yet: %s", failure)


def _bury(pulses: int, redis_url: str, holder: str, max_outages: int) -> None:
    """Clear up after a dead worker: what it held is free, and its pulses are no sign of its successor's life."""
    take_pulses(pulses)
    release(redis_url, holder, max_outages)


def _for_children(settings: Settings, redis_url: str, workers: int) -> Settings:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    threads = settings.torch_threads or max(1, cores // max(1, workers))
    return settings.model_copy(
        update={
            "redis_url": redis_url,
            "data_dir": settings.data_dir.absolute(),
            "workers": workers,
            "torch_threads": threads,
        }
    )


def _worker_role(settings: Settings, name: str, number: int, pulses: int) -> Role:
    threads = str(settings.torch_threads)
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    called = f"{name}/{number}"
    environment = settings.model_copy(update={"worker_name": called}).environment()
    environment |= {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    if min(gpus, settings.workers) > 1 and "CUDA_VISIBLE_DEVICES" not in os.environ:
        environment["CUDA_VISIBLE_DEVICES"] = str(number % gpus)
    celery = [sys.executable, "-P", "-m", "worker.start", "--quiet", "worker"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return Role(
        name=f"worker-{number}",
        command=[*celery, *quiet, "--hostname", f"deeplimit-{number}@%h", "--loglevel", "warning"],
        rank=WORKERS,
        stop_within=STOP_WITHIN[WORKERS],
        environment=environment,
        descriptors=() if settings.pulse_fd is None else (settings.pulse_fd,),
        on_end=partial(_bury, pulses, str(settings.redis_url), f"{called}/", settings.max_outages),
    )


def _check_address(settings: Settings) -> None:
    if settings.host == "localhost":
        return
    try:
        address = ipaddress.ip_address(settings.host)
    except ValueError as error:
        raise ServeError(f"{settings.host} is not an IP address") from error
    if address.is_loopback:
        return
    if not settings.allow_unauthenticated:
        raise ServeError(
            f"{settings.host} can be reached by others and the API has no keys: listen on 127.0.0.1, or set "
            "DEEPLIMIT_ALLOW_UNAUTHENTICATED=1 where something else keeps strangers out"
        )
    LOG.warning("anybody who can reach %s can use this service: it has no keys", settings.host)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ServeError(f"cannot listen on {host} port {port}: {error.strerror}") from error


def _stop_on_signals(crew: Crew) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: crew.ask_to_stop())


def _wait_ready(address: str, supervisor: threading.Thread) -> None:
    deadline = time.monotonic() + READY_S
    with httpx.Client(base_url=address, timeout=ANSWER_S, trust_env=False) as client:
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):  # the API has just died and is being restarted
                if client.get("/readyz").is_success:
                    return
            supervisor.join(LOOK_S)
    raise ServeError("the API did not become ready; its log says why")


def _log_to_stderr(settings: Settings) -> None:
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
