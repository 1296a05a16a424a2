"""Which columns of a table are inputs and which are targets."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from service.contract.values.labels import is_plain
from service.datasets.uploads.request import (
    LONGEST_NAME,
    Choice,
    Refusal,
    UploadLimits,
    UploadRefusedError,
    check_numbers,
    listed,
    quoted,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_NAMES: Final = 2**20
"""Characters of the names of all columns of inputs together: every job that is given the data set repeats them."""
_UNNAMED: Final = re.compile(r"(Unnamed: \d[\w.]*)?")
"""Names of columns that have none: pandas calls a column without a name so when it reads a CSV."""


@dataclass(frozen=True)
class Roles:
    """Positions of the columns by what they are, and why some that have no name cannot be taken.

    Parameters
    ----------
    guessed
        Whether the target is the last column of a table with names because the request names none.
    named
        Whether the request names the inputs.
    """

    inputs: list[int]
    targets: list[int]
    unnamed: dict[int, Refusal] = field(default_factory=dict)
    guessed: bool = False
    named: bool = False


def roles(names: Sequence[str], choice: Choice, limits: UploadLimits, *, headed: bool = True) -> Roles:
    """Choose columns by name: the last is the target and all others are inputs, unless the request says otherwise.

    Parameters
    ----------
    names
        Names of the columns, without spaces around them.
    headed
        Whether the table has names; without, they are positions.

    Raises
    ------
    UploadRefusedError
        Names that the table does not have, has twice or should not have, no input left, or too many of either.
    """
    asked = {"targets": [name.strip() for name in choice.targets], "inputs": [name.strip() for name in choice.inputs]}
    _check_asked(asked, names, headed=headed)
    places = {name: position for position, name in enumerate(names)}
    targets = [places[name] for name in asked["targets"]]
    guessed = not targets and not choice.inputs_only
    if guessed:
        targets = [len(names) - 1]
    inputs = [places[name] for name in asked["inputs"]]
    if twice := set(inputs) & set(targets):
        detail = f"names the column {quoted(names[min(twice)])}, which is a target as well"
        raise UploadRefusedError("column_twice", detail, "inputs")
    inputs = inputs or [position for position in range(len(names)) if position not in targets]
    if not inputs:
        detail = "no column is left for the inputs: the last is the target unless `targets` or `inputs_only` is given"
        raise UploadRefusedError("no_inputs", detail)
    if len(inputs) > limits.features:
        raise UploadRefusedError("too_many_features", f"must have at most {limits.features} columns of inputs")
    if len(targets) > limits.outputs:
        raise UploadRefusedError("too_many_outputs", f"must have at most {limits.outputs} columns of targets")
    _check_names(names, [*inputs, *targets])
    unnamed = _unnamed(names, [*inputs, *targets], {*asked["inputs"], *asked["targets"]})
    return Roles(inputs, targets, unnamed, guessed=guessed and headed, named=bool(asked["inputs"]))


def check_rows(count: int, chosen: Roles, limits: UploadLimits) -> None:
    """Refuse an empty table, or one with more rows or numbers than there may be."""
    if not count:
        raise UploadRefusedError("empty", "has no rows")
    if count > limits.samples:
        raise UploadRefusedError("too_many_samples", f"must have at most {limits.samples} rows")
    check_numbers(limits, (count, len(chosen.inputs) + len(chosen.targets)))


def _check_asked(asked: dict[str, list[str]], names: Sequence[str], *, headed: bool) -> None:
    """Refuse what is asked for twice or is not there, in both parameters at once."""
    refused = []
    for parameter, chosen in asked.items():
        if twice := sorted({name for name in chosen if chosen.count(name) > 1}):
            detail = f"names a column twice: {listed(twice)}"
            refused.append(Refusal(code="column_twice", detail=detail, parameter=parameter))
        if unknown := [name for name in chosen if name not in names]:
            there = f"it has {listed(names)}" if headed else f"without a header they go by 0 to {len(names) - 1}"
            what = "a column" if len(unknown) == 1 else "columns"
            detail = f"names {what} that the table does not have: {listed(unknown)}; {there}"
            refused.append(Refusal(code="unknown_column", detail=detail, parameter=parameter))
    if refused:
        raise UploadRefusedError.several(refused)


def _unnamed(names: Sequence[str], chosen: Sequence[int], asked: set[str]) -> dict[int, Refusal]:
    """Refuse every column without a name that was not asked for by the name that pandas gave it."""
    likely = {
        len(names) - 1: "; a comma at the end of each line of a CSV makes one",
        0: "; if it is a data frame's index or the names of its rows, write the file without it (index=False)",
    }
    return {
        place: Refusal(
            code="unnamed_column",
            detail=f"column {place + 1} has no name of its own{likely.get(place, '')}, or say which are `inputs`",
            column=names[place],
        )
        for place in sorted(chosen)
        if is_unnamed(names[place]) and names[place] not in asked
    }


def is_unnamed(name: str) -> bool:
    """Tell whether a column has no name, or one that pandas made up."""
    return _UNNAMED.fullmatch(name) is not None


def _check_names(names: Sequence[str], chosen: Sequence[int]) -> None:
    for position in chosen:
        name = names[position]
        if not is_plain(name):
            raise UploadRefusedError("control_character", f"the name of column {position + 1} has a control character")
        if len(name) > LONGEST_NAME:
            detail = f"the name of column {position + 1} has more than {LONGEST_NAME} characters"
            raise UploadRefusedError("name_too_long", detail)
    if sum(len(names[position]) for position in chosen) > LONGEST_NAMES:
        raise UploadRefusedError("name_too_long", f"the names of its columns have more than {LONGEST_NAMES} characters")
    counts = Counter(names)
    twice = sorted({names[position] for position in chosen if counts[names[position]] > 1})
    if twice:
        raise UploadRefusedError("ambiguous_column", f"has two columns of one name: {listed(twice)}")
