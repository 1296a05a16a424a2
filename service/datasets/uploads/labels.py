"""A column of targets that came as text: numbers, or labels that become classes, whatever the order of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from service.datasets.uploads.cells import flaw, is_missing, is_number, is_whole
from service.datasets.uploads.request import UploadLimits, UploadRefusedError, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

LONGEST_LABEL: Final = 200
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

    Numbers alone are numbers. A column that holds any text holds labels, and a number beside them is a label too;
    unless it looks like measurements with something else among them.

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
    labels = [cell.strip() for cell in cells]
    numbers = [label for label in labels if is_number(label) and not is_missing(label)]
    if len(numbers) == len(labels) or _are_measurements(numbers):
        for row, cell in enumerate(cells):
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
    names = sorted(set(labels))
    if len(names) > limits.outputs:
        raise UploadRefusedError("too_many_classes", f"the targets have more than {limits.outputs} different labels")
    if not all(map(is_plain, names)):
        raise UploadRefusedError("control_character", "a label of the targets has a control character")
    if any(len(label) > LONGEST_LABEL for label in names):
        raise UploadRefusedError("label_too_long", f"a label of the targets has more than {LONGEST_LABEL} characters")
    places = {label: float(place) for place, label in enumerate(names)}
    return np.array([places[label] for label in labels]), names


def _are_measurements(numbers: Sequence[str]) -> bool:
    """Tell whether numbers with text among them are measurements: with fractions or many, and most of them once."""
    different = len(set(numbers))
    many = different > _MOST_CODES or not all(map(is_whole, numbers))
    return many and 2 * different > len(numbers)
