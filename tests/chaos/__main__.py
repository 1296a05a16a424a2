"""``make chaos``: one seed after the other, a table for each, and a status that says whether all is well."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.chaos import report
from tests.chaos.controls import CONTROLS
from tests.chaos.faults import FAULTS
from tests.chaos.storm import Outcome, Plan, run

SEEDS: Final = (1, 2, 3, 4, 5)
JOBS: Final = 200
FAULTS_A_SEED: Final = 30
FULL_S: Final = 240.0
CONTROL_S: Final = 60.0


def main() -> int:
    """Run what was asked for; 0 if every audit is clean, and finds what each negative control switched off."""
    arguments = _arguments()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="deeplimit-chaos-"))
    good = True
    for plan, control in _plans(arguments):
        name = "-".join(filter(None, (f"seed-{plan.seed}", control)))
        place = folder / name
        place.mkdir(parents=True)
        outcome = run(plan, place, _progress(name))
        _print("")
        for line in report.lines(outcome, control, _command(plan, control)):
            _print(line)
        good &= _judge(outcome, control)
    return 0 if good else 1


def _plans(arguments: argparse.Namespace) -> Iterator[tuple[Plan, str | None]]:
    """Yield what is to be done, with the names of controls; unless something is asked for that is everything."""
    if arguments.control is None:
        for seed in arguments.seeds or SEEDS:
            yield Plan(seed, arguments.seconds or FULL_S, tuple(arguments.faults)), None
    everything = not (arguments.control or arguments.seeds or arguments.seconds or arguments.faults)
    for control in CONTROLS if everything else filter(None, [arguments.control]):
        for seed in arguments.seeds or SEEDS[:1]:
            yield CONTROLS[control].plan(seed, arguments.seconds or CONTROL_S), control


def _judge(outcome: Outcome, control: str | None) -> bool:
    if control is not None:
        if not outcome.faults:
            _print(f"  the control {control} has no fault here that could reach it")
            return True
        caught = CONTROLS[control].caught(outcome)
        _print(f"  the control {control} was {'caught' if caught else 'NOT caught'}")
        return caught
    enough = outcome.jobs >= JOBS and sum(outcome.faults.values()) >= FAULTS_A_SEED
    if outcome.plan.seconds >= FULL_S and not outcome.plan.faults and not enough:
        _print(f"  fewer than {JOBS} jobs or {FAULTS_A_SEED} faults: too little to say anything")
        return False
    return not outcome.broken


def _command(plan: Plan, control: str | None) -> str:
    given = [f"--seeds {plan.seed}", f"--seconds {plan.seconds:g}"]
    if control is not None:
        given.append(f"--control {control}")
    elif plan.faults:
        given.append(f"--faults {' '.join(plan.faults)}")
    return f'make chaos ARGS="{" ".join(given)}"'


def _progress(name: str) -> Callable[[str], None]:
    def say(text: str) -> None:
        if sys.stdout.isatty():
            sys.stdout.write(f"\r{name}: {text:70s}")
            sys.stdout.flush()
        else:
            _print(f"{name}: {text}")

    return say


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make chaos",
        description="Audit the service while everything dies: seeds 1 to 5 for 4 minutes each, then every control.",
    )
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED", help="decide what happens, and in which order")
    parser.add_argument("--seconds", type=float, help="for how long things go wrong, each time")
    parser.add_argument(
        "--faults", nargs="+", default=[], choices=list(FAULTS), metavar="FAULT", help=f"of {', '.join(FAULTS)}"
    )
    parser.add_argument("--control", choices=list(CONTROLS), help="switch this off, and see that the audit notices")
    parser.add_argument("--folder", type=Path, help="where journals and logs go; a temporary one unless said")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
