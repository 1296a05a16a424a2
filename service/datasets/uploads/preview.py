"""A look at samples: of each column its range and classes, and the first rows as people would read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from service.contract.data.dataset import SampleFacts, class_text
from service.contract.data.preview import (
    MOST_CLASSES,
    MOST_COLUMNS,
    MOST_ROWS,
    DatasetPreview,
    PreviewClass,
    PreviewColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Cell = int | float | str

_LARGEST_WHOLE = 2.0**53
"""Whole doubles beyond are shown as they are: they need not be the integers that were meant."""


def preview_of(
    facts: SampleFacts, inputs: Floats, targets: Floats | None, missing: Sequence[int] | None
) -> DatasetPreview:
    """Look at samples.

    Of many columns the first inputs are listed, and targets up to half of the places.

    Parameters
    ----------
    inputs, targets
        (S, f); (S,), (S, m) or None.
    missing
        Values that were missing in the upload, by column of inputs, then of targets, where that is known.
    """
    outputs = np.empty((len(inputs), 0)) if targets is None else targets.reshape(len(inputs), -1)
    shown_targets = min(outputs.shape[1], max(MOST_COLUMNS // 2, MOST_COLUMNS - inputs.shape[1]))
    shown_inputs = min(inputs.shape[1], MOST_COLUMNS - shown_targets)
    encoded = {name for column in facts.encoded or () for name in column.columns}
    columns, cells = [], []
    for place in range(shown_inputs):
        name = facts.columns[place] if facts.columns else None
        counted = None if missing is None else missing[place]
        column = _column(name, inputs[:, place], counted, role="input", encoded=name in encoded)
        columns.append(column)
        cells.append(list(map(_cell_of(column), inputs[:MOST_ROWS, place].tolist())))
    for place in range(shown_targets):
        name = facts.target_columns[place] if facts.target_columns else None
        counted = None if missing is None else missing[inputs.shape[1] + place]
        column = _column(name, outputs[:, place], counted, role="target")
        read = _cell_of(column)
        if facts.integers and facts.class_counts:
            column, read = _with_classes(column, facts)
        columns.append(column)
        cells.append(list(map(read, outputs[:MOST_ROWS, place].tolist())))
    return DatasetPreview(
        samples=len(inputs),
        columns=columns,
        more_columns=inputs.shape[1] + outputs.shape[1] - len(columns),
        rows=[list(row) for row in zip(*cells, strict=True)],
        dropped_rows=facts.dropped_rows,
        dropped_columns=facts.dropped_columns or [],
    )


def _column(
    name: str | None, values: Floats, missing: int | None, *, role: str, encoded: bool = False
) -> PreviewColumn:
    whole = bool((values == np.floor(values)).all())
    least, most = float(values.min()), float(values.max())
    return PreviewColumn.model_validate(
        {
            "name": name,
            "role": role,
            "type": "encoded" if encoded else "integer" if whole else "number",
            "minimum": least,
            "maximum": most,
            "mean": min(max(float((values / len(values)).sum()), least), most),  # no sum of large numbers overflows
            "missing": missing,
        }
    )


def _cell_of(column: PreviewColumn) -> Callable[[float], Cell]:
    whole = column.type != "number"
    return lambda value: int(value) if whole and abs(value) < _LARGEST_WHOLE else value


def _with_classes(column: PreviewColumn, facts: SampleFacts) -> tuple[PreviewColumn, Callable[[float], Cell]]:
    """Return a column of classes with their counts, and what shows one of them: its label, or its number."""
    counts, names = facts.class_counts or [], facts.class_names
    there = [place for place, count in enumerate(counts) if count]
    if names is None:
        texts = facts.number_labels or []
        written = texts if len(texts) == len(there) else [class_text(place, integers=facts.integers) for place in there]
    else:
        written = [names[place] for place in there]
    classes = [PreviewClass(name=text, samples=counts[place]) for text, place in zip(written, there, strict=True)]
    more = {"classes": classes[:MOST_CLASSES], "more_classes": max(0, len(classes) - MOST_CLASSES)}
    if names is None:
        return column.model_copy(update=more), _cell_of(column)
    no_range = {"type": "label", "minimum": None, "maximum": None, "mean": None}
    return column.model_copy(update=more | no_range), lambda value: names[int(value)]
