"""Files of named arrays: which of them are inputs, targets or weights, decided and checked by their headers alone."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from service.datasets.uploads.canonical import Samples, Weights
from service.datasets.uploads.request import (
    Choice,
    Refusal,
    UploadLimits,
    UploadRefusedError,
    check_numbers,
    listed,
    quoted,
)
from service.datasets.uploads.settle import Named, Unsettled, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

INPUTS: Final = ("inputs", "X", "x")
TARGETS: Final = ("targets", "y", "Y")
"""Names that arrays go by unless the request says others, in order of preference."""

_CONTENTS: Final = {"U": "text", "S": "bytes", "c": "complex numbers", "V": "records or an unknown type", "M": "dates"}
"""What an array holds that is no number, by the kind of its type."""


@dataclass(frozen=True)
class UnreadArray:
    """One array of a file: what its header claims, once this has been checked against the file, and how to load it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], NDArray[Any]]

    def doubles(self) -> NDArray[np.float64]:
        """Load the array as float64."""
        return self.load().astype(np.float64, copy=False)


@dataclass(frozen=True)
class ArrayFile:
    """The arrays of a file by their names, each with what reads its header, and how to read the service's own note.

    Only what is asked for is looked at: any other array may be of any type.
    """

    headers: Mapping[str, Callable[[], UnreadArray]]
    note: Callable[[], str | None]

    @property
    def holds_coefficients(self) -> bool:
        """Whether the note says that K and b are coefficients in a basis."""
        try:
            return json.loads(self.note() or "{}")["basis"] is not None
        except (ValueError, TypeError, KeyError, RecursionError):
            return False


def read_arrays(file: ArrayFile, choice: Choice, limits: UploadLimits) -> Samples | Weights:
    """Choose the arrays by name, check their shapes, and only then load them.

    Targets of shape (S, 1) are those of shape (S,). Text and truth values are labels where they are targets.

    Raises
    ------
    UploadRefusedError
        Something is missing, misshapen or too large, or is no number of at most 64 bits.
    """
    headers = file.headers
    if not choice.inputs and not choice.targets and not set(INPUTS) & set(headers) and {"K", "b"} <= set(headers):
        return _weights(file, limits)
    chosen = _names(headers, choice)
    inputs = _header(file, chosen["inputs"])
    targets = _header(file, chosen["targets"], labels=True) if "targets" in chosen else None
    if len(inputs.shape) != 2:  # noqa: PLR2004 - rows and columns
        detail = f"the inputs must have two dimensions, (samples, features), and have the shape {inputs.shape}"
        raise UploadRefusedError("wrong_shape", detail)
    samples, features = inputs.shape
    _between(samples, limits.samples, "samples")
    _between(features, limits.features, "features")
    shapes: list[tuple[int, ...]] = [inputs.shape]
    if targets is not None:
        _check_targets(targets.shape, samples, limits)
        shapes.append(targets.shape)
    check_numbers(limits, *shapes)
    named = chosen.get("targets", "")
    read = Unsettled(
        inputs=inputs.doubles(),
        targets=None if targets is None else _targets(targets),
        row=lambda row: f"row {row + 1}",
        numbers=[Named(f"column {k + 1} of {quoted(chosen['inputs'])}", place=k) for k in range(features)],
        target_columns=[
            Named(f"column {k + 1} of {quoted(named)}", place=features + k) for k in range(_width(targets))
        ],
        integers=targets is not None and targets.dtype.kind in "iu",
    )
    return settle(read, choice, limits)


def _width(targets: UnreadArray | None) -> int:
    return 0 if targets is None else math.prod(targets.shape[1:])


def _check_targets(shape: tuple[int, ...], samples: int, limits: UploadLimits) -> None:
    if len(shape) not in {1, 2}:
        raise UploadRefusedError("wrong_shape", f"the targets must have one or two dimensions, and have {len(shape)}")
    if shape[0] != samples:
        detail = f"there must be as many targets as inputs, {samples}, and there are {shape[0]}"
        raise UploadRefusedError("length_mismatch", detail)
    _between(math.prod(shape[1:]), limits.outputs, "outputs")


def _targets(array: UnreadArray) -> list[str] | NDArray[np.float64]:
    """Load targets (S, m), or one text of each sample."""
    if array.dtype.kind == "U" or (array.dtype.kind == "b" and _width(array) == 1):
        return [str(label) for label in array.load().reshape(-1).tolist()]
    return array.doubles().reshape(array.shape[0], -1)


def _header(file: ArrayFile, name: str, *, labels: bool = False) -> UnreadArray:
    """Read the header of an array that was chosen, and refuse what is no number, or no label where one may be."""
    array = file.headers[name]()
    kind, single = array.dtype.kind, math.prod(array.shape[1:]) == 1
    if labels and single and kind == "U":
        return array
    if kind not in "fiub" or array.dtype.itemsize > 8:  # noqa: PLR2004 - bytes
        held = _CONTENTS.get(kind, "numbers of more than 64 bits" if kind == "f" else "another type")
        detail = f"the array {quoted(name)} holds {held}, not integers or floating-point numbers of at most 64 bits"
        raise UploadRefusedError("wrong_dtype", detail)
    return array


def _weights(file: ArrayFile, limits: UploadLimits) -> Weights:
    if file.holds_coefficients:
        raise UploadRefusedError("wrong_shape", "holds coefficients of a continuum model, not the weights of layers")
    K, b = _header(file, "K"), _header(file, "b")
    if len(K.shape) != 3 or K.shape[1] != K.shape[2]:  # noqa: PLR2004 - layers of square matrices
        raise UploadRefusedError("wrong_shape", "K must have three dimensions, (depth, d, d)")
    if b.shape != K.shape[:2]:
        raise UploadRefusedError("wrong_shape", "b must have two dimensions, (depth, d), those of K")
    _between(K.shape[0], limits.depth, "layers", least=2)
    _between(K.shape[1], limits.state_dim, "state entries")
    check_numbers(limits, K.shape, b.shape)
    return Weights(K.doubles(), b.doubles())


def _names(there: Collection[str], choice: Choice) -> dict[str, str]:
    """Return the names of the arrays of inputs and, where there are to be any, of targets."""
    wanted = [("inputs", choice.inputs, INPUTS)]
    if not choice.inputs_only:
        wanted.append(("targets", choice.targets, TARGETS))
    refused, chosen = [], {}
    for parameter, asked, usual in wanted:
        if len(asked) > 1:
            refused.append(Refusal(code="too_many", detail="names more than one array", parameter=parameter))
        elif asked and asked[0] not in there:
            detail = f"names an array that the file does not have: {quoted(asked[0])}; it has {listed(sorted(there))}"
            refused.append(Refusal(code="unknown_array", detail=detail, parameter=parameter))
        elif found := next((name for name in asked or usual if name in there), None):
            chosen[parameter] = found
        else:
            detail = f"has no array for the {parameter}: none of {listed(usual)}, nor K and b; it has"
            refused.append(Refusal(code="arrays_missing", detail=f"{detail} {listed(sorted(there)) or 'none'}"))
    if refused:
        raise UploadRefusedError.several(refused)
    return chosen


def _between(count: int, most: int, what: str, least: int = 1) -> None:
    if count < least:
        detail = f"has no {what}" if not count else f"must have at least {least} {what}"
        raise UploadRefusedError("empty" if not count else "too_few", detail)
    if count > most:
        raise UploadRefusedError(f"too_many_{what.replace(' ', '_')}", f"must have at most {most} {what}")
