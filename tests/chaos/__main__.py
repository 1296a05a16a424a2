"""``python -m tests.chaos``: one seed after the other, a table for each, and a status that says whether all is well."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.chaos.controls import CONTROLS
from tests.chaos.faults import FAULTS
from tests.chaos.storm import Outcome, Plan, run

JOBS: Final = 200
FAULTS_A_SEED: Final = 30
FULL_S: Final = 240.0
SHOWN: Final = 10


def main() -> int:
    """Run what was asked for; 0 if every audit is clean, or finds what a negative control switched off."""
    arguments = _arguments()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="deeplimit-chaos-"))
    good = True
    for seed in arguments.seeds:
        plan = Plan(seed, arguments.seconds, tuple(arguments.faults))
        if arguments.control is not None:
            plan = CONTROLS[arguments.control].plan(seed, arguments.seconds)
        place = folder / f"seed-{seed}{'-' + arguments.control if arguments.control else ''}"
        place.mkdir(parents=True)
        outcome = run(plan, place, _progress(seed))
        sys.stdout.write("\n")
        print_outcome(outcome)
        if arguments.control is not None:
            good &= CONTROLS[arguments.control].caught(outcome)
        else:
            good &= not outcome.broken
            if arguments.seconds >= FULL_S and not arguments.faults:
                enough = outcome.jobs >= JOBS and sum(outcome.faults.values()) >= FAULTS_A_SEED
                good &= enough
                if not enough:
                    sys.stdout.write(f"  fewer than {JOBS} jobs or {FAULTS_A_SEED} faults\n")
    return 0 if good else 1


def print_outcome(outcome: Outcome) -> None:
    plan = outcome.plan
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(outcome.statuses.items()))
    lines = [
        f"seed {plan.seed}: {outcome.jobs} jobs ({statuses} left), {sum(outcome.faults.values())} faults, "
        f"{outcome.restarts} restarts of serve that nobody asked for",
        *(f"  {count:3d} {name}" for name, count in sorted(outcome.faults.items())),
        *(f"      {name} left out: {why}" for name, why in outcome.left_out.items()),
    ]
    for rule, found in outcome.violations.items():
        lines.append(f"  {'ok  ' if not found else 'FAIL'} {rule.replace('_', ' ')}{f': {len(found)}' if found else ''}")
        lines += [f"         {text}" for text in found[:SHOWN]]
    lines.append(f"  journal and log: {outcome.folder}")
    sys.stdout.write("\n".join(lines) + "\n")


def _progress(seed: int):
    def say(text: str) -> None:
        sys.stdout.write(f"\rseed {seed}: {text:70s}" if sys.stdout.isatty() else f"seed {seed}: {text}\n")
        sys.stdout.flush()

    return say


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--seconds", type=float, default=FULL_S)
    parser.add_argument("--faults", nargs="+", default=[], choices=list(FAULTS))
    parser.add_argument("--control", choices=list(CONTROLS))
    parser.add_argument("--folder", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
