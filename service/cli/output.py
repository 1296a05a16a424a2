"""Consoles, numbers as text, and errors as messages with an exit status."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import rich.console
import typer

from deeplimit.client import ClientError, ServiceError
from deeplimit.client.shown import escaped
from service.cli.digits import Digits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FAILED: Final = 1
"""Exit status when the job failed or was cancelled, or has no results."""
REFUSED: Final = 2
"""Exit status when the request was refused or cannot be made, as for wrong arguments."""
UNREACHABLE: Final = 3
"""Exit status when the service does not answer."""

DECIMALS: Final = 9
MIN_DECIMALS: Final = 7
NARROWEST: Final = 80
UNLIMITED: Final = 10_000
NOTHING: Final = "-"
_OPTIONS: Final = {"targets": "--target", "inputs": "--input"}
"""Options of the command line that are called otherwise than the parameter of the query."""


class Console(rich.console.Console):
    """A console that prints no control character: names and messages are other people's."""

    digits = Digits.SHORT

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, texts with their control characters as escapes."""
        super().print(*(escaped(one) if isinstance(one, str) else one for one in objects), **options)


def on_one_line(name: str) -> str:
    """A name with its line breaks as escapes, so that no line of it is taken for one of ours."""
    return escaped(name).replace("\n", "\\u000a")


def in_full(console: rich.console.Console) -> bool:
    """Tell whether tables on this console have every digit."""
    return getattr(console, "digits", Digits.SHORT) is Digits.FULL


def standard_output(digits: Digits = Digits.SHORT, *, stderr: bool = False) -> Console:
    """Standard output: never narrower than a table needs, and not limited at all where it is not a terminal.

    With ``stderr``, a console of this kind for tables among the messages.
    """
    console = Console(highlight=False, stderr=stderr)
    width = max(console.width, NARROWEST) if console.is_terminal else UNLIMITED
    console = Console(highlight=False, width=width, stderr=stderr)
    console.digits = digits
    return console


def messages() -> Console:
    """Standard error, for progress and messages, so that output can be piped."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say_left_out(what: str, numbers: Sequence[int]) -> None:
    """Say how many records the service left out of a list, if it did."""
    if count := sum(numbers):
        things = f"1 {what} is" if count == 1 else f"{count} {what}s are"
        messages().print(f"{things} left out: damaged, or of a later version of the service", markup=False)


def fixed(value: Any, *, full: bool) -> str:
    """A number in fixed notation: nine decimals, or in full (every digit that counts, at least seven decimals)."""
    if not is_number(value):
        return _other(value)
    if not full:
        return f"{value:.{DECIMALS}f}"
    text = format(Decimal(repr(float(value))), "f")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(MIN_DECIMALS, '0')}"


def short(value: Any, form: str, *, full: bool) -> str:
    """A number by a format specification such as ``.3f``, or in full."""
    if not is_number(value):
        return _other(value)
    return repr(value) if full else format(value, form)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a field holds a finite number: one that is not comes as a string, one that is not given as null."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _other(value: Any) -> str:
    """What stands for a number that was not given (null), or is not finite (a string by the contract)."""
    return NOTHING if value is None else str(value)


def _together(refused: ServiceError) -> str:
    """Options that help an upload that was refused, one for each parameter, or nothing."""
    chosen: dict[str, str] = {}
    for problem in refused.errors:
        for remedy in problem.remedies[:1]:
            parameter, _, value = remedy.partition("=")
            option = _OPTIONS.get(parameter, f"--{parameter}")
            chosen.setdefault(parameter, f"{option} {quote(value)}")
    return " ".join(chosen.values())


@contextmanager
def reported() -> Iterator[None]:
    """Turn the client's errors, and files that cannot be written or read, into a message and an exit status."""
    try:
        yield
    except ServiceError as refused:
        console = messages()
        console.print(f"refused ({refused.status} {refused.code}): {refused.detail}", style="red", markup=False)
        for problem in refused.errors:
            console.print(f"  {problem.place}: {problem.detail}", markup=False)
        if helps := _together(refused):
            console.print(f"try: {helps}", markup=False)
        raise typer.Exit(REFUSED) from None
    except ClientError as error:
        messages().print(f"{error}\nIs the service running? Start it with: deeplimit serve", style="red", markup=False)
        raise typer.Exit(UNREACHABLE) from None
    except BrokenPipeError:
        raise  # whoever read the output has enough; typer ends quietly
    except OSError as error:
        place = "" if error.filename is None else f"{error.filename}: "
        messages().print(f"{place}{error.strerror or error}", style="red", markup=False)
        raise typer.Exit(REFUSED) from None
