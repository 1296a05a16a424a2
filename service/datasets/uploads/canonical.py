"""The one form in which data sets are kept: safetensors of float64, with the facts about it as metadata."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np
import safetensors.numpy

from service.contract.data.dataset import EncodedColumn, SampleFacts, WeightFacts, class_text
from service.datasets.uploads.request import UploadLimits, UploadRefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

METADATA: Final = "deeplimit"
"""Where this service's own files say what they hold: a key of safetensors' metadata, or an array of an NPZ."""


@dataclass(frozen=True)
class Samples:
    """Samples as they were read.

    Parameters
    ----------
    inputs
        (S, f) float64.
    targets
        (S,) or (S, m) float64, or ``None``.
    integers
        Whether the targets were written as integers or labels.
    class_names, columns
        Labels of the classes, and names of the input columns, where there are any.
    texts
        The different texts of targets that are numbers, in the order of the numbers, where they came as text.
    dropped_rows
        Rows of the upload that were left out.
    target_columns
        Names of the target columns, where there are any.
    encoded
        Columns of text that became several of the input columns.
    dropped_columns
        Names of columns that were left out.
    missing
        Values that were missing in the upload, of each column of inputs, then of each of targets.
    """

    inputs: NDArray[np.float64]
    targets: NDArray[np.float64] | None
    integers: bool = False
    class_names: list[str] | None = None
    columns: list[str] | None = None
    texts: list[str] | None = None
    dropped_rows: int = 0
    target_columns: list[str] | None = None
    encoded: list[EncodedColumn] | None = None
    dropped_columns: list[str] | None = None
    missing: list[int] | None = None


@dataclass(frozen=True)
class Weights:
    """K (n, d, d) and b (n, d), float64."""

    K: NDArray[np.float64]
    b: NDArray[np.float64]


def write(content: Samples | Weights, path: Path, limits: UploadLimits) -> SampleFacts | WeightFacts:
    """Check the numbers, write the canonical file, and return the facts.

    Raises
    ------
    UploadRefusedError
        ``not_finite`` or ``too_large`` with the place of the first bad number.
    """
    arrays = {name: array for name, array in vars(content).items() if isinstance(array, np.ndarray)}
    for name, array in arrays.items():
        _check_finite(name, array, limits.magnitude)
    facts: SampleFacts | WeightFacts
    if isinstance(content, Weights):
        facts = WeightFacts(depth=len(content.b), state_dim=content.b.shape[1])
    else:
        facts = _facts(content, limits)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    safetensors.numpy.save_file(contiguous, path, {METADATA: facts.model_dump_json()})
    return facts


def _check_finite(name: str, array: NDArray[np.float64], magnitude: float) -> None:
    flat = array.reshape(-1)
    for start in range(0, flat.size, 2**20):  # in parts, so that a mask of all of it is never made
        part = flat[start : start + 2**20]
        bad = np.flatnonzero(~(np.abs(part) <= magnitude))
        if not bad.size:
            continue
        place = ", ".join(str(index) for index in np.unravel_index(start + bad[0], array.shape))
        if np.isfinite(part[bad[0]]):
            detail = f"the number at [{place}] of the {name} is over {magnitude:g} in absolute value"
            raise UploadRefusedError("too_large", detail)
        raise UploadRefusedError("not_finite", f"the number at [{place}] of the {name} is not finite")


def _facts(samples: Samples, limits: UploadLimits) -> SampleFacts:
    targets = samples.targets
    counts: list[int] | None = None
    signs: tuple[int, int] | None = None
    if targets is not None and targets.ndim == 1:
        if (targets == np.floor(targets)).all() and targets.min() >= 0 and targets.max() < limits.outputs:
            counts = np.bincount(targets.astype(np.int64)).tolist()
        if np.isin(targets, (-1.0, 1.0)).all():
            signs = (int((targets < 0).sum()), int((targets > 0).sum()))
    return SampleFacts(
        samples=len(samples.inputs),
        features=samples.inputs.shape[1],
        outputs=None if targets is None else prod(targets.shape[1:]),
        rows=targets is not None and targets.ndim > 1,
        integers=samples.integers and targets is not None and targets.ndim == 1,
        class_counts=counts,
        class_names=samples.class_names,
        number_labels=_number_labels(samples) if counts and not samples.class_names else None,
        sign_counts=signs,
        columns=samples.columns,
        target_columns=samples.target_columns,
        encoded=samples.encoded,
        dropped_columns=samples.dropped_columns,
        dropped_rows=samples.dropped_rows,
    )


def _number_labels(samples: Samples) -> list[str] | None:
    """Return the texts of classes by number, unless they are how such numbers are written without a text."""
    usual = all(text == class_text(int(float(text)), integers=samples.integers) for text in samples.texts or ())
    return None if usual else samples.texts
