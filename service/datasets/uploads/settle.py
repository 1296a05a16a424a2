"""From what a reader read to samples: text is encoded or left out, rows with missing values are refused or dropped.

What cannot be taken is refused at once, column by column, each with the parameter that helps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from service.contract.data.reading import Categorical, Missing
from service.contract.values.labels import is_missing
from service.datasets.uploads.canonical import Samples
from service.datasets.uploads.labels import read_targets
from service.datasets.uploads.request import Refusal, UploadLimits, UploadRefusedError, check_numbers
from service.datasets.uploads.tables.categories import encode, flaws_in
from service.datasets.uploads.tables.guesses import doubtful_target, numbers_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from service.contract.data.dataset import EncodedColumn
    from service.datasets.uploads.request import Choice
    from service.datasets.uploads.tables.categories import Category

_MOST_REFUSALS: Final = 50
_FACTS: Final = ("integers", "class_names", "texts")
"""What is known of a column of targets beside its values."""
_DROP: Final = f"missing={Missing.DROP}"


@dataclass(frozen=True)
class Named:
    """A column: what a refusal calls it, its name in the query if it has one, and its position in the table."""

    called: str
    name: str | None = None
    place: int = 0


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
    numbers, target_columns
        The columns of ``inputs`` and of ``targets``.
    texts
        Columns among the inputs that hold no numbers.
    integers
        Whether targets that are numbers were written as integers.
    names
        Names of all columns of a table that has any.
    flaws
        What is wrong with a column, by its position; its numbers do not count.
    guessed, chosen
        Whether the last column is the target for want of a name, and whether the inputs were named.
    """

    inputs: NDArray[np.float64]
    targets: Sequence[str] | NDArray[np.float64] | None
    row: Callable[[int], str]
    numbers: Sequence[Named]
    target_columns: Sequence[Named]
    texts: Sequence[Category] = ()
    integers: bool = False
    names: Sequence[str] | None = None
    flaws: Mapping[int, Refusal] = field(default_factory=dict)
    guessed: bool = False
    chosen: bool = False


def settle(read: Unsettled, choice: Choice, limits: UploadLimits) -> Samples:
    """Refuse, encode or leave out what is no number, refuse or drop rows with missing values, and read the targets.

    Raises
    ------
    UploadRefusedError
        With every column at fault, or with targets that do not hold up.
    """
    missing = choice.missing
    read, left_out = _without_row_numbers(read)
    doubt = _doubt(read)
    flaws = {**flaws_in(read.texts, choice.categorical, limits), **read.flaws}
    if choice.categorical is Categorical.DROP:
        flaws = {place: flaw for place, flaw in flaws.items() if place not in {text.place for text in read.texts}}
        left_out = sorted([*left_out, *((text.place, text.name or f"column {text.place + 1}") for text in read.texts)])
    if choice.categorical is not Categorical.ENCODE:
        read = replace(read, texts=())
    if missing is Missing.LABEL:
        read = _missing_as_labels(read)
    gaps, text_gaps, target_gaps = np.isnan(read.inputs), _text_gaps(read), _target_gaps(read, missing)
    if missing is not Missing.DROP:
        of_inputs = [*read.numbers, *(Named(f"column {text.place + 1}", text.name, text.place) for text in read.texts)]
        labels = missing is Missing.REFUSE
        missed = _gaps(read, np.hstack([gaps, text_gaps]), of_inputs)
        flaws = {**missed, **_gaps(read, target_gaps, read.target_columns, labels=labels), **flaws}
    refused = ([] if doubt is None else [doubt]) + [flaws[place] for place in sorted(flaws)]
    if refused:
        raise UploadRefusedError.several(refused[:_MOST_REFUSALS])
    if not read.numbers and not read.texts:
        detail = "no column is left for the inputs: all others hold text; categorical=encode takes them"
        raise UploadRefusedError.several([Refusal(code="no_inputs", detail=detail, remedies=("categorical=encode",))])
    every_gap = np.hstack([gaps, text_gaps, target_gaps])
    gone: NDArray[np.bool_] = np.logical_or.reduce(every_gap, axis=1)
    dropped = int(gone.sum())
    if dropped == len(gone):
        raise UploadRefusedError("empty", _all_gone(read, gaps))
    read = _without(read, gone) if dropped else read
    _check_range(read, read.inputs, read.numbers, limits)
    samples = _inputs(read, every_gap.sum(axis=0).tolist(), limits)
    samples = replace(samples, dropped_rows=dropped, dropped_columns=[name for _, name in left_out] or None)
    return _with_targets(samples, read, limits)


def _without_row_numbers(read: Unsettled) -> tuple[Unsettled, list[tuple[int, str]]]:
    """Leave a first column out that numbers the rows, unless the request names it; return it by place and name."""
    first = next(iter(read.numbers), None)
    others = len(read.numbers) + len(read.texts) > 1
    if first is None or first.place or first.name is None or read.names is None or read.chosen or not others:
        return read, []
    if not numbers_rows(first.name, read.inputs[:, 0]):
        return read, []
    flaws = {place: flaw for place, flaw in read.flaws.items() if place}
    kept = replace(read, inputs=read.inputs[:, 1:], numbers=read.numbers[1:], flaws=flaws)
    return kept, [(0, first.name or "column 1")]


def _doubt(read: Unsettled) -> Refusal | None:
    if not read.guessed or read.names is None or read.targets is None or read.target_columns[0].place in read.flaws:
        return None
    return doubtful_target(read.names, read.names[-1], read.texts, read.targets)


def _inputs(read: Unsettled, missing: list[int], limits: UploadLimits) -> Samples:
    """Return the inputs in the order of the table, each encoded column in its place; raises where they are too many."""
    encoded = {text.place: encode(text) for text in read.texts}
    numbers = {column.place: place for place, column in enumerate(read.numbers)}
    width = len(numbers) + sum(matrix.shape[1] for _, matrix in encoded.values())
    if width > limits.features:
        detail = f"must have at most {limits.features} columns of inputs, and has {width} with those encoded"
        raise UploadRefusedError("too_many_features", detail)
    check_numbers(limits, (len(read.inputs), width + len(read.target_columns)))
    targets = missing[len(numbers) + len(encoded) :]
    names = None if read.names is None else [column.name or "" for column in read.numbers]
    if not encoded:
        return Samples(read.inputs, None, columns=names, missing=[*missing[: len(numbers)], *targets])
    of_texts = {text.place: missing[len(numbers) + place] for place, text in enumerate(read.texts)}
    parts, columns, counts = [], [], []
    order: list[EncodedColumn] = []
    for place in sorted([*numbers, *encoded]):
        if place in encoded:
            column, matrix = encoded[place]
            order.append(column)
            parts.append(matrix)
            columns += column.columns
            counts += [of_texts[place]] * len(column.levels)
        else:
            parts.append(read.inputs[:, [numbers[place]]])
            columns.append(read.numbers[numbers[place]].name or str(place))
            counts.append(missing[numbers[place]])
    _check_different(columns)
    return Samples(np.hstack(parts), None, columns=columns, encoded=order, missing=[*counts, *targets])


def _check_different(columns: Sequence[str]) -> None:
    if twice := sorted(
        {name for name in columns if columns.count(name) > 1} if len(set(columns)) < len(columns) else ()
    ):
        detail = f"has two columns of one name once they are encoded: {twice[0]!r}; rename one"
        raise UploadRefusedError("ambiguous_column", detail)


def _with_targets(samples: Samples, read: Unsettled, limits: UploadLimits) -> Samples:
    if read.targets is None:
        return samples
    if read.names is not None:
        samples = replace(samples, target_columns=[column.name or "" for column in read.target_columns])
    if not isinstance(read.targets, np.ndarray):
        column = read_targets(read.targets, lambda row: f"{read.row(row)}, {read.target_columns[0].called}", limits)
        _check_range(read, column.values[:, np.newaxis], read.target_columns, limits)
        facts: dict[str, Any] = {name: getattr(column, name) for name in _FACTS}
        return replace(samples, targets=column.values, **facts)
    _check_range(read, read.targets, read.target_columns, limits)
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


def _text_gaps(read: Unsettled) -> NDArray[np.bool_]:
    """Return (S, texts): where a text is missing."""
    return np.array([text.missing for text in read.texts], np.bool_).reshape(len(read.texts), len(read.inputs)).T


def _target_gaps(read: Unsettled, missing: Missing) -> NDArray[np.bool_]:
    """Return (S, m): where a target is missing."""
    if read.targets is None:
        return np.zeros((len(read.inputs), 0), np.bool_)
    if isinstance(read.targets, np.ndarray):
        return np.isnan(read.targets)
    if missing is Missing.LABEL:
        return np.zeros((len(read.inputs), 1), np.bool_)
    return np.array([[is_missing(cell)] for cell in read.targets])


def _all_gone(read: Unsettled, gaps: NDArray[np.bool_]) -> str:
    """Say that no row is left, and which columns have no value at all."""
    empty = [read.numbers[place].called for place in np.flatnonzero(gaps.all(axis=0)).tolist()]
    which = f", and {', '.join(empty[:5])} has none at all; say which columns are `inputs`" if empty else ""
    return f"has no rows left: each has a missing value{which}"


def _without(read: Unsettled, gone: NDArray[np.bool_]) -> Unsettled:
    targets, kept = read.targets, np.flatnonzero(~gone)
    if isinstance(targets, np.ndarray):
        targets = targets[kept]
    elif targets is not None:
        targets = [cell for cell, left_out in zip(targets, gone.tolist(), strict=True) if not left_out]
    texts = [text.without(gone) for text in read.texts]
    row = read.row
    return replace(
        read, inputs=read.inputs[kept], targets=targets, texts=texts, row=lambda place: row(int(kept[place]))
    )


def _gaps(
    read: Unsettled, gaps: NDArray[np.bool_], columns: Sequence[Named], *, labels: bool = False
) -> dict[int, Refusal]:
    """Refuse every column with a missing value, by its place; ``labels`` where a class may be made of them."""
    refused = {}
    for place in np.flatnonzero(gaps.any(axis=0)).tolist():
        column, rows = columns[place], np.flatnonzero(gaps[:, place])
        count = "a missing value" if len(rows) == 1 else f"{len(rows)} missing values, the first"
        allowed, remedies = f"{_DROP} leaves such rows out", [_DROP]
        if labels and gaps.shape[1] == 1:
            allowed += ", missing=label takes them as a class"
            remedies.append(f"missing={Missing.LABEL}")
        detail = f"{column.called} has {count} in {read.row(int(rows[0]))}; {allowed}"
        refused[column.place] = Refusal(
            code="missing_value", detail=detail, column=column.name, remedies=tuple(remedies)
        )
    return refused


def _check_range(read: Unsettled, numbers: NDArray[np.float64], columns: Sequence[Named], limits: UploadLimits) -> None:
    """Refuse every column with a number that is not finite or too large, with the first such row."""
    refused = []
    for place, column in enumerate(columns):  # a column at a time, so that a mask of all of it is never made
        bad = np.flatnonzero(~(np.abs(numbers[:, place]) <= limits.magnitude))
        if not bad.size:
            continue
        row = int(bad[0])
        finite = bool(np.isfinite(numbers[row, place]))
        what = f"is over {limits.magnitude:g} in absolute value" if finite else "is not a finite number"
        detail = f"{read.row(row)}, {column.called} {what}"
        code = "too_large" if finite else "not_finite"
        refused.append(Refusal(code=code, detail=detail, column=column.name))
    if refused:
        raise UploadRefusedError.several(refused[:_MOST_REFUSALS])
