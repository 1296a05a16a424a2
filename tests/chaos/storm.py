"""One seed: clients at work, faults one after the other, then quiet, and the audit."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

import redis

from service.contract.job import JobStatus
from service.jobstore import keys
from tests.chaos import evidence
from tests.chaos.audit import audit
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.faults.registry import MissedError
from tests.chaos.faults.storage import give_back
from tests.chaos.journal import Journal
from tests.chaos.load import Client
from tests.chaos.target import NotReadyError, Target
from tests.support.service import pause

CLIENTS: Final = 6
AT_ONCE: Final = 0.3
"""How often another fault comes at the same time."""


@dataclass(frozen=True)
class Plan:
    """What is done.

    Attributes
    ----------
    seed
        Decides which faults come in which order, with what they draw, and what clients ask for; their times are those
        of the machine.
    seconds
        For how long things go wrong.
    faults
        Names of those that are drawn from.
    patches
        What is switched off, by the names of `inside/sitecustomize.py`.
    long
        Share of jobs that take some seconds.
    settle_s
        Time between two faults that a job may take to succeed, at most.
    drain_s, clear_s
        Time for all jobs to end after that, and then for what nothing refers to to be gone.
    """

    seed: int
    seconds: float
    faults: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    long: float = 0.05
    settle_s: float = 2.0
    drain_s: float = 150.0
    clear_s: float = 60.0


@dataclass
class Outcome:
    """What came of it."""

    plan: Plan
    folder: Path
    jobs: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, str] = field(default_factory=dict)
    restarts: int = 0
    calm_s: float | None = None
    """Seconds from the last fault to the end of the last job; None where that did not come."""
    violations: dict[str, list[str]] = field(default_factory=dict)

    @property
    def broken(self) -> dict[str, list[str]]:
        """Rules that were broken, with their violations."""
        return {rule: found for rule, found in self.violations.items() if found}


def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Outcome:
    """Start a service, do what the plan says to it, and audit what is left."""
    journal = Journal(folder / "journal.jsonl")
    outcome = Outcome(plan, folder)
    target = Target(folder, journal, patches=plan.patches)
    try:
        faults, outcome.left_out = _chosen(plan, target)
        if not faults:
            return outcome
        _weather(target, faults, outcome, say)
        found = _look(target)
    except NotReadyError as failure:
        outcome.violations = {"the service comes back": [str(failure)]}
        return outcome
    finally:
        target.close()
        outcome.restarts = target.restarts
        outcome.jobs = len({entry["id"] for entry in journal.entries() if entry["did"] == "submit" and "id" in entry})
    outcome.statuses = Counter(record["status"] for record in found.records.values())
    outcome.violations = audit(found)
    return outcome


def _weather(target: Target, faults: Sequence[Fault], outcome: Outcome, say: Callable[[str], None]) -> None:
    """Have clients work while faults are injected, and then until everything they began is answered and done."""
    plan = outcome.plan
    target.start()
    clients = [
        Client(f"client-{number}", target.address, Random(f"{plan.seed}-{number}"), target.journal, plan.long)  # noqa: S311 - repeatable
        for number in range(CLIENTS)
    ]
    threads = [threading.Thread(target=client.run, name=client.name, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        _rage(target, faults, outcome, say)
    finally:
        for client in clients:
            client.stopping.set()
    quiet = time.monotonic()
    target.ensure()
    target.set_clock(0)
    give_back(target)
    for thread in threads:
        thread.join(plan.drain_s)
    if evidence.drained(target, plan.drain_s):
        outcome.calm_s = time.monotonic() - quiet
    say("quiet")
    evidence.cleared(target, plan.clear_s)


def _look(target: Target) -> evidence.Evidence:
    """Gather what there is, stop the service, and gather the rest."""
    for _ in range(20):
        with contextlib.suppress(redis.RedisError, FileNotFoundError):
            found = evidence.gather(target)
            break
        pause(0.5)  # a process is being replaced
    else:
        found = evidence.gather(target)
    target.stop()
    pause(0.5)  # what is tied to it ends with it, and the system takes a moment over that
    journal = list(target.journal.entries())
    return replace(found, journal=journal, lives=evidence.lives(target), processes=target.left())


def _chosen(plan: Plan, target: Target) -> tuple[list[Fault], dict[str, str]]:
    """Faults that the plan names, or all, and why some cannot be had here."""
    chosen, left_out = [], {}
    for name in plan.faults or FAULTS:
        lacks = [target.missing[need] for need in FAULTS[name].needs if need in target.missing]
        if lacks:
            left_out[name] = lacks[0]
        else:
            chosen.append(FAULTS[name])
    return chosen, left_out


def _rage(target: Target, faults: Sequence[Fault], outcome: Outcome, say: Callable[[str], None]) -> None:
    """Inject faults until the time is over, each of them once before any comes again, and some two at once."""
    plan = outcome.plan
    random = Random(plan.seed)  # noqa: S311 - repeatable
    end = time.monotonic() + plan.seconds
    bag: list[Fault] = []
    with ThreadPoolExecutor(2) as hands:
        while time.monotonic() < end:
            bag = bag or random.sample(faults, len(faults))
            chosen = [bag.pop()]
            if bag and random.random() < AT_ONCE and not (bag[-1].alone and chosen[0].alone):
                chosen.append(bag.pop())
            draws = [Random(random.random()) for _ in chosen]  # noqa: S311 - repeatable, whatever a fault draws
            pause(random.uniform(0.2, 2.0))  # so that something works between two faults
            target.ensure()
            _settle(target, plan.settle_s)
            done = hands.map(lambda fault, draw: _inject(target, fault, draw), chosen, draws)
            outcome.faults.update(fault.name for fault, hit in zip(chosen, done, strict=True) if hit)
            names = " and ".join(fault.name for fault in chosen)
            say(f"{max(0.0, end - time.monotonic()):4.0f} s left, {outcome.faults.total()} faults, last {names}")


def _inject(target: Target, fault: Fault, draw: Random) -> bool:
    """Inject one fault, and return whether it hit."""
    target.journal.write("chaos", "fault", name=fault.name)
    try:
        fault.act(target, draw)
    except (redis.RedisError, FileNotFoundError, MissedError) as failure:  # what it was to hit was away
        target.journal.write("chaos", "missed", name=fault.name, failure=repr(failure))
        return False
    return True


def _settle(target: Target, within: float) -> None:
    """Wait until another job has succeeded, or the time is over."""

    def succeeded() -> int:
        with target.valkey() as valkey:
            return valkey.zcard(keys.JOBS_BY_STATUS + JobStatus.SUCCEEDED)

    deadline = time.monotonic() + within
    before = None
    while time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError, FileNotFoundError):  # it is being replaced
            before = succeeded() if before is None else before
            if succeeded() > before:
                return
        pause(0.05)
