"""What a seed came to, as a table for people."""

from collections.abc import Iterator
from typing import Final

from tests.chaos.storm import Outcome

SHOWN: Final = 10
WIDEST: Final = 300


def lines(outcome: Outcome, control: str | None, command: str) -> Iterator[str]:
    """Yield the lines of a table: what was done, what each rule found, and how to do it again."""
    plan = outcome.plan
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(outcome.statuses.items()))
    without = f" without its {control}" if control else ""
    yield f"seed {plan.seed}{without}: {outcome.jobs} jobs ({statuses}), {sum(outcome.faults.values())} faults"
    for name, count in sorted(outcome.faults.items()):
        yield f"  {count:4d}  {name}"
    for name, why in outcome.left_out.items():
        yield f"  none  {name}: {why}"
    if outcome.calm_s is not None:
        yield f"  {outcome.calm_s:4.0f}  seconds from the last fault until all had ended"
    if outcome.restarts:
        yield f"  {outcome.restarts:4d}  times serve ended by itself or refused to start, and was started again"
    for rule, found in outcome.violations.items():
        yield f"  {f'{len(found):4d}' if found else '  ok'}  {rule.replace('_', ' ')}"
        for text in found[:SHOWN]:
            yield f"          {text[:WIDEST]}"
        if len(found) > SHOWN:
            yield f"          and {len(found) - SHOWN} more"
    yield f"  journal and logs: {outcome.folder}"
    yield f"  again: {command}"
