"""Negative controls: one thing that the service's promises rest on is switched off, and the audit has to notice.

Each comes with a mix of faults that reaches what was switched off, and with the rules of which one at least must break.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.chaos.storm import Outcome, Plan


@dataclass(frozen=True)
class Control:
    """One of them."""

    patch: str
    faults: tuple[str, ...]
    rules: frozenset[str]
    long: float = 0.05
    settle_s: float = 20.0
    drain_s: float = 60.0

    def plan(self, seed: int, seconds: float) -> Plan:
        """What is to be done; nobody waits long for what will not come."""
        return Plan(
            seed,
            seconds,
            self.faults,
            (self.patch,),
            self.long,
            settle_s=self.settle_s,
            drain_s=self.drain_s,
            clear_s=1.0,
        )

    def caught(self, outcome: Outcome) -> bool:
        """Whether the audit has noticed, by a rule that is about this."""
        return bool(self.rules & outcome.broken.keys())


CONTROLS: Final[Mapping[str, Control]] = {
    "reconciler": Control(
        "no-reconciler",
        ("hints-flushed", "kill-celery", "kill-pool", "serve-kill"),
        frozenset({"every_accepted_job_ends_once", "all_is_drained"}),
        settle_s=2.0,
        drain_s=20.0,
    ),
    "fence": Control("no-fence", ("stall",), frozenset({"fences_rise"}), long=1.0, settle_s=2.0),
    "fsync": Control("valkey-without-fsync", ("power",), frozenset({"every_accepted_job_ends_once"})),
    "fsync-objects": Control("objects-without-fsync", ("power",), frozenset({"objects_verify"})),
}
