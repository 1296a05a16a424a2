"""A column of targets that came as text: numbers, or labels that become classes, whatever the order of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from service.contract.values.labels import classes_by_label, is_missing, label_flaw, tidy
from service.datasets.uploads.request import UploadLimits, UploadRefusedError
from service.datasets.uploads.tables.cells import flaw, is_number, is_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_MOST_CODES: Final = 20
"""Different whole numbers beside labels that still look like codes, such as the bins 5, 5-10 and 10-15."""


@dataclass(frozen=True)
class TargetColumn:
    """Targets (S,) float64, whether they are integers or labels, and the labels' names where they are labels.

    Of numbers, `texts` holds the different ones as they are written, in the order of the numbers.
    """

    values: NDArray[np.float64]
    integers: bool
    class_names: list[str] | None = None
    texts: list[str] | None = None


def read_targets(cells: Sequence[str], place: Callable[[int], str], limits: UploadLimits) -> TargetColumn:
    """Read one column of targets. A marker of a missing value that is still there counts as a label.

    Numbers alone are numbers. Truth values alone are the labels False and True, in whatever letters. A column that
    holds any other text holds labels, and a number beside them is a label too; unless it looks like measurements with
    something else among them.

    Parameters
    ----------
    cells
        S texts.
    place
        What a row is called in a refusal.

    Raises
    ------
    UploadRefusedError
        What is no finite number among numbers, or too many, too long or unprintable labels.
    """
    labels = tidy(cells)
    numbers = [label for label in labels if is_number(label) and not is_missing(label)]
    if len(numbers) == len(labels) or _are_measurements(numbers, len(labels)):
        for row, cell in enumerate(cells):
            if is_missing(cell):
                detail = "a target is missing, and the others are numbers, beside which it cannot be a label"
                raise UploadRefusedError(
                    "missing_value", f"{place(row)}: {detail}; missing=drop leaves such rows out", "missing"
                )
            if (why := flaw(cell)) is not None:
                others = "" if len(numbers) == len(labels) else ", and most other targets are"
                raise UploadRefusedError(why[0], f"{place(row)}: the target {why[1]}{others}")
        texts = sorted(set(labels), key=lambda label: (float(label), label))
        return TargetColumn(np.array(labels, dtype=np.float64), all(map(is_whole, labels)), texts=texts)
    values, names = classes_of(labels, limits)
    return TargetColumn(values, integers=True, class_names=names)


def classes_of(labels: Sequence[str], limits: UploadLimits) -> tuple[NDArray[np.float64], list[str]]:
    """Return classes 0..m-1 and their names, in the order of the sorted labels.

    Raises
    ------
    UploadRefusedError
        More labels than there may be classes, or one that is too long or has a control character.
    """
    classes, names = classes_by_label(labels)
    if len(names) > limits.outputs:
        raise UploadRefusedError("too_many_classes", f"the targets have more than {limits.outputs} different labels")
    for name in names:
        if (why := label_flaw(name)) is not None:
            raise UploadRefusedError(why[0], f"a label of the targets {why[1]}")
    return np.array(classes, np.float64), names


def _are_measurements(numbers: Sequence[str], rows: int) -> bool:
    """Tell whether numbers with text among them are measurements: with fractions or many, as different as most rows.

    A number without a point, such as 1E1, may be a code.
    """
    different = len(set(numbers))
    return 2 * different > rows and (different > _MOST_CODES or any("." in number for number in numbers))
