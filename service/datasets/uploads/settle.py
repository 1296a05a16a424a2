"""From what a reader read to samples: missing values are refused or their rows dropped, then targets get their kind."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from service.contract.data.reading import Missing
from service.datasets.uploads.canonical import Samples
from service.datasets.uploads.cells import is_missing
from service.datasets.uploads.labels import read_targets
from service.datasets.uploads.request import Refusal, UploadLimits, UploadRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

_MOST_REFUSALS: Final = 20
_FACTS: Final = ("integers", "class_names", "texts")
"""What is known of a column of targets beside its values."""


@dataclass(frozen=True)
class Unsettled:
    """Rows as they were read.

    Parameters
    ----------
    inputs
        (S, f) float64, NaN where a value is missing.
    targets
        S texts of one column, or (S, m) float64 with NaN where a value is missing, or ``None``.
    row
        What a row is called, by its position from 0.
    input_names, target_names
        What the columns are called.
    integers
        Whether targets that are numbers were written as integers.
    columns
        Names of the input columns of a table.
    flaws
        What is wrong with a column, by what the column is called; its numbers do not count.
    """

    inputs: NDArray[np.float64]
    targets: Sequence[str] | NDArray[np.float64] | None
    row: Callable[[int], str]
    input_names: Sequence[str]
    target_names: Sequence[str]
    integers: bool = False
    columns: list[str] | None = None
    flaws: Mapping[str, Refusal] = field(default_factory=dict)


def settle(read: Unsettled, missing: Missing, limits: UploadLimits) -> Samples:
    """Refuse or drop rows with missing values, and let targets be numbers or classes.

    Raises
    ------
    UploadRefusedError
        ``missing_value``, once for each column that has any, or targets that do not hold up.
    """
    if missing is Missing.LABEL:
        read = _missing_as_labels(read)
    gaps, target_gaps = np.isnan(read.inputs), _target_gaps(read, missing)
    dropped = 0
    if read.flaws or (missing is not Missing.DROP and (gaps.any() or target_gaps.any())):
        refused = list(read.flaws.values())
        if missing is not Missing.DROP:
            refused += _refusals(read, gaps, read.input_names, targets=False)
            refused += _refusals(read, target_gaps, read.target_names, targets=missing is Missing.REFUSE)
        raise UploadRefusedError.several(refused[:_MOST_REFUSALS])
    if missing is Missing.DROP:
        gone: NDArray[np.bool_] = np.logical_or.reduce(np.hstack([gaps, target_gaps]), axis=1)
        dropped = int(gone.sum())
        if dropped == len(gone):
            raise UploadRefusedError("empty", "has no rows left: each has a missing value")
        read = _without(read, gone) if dropped else read
    _check_range(read, read.inputs, read.input_names, limits)
    samples = Samples(read.inputs, None, columns=read.columns, dropped_rows=dropped)
    if read.targets is None:
        return samples
    if not isinstance(read.targets, np.ndarray):
        column = read_targets(read.targets, lambda row: f"{read.row(row)}, {read.target_names[0]}", limits)
        _check_range(read, column.values[:, np.newaxis], read.target_names, limits)
        return replace(samples, targets=column.values, **{name: getattr(column, name) for name in _FACTS})
    _check_range(read, read.targets, read.target_names, limits)
    values = read.targets[:, 0] if read.targets.shape[1] == 1 else read.targets
    return replace(samples, targets=values, integers=read.integers)


def _missing_as_labels(read: Unsettled) -> Unsettled:
    """Return a single column of numbers, some of them missing, as the texts that a CSV would hold."""
    targets = read.targets
    if not isinstance(targets, np.ndarray) or targets.shape[1] != 1 or not np.isnan(targets).any():
        return read
    written = [str(int(number)) if read.integers else repr(number) for number in np.nan_to_num(targets[:, 0]).tolist()]
    absent = np.isnan(targets[:, 0]).tolist()
    return replace(read, targets=["" if gone else text for gone, text in zip(absent, written, strict=True)])


def _target_gaps(read: Unsettled, missing: Missing) -> NDArray[np.bool_]:
    """Return (S, m): where a target is missing."""
    if read.targets is None:
        return np.zeros((len(read.inputs), 0), np.bool_)
    if isinstance(read.targets, np.ndarray):
        return np.isnan(read.targets)
    if missing is Missing.LABEL:
        return np.zeros((len(read.inputs), 1), np.bool_)
    return np.array([[is_missing(cell)] for cell in read.targets])


def _without(read: Unsettled, gone: NDArray[np.bool_]) -> Unsettled:
    targets, kept = read.targets, np.flatnonzero(~gone)
    if isinstance(targets, np.ndarray):
        targets = targets[kept]
    elif targets is not None:
        targets = [cell for cell, left_out in zip(targets, gone.tolist(), strict=True) if not left_out]
    return replace(read, inputs=read.inputs[kept], targets=targets, row=lambda row: read.row(int(kept[row])))


def _refusals(read: Unsettled, gaps: NDArray[np.bool_], names: Sequence[str], *, targets: bool) -> list[Refusal]:
    refused = []
    for place in np.flatnonzero(gaps.any(axis=0)).tolist():
        if names[place] in read.flaws:
            continue
        rows = np.flatnonzero(gaps[:, place])
        count = "a missing value" if len(rows) == 1 else f"{len(rows)} missing values, the first"
        allowed = "missing=drop leaves such rows out"
        if targets and gaps.shape[1] == 1:
            allowed += ", missing=label takes them as a class"
        detail = f"{names[place]} has {count} in {read.row(int(rows[0]))}; {allowed}"
        refused.append(Refusal(code="missing_value", detail=detail))
    return refused


def _check_range(read: Unsettled, numbers: NDArray[np.float64], names: Sequence[str], limits: UploadLimits) -> None:
    """Refuse every column with a number that is not finite or too large, with the first such row."""
    refused = []
    for place, name in enumerate(names):  # a column at a time, so that a mask of all of it is never made
        bad = np.flatnonzero(~(np.abs(numbers[:, place]) <= limits.magnitude))
        if not bad.size:
            continue
        row = int(bad[0])
        finite = bool(np.isfinite(numbers[row, place]))
        what = f"is over {limits.magnitude:g} in absolute value" if finite else "is not a finite number"
        detail = f"{read.row(row)}, {name} {what}"
        refused.append(Refusal(code="too_large" if finite else "not_finite", detail=detail))
    if refused:
        raise UploadRefusedError.several(refused[:_MOST_REFUSALS])
