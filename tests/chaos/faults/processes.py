"""Processes are killed and stopped, one by one and all at once."""

import contextlib
import os
import re
import signal
from random import Random

from tests.chaos.faults.registry import Act, MissedError, fault
from tests.chaos.target import LEASE_S, WORDS, Target
from tests.support.service import gone, pause

TAKEN = re.compile(r"job ([0-9a-f]+): attempt \d+, trainer (\d+)$", re.MULTILINE)
SPARED_CRASHES = 2
"""Crashes of a job whose trainer is killed no more: the next one would rightly fail it."""


def send(target: Target, number: signal.Signals, *pids: int) -> None:
    """Signal processes, all of which may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    target.journal.write("chaos", number.name, pids=list(pids))


def one(target: Target, random: Random, kind: str) -> int:
    """Choose a process of a kind that may be harmed."""
    pids = target.pids(kind)
    if kind == "trainer":
        pids = [pid for pid in pids if not _crashed_often(target, pid)]
    if not pids:
        raise MissedError(f"there is no {kind} to be harmed")
    return random.choice(sorted(pids))


def _crashed_often(target: Target, trainer: int) -> bool:
    """Whether the job that a trainer does, by the log, would fail of one more crash."""
    jobs = [job for job, pid in TAKEN.findall(target.log) if int(pid) == trainer]
    if not jobs:
        return False
    with target.valkey() as valkey:
        crashes = valkey.hget(f"deeplimit:job:{jobs[-1]}", "crashes")
    return int(crashes or 0) >= SPARED_CRASHES


def _kill(kind: str) -> Act:
    def act(target: Target, random: Random) -> None:
        send(target, signal.SIGKILL, one(target, random, kind))

    return act


def _stop(kind: str) -> Act:
    def act(target: Target, random: Random) -> None:
        seconds = random.uniform(0.2, 5.0)
        pid = one(target, random, kind)
        send(target, signal.SIGSTOP, pid)
        pause(seconds)  # as long as the fault is to last
        send(target, signal.SIGCONT, pid)

    return act


for _name in WORDS:
    fault(f"kill-{_name}")(_kill(_name))
    fault(f"stop-{_name}")(_stop(_name))


@fault("stall")
def stall(target: Target, random: Random) -> None:
    """Stop a process that runs tasks until its lease has run out, and wake it when its job may be another's."""
    pid = one(target, random, "pool")
    send(target, signal.SIGSTOP, pid)
    pause(random.uniform(1.4, 2.4) * LEASE_S)  # as long as the fault is to last
    send(target, signal.SIGCONT, pid)


@fault("serve-term", alone=True)
def end_serve(target: Target, _: Random) -> None:
    """Have `serve` stop in order, and start it again."""
    target.journal.write("chaos", "SIGTERM", pids=[target.process.pid])
    target.stop(signal.SIGTERM)
    target.start()


@fault("serve-kill", alone=True)
def kill_serve(target: Target, _: Random) -> None:
    """Kill `serve` alone, which takes all others with it, and start it again."""
    target.journal.write("chaos", "SIGKILL", pids=[target.process.pid])
    target.stop(signal.SIGKILL)
    target.start()


@fault("everything", alone=True)
def kill_everything(target: Target, _: Random) -> None:
    """Kill every process at once, and start again."""
    kill_all(target)
    target.start()


def kill_all(target: Target) -> None:
    """Kill every process; they are stopped before, so that none sees another die."""
    pids = [target.process.pid, *target.pids()]
    send(target, signal.SIGSTOP, *pids)
    send(target, signal.SIGKILL, *pids)
    target.process.wait(10)
    if not gone(target.left(), within=10):
        raise RuntimeError(f"killed and alive: {target.left()}")
