"""Files of named arrays: which of them are inputs, targets or weights, decided and checked by their headers alone."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from service.datasets.uploads.canonical import Samples, Weights
from service.datasets.uploads.request import Choice, UploadLimits, UploadRefusedError, check_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from numpy.typing import NDArray

INPUTS: Final = ("inputs", "X", "x")
TARGETS: Final = ("targets", "y", "Y")
"""Names that arrays go by unless the request says others, in order of preference."""


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
    """The arrays of a file by their names, and the note that this service leaves in files that it writes itself."""

    arrays: Mapping[str, UnreadArray]
    note: str | None

    @property
    def holds_coefficients(self) -> bool:
        """Whether the note says that K and b are coefficients in a basis."""
        try:
            return json.loads(self.note or "{}")["basis"] is not None
        except (ValueError, TypeError, KeyError, RecursionError):
            return False


def read_arrays(file: ArrayFile, choice: Choice, limits: UploadLimits) -> Samples | Weights:
    """Choose the arrays by name, check their shapes, and only then load them.

    Raises
    ------
    UploadRefusedError
        Something is missing, misshapen or too large, or any array holds something else than numbers of at most 64 bits.
    """
    arrays = file.arrays
    if any(array.dtype.kind not in "fiu" or array.dtype.itemsize > 8 for array in arrays.values()):  # noqa: PLR2004 - bytes
        raise UploadRefusedError("wrong_dtype", "an array does not hold integers or floating-point numbers")
    if not choice.inputs and not choice.targets and not set(INPUTS) & set(arrays) and {"K", "b"} <= set(arrays):
        return _weights(file, limits)
    inputs = arrays[_name(arrays, choice.inputs, INPUTS, "inputs")]
    targets = None if choice.inputs_only else arrays[_name(arrays, choice.targets, TARGETS, "targets")]
    if len(inputs.shape) != 2:  # noqa: PLR2004 - rows and columns
        raise UploadRefusedError("wrong_shape", "the inputs must have two dimensions, (samples, features)")
    samples, features = inputs.shape
    _between(samples, limits.samples, "samples")
    _between(features, limits.features, "features")
    if targets is None:
        check_numbers(limits, inputs.shape)
        return Samples(inputs.doubles(), None)
    if len(targets.shape) not in {1, 2}:
        raise UploadRefusedError("wrong_shape", "the targets must have one or two dimensions")
    if targets.shape[0] != samples:
        raise UploadRefusedError("length_mismatch", f"there must be as many targets as inputs, {samples}")
    _between(math.prod(targets.shape[1:]), limits.outputs, "outputs")
    check_numbers(limits, inputs.shape, targets.shape)
    return Samples(inputs.doubles(), targets.doubles(), integers=targets.dtype.kind in "iu")


def _weights(file: ArrayFile, limits: UploadLimits) -> Weights:
    if file.holds_coefficients:
        raise UploadRefusedError("wrong_shape", "holds coefficients of a continuum model, not the weights of layers")
    K, b = file.arrays["K"], file.arrays["b"]
    if len(K.shape) != 3 or K.shape[1] != K.shape[2]:  # noqa: PLR2004 - layers of square matrices
        raise UploadRefusedError("wrong_shape", "K must have three dimensions, (depth, d, d)")
    if b.shape != K.shape[:2]:
        raise UploadRefusedError("wrong_shape", "b must have two dimensions, (depth, d), those of K")
    _between(K.shape[0], limits.depth, "layers", least=2)
    _between(K.shape[1], limits.state_dim, "state entries")
    check_numbers(limits, K.shape, b.shape)
    return Weights(K.doubles(), b.doubles())


def _name(names: Container[str], asked: tuple[str, ...], usual: tuple[str, ...], what: str) -> str:
    if len(asked) > 1:
        raise UploadRefusedError("too_many", "names more than one array", what)
    if asked and asked[0] not in names:
        raise UploadRefusedError("unknown_array", "names an array that the file does not have", what)
    for name in asked or usual:
        if name in names:
            return name
    quoted = ", ".join(f"'{name}'" for name in usual)
    raise UploadRefusedError("arrays_missing", f"has no array for the {what}: none of {quoted}, nor K and b")


def _between(count: int, most: int, what: str, least: int = 1) -> None:
    if count < least:
        detail = f"has no {what}" if not count else f"must have at least {least} {what}"
        raise UploadRefusedError("empty" if not count else "too_few", detail)
    if count > most:
        raise UploadRefusedError(f"too_many_{what.replace(' ', '_')}", f"must have at most {most} {what}")
