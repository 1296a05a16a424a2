"""Tables: which columns are inputs and which are targets, and labels as classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from service.datasets.uploads.request import Choice, UploadLimits, UploadRefusedError, check_numbers, is_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LONGEST_NAME: Final = 200


@dataclass(frozen=True)
class Roles:
    """Positions of the columns by what they are."""

    inputs: list[int]
    targets: list[int]


def roles(names: Sequence[str], choice: Choice, limits: UploadLimits) -> Roles:
    """Choose columns by name: the last is the target and all others are inputs, unless the request says otherwise.

    Raises
    ------
    UploadRefusedError
        A name that the table does not have, has twice or should not have, no input left, or too many of either.
    """
    if len(names) > limits.features + limits.outputs:
        raise UploadRefusedError("too_many_features", f"must have at most {limits.features} columns of inputs")
    _check_names(names)
    for parameter, chosen in (("targets", choice.targets), ("inputs", choice.inputs)):
        if len(set(chosen)) != len(chosen):
            raise UploadRefusedError("column_twice", "names a column twice", parameter)
    targets = [_position(names, name, "targets") for name in choice.targets]
    if not targets and not choice.inputs_only:
        targets = [len(names) - 1]
    inputs = [_position(names, name, "inputs") for name in choice.inputs]
    if set(inputs) & set(targets):
        raise UploadRefusedError("column_twice", "names a column that is a target as well", "inputs")
    inputs = inputs or [position for position in range(len(names)) if position not in targets]
    if not inputs:
        detail = "no column is left for the inputs: the last is the target unless `targets` or `inputs_only` is given"
        raise UploadRefusedError("no_inputs", detail)
    if len(inputs) > limits.features:
        raise UploadRefusedError("too_many_features", f"must have at most {limits.features} columns of inputs")
    if len(targets) > limits.outputs:
        raise UploadRefusedError("too_many_outputs", f"must have at most {limits.outputs} columns of targets")
    return Roles(inputs, targets)


def check_rows(count: int, chosen: Roles, limits: UploadLimits) -> None:
    """Refuse an empty table, or one with more rows or numbers than there may be."""
    if not count:
        raise UploadRefusedError("empty", "has no rows")
    if count > limits.samples:
        raise UploadRefusedError("too_many_samples", f"must have at most {limits.samples} rows")
    check_numbers(limits, (count, len(chosen.inputs) + len(chosen.targets)))


def classes_of(labels: Sequence[str], limits: UploadLimits) -> tuple[NDArray[np.float64], list[str]]:
    """Return classes 0..m-1 and their names, in the order of the sorted labels.

    Raises
    ------
    UploadRefusedError
        More labels than there may be classes, or one that is too long or has a control character.
    """
    names = sorted(set(labels))
    if len(names) > limits.outputs:
        raise UploadRefusedError("too_many_classes", f"the targets have more than {limits.outputs} different labels")
    if not all(map(is_plain, names)):
        raise UploadRefusedError("control_character", "a label of the targets has a control character")
    if any(len(label) > LONGEST_NAME for label in names):
        raise UploadRefusedError("label_too_long", f"a label of the targets has more than {LONGEST_NAME} characters")
    places = {label: float(place) for place, label in enumerate(names)}
    return np.array([places[label] for label in labels]), names


def target_values(rows: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return targets (S, m) as samples hold them: a single column as (S,), and none as ``None``."""
    if not rows.shape[1]:
        return None
    return rows[:, 0] if rows.shape[1] == 1 else rows


def _check_names(names: Sequence[str]) -> None:
    for position, name in enumerate(names):
        if not is_plain(name):
            raise UploadRefusedError("control_character", f"the name of column {position + 1} has a control character")
    if len(set(names)) != len(names):
        raise UploadRefusedError("ambiguous_column", "has two columns of one name")


def _position(names: Sequence[str], name: str, parameter: str) -> int:
    if name not in names:
        raise UploadRefusedError("unknown_column", "names a column that the table does not have", parameter)
    return names.index(name)
