"""Files of named arrays: which of them are inputs, targets or weights, decided and checked by their headers alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from service.datasets.uploads.canonical import Samples, Weights
from service.datasets.uploads.request import Choice, UploadLimits, UploadRefusedError, check_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

INPUTS: Final = ("inputs", "X", "x")
TARGETS: Final = ("targets", "y", "Y")
"""Names that arrays go by unless the request says others, in order of preference."""

CHUNK: Final = 2**20
_DTYPE: Final = re.compile(r"[<>|=]?([fiu])([1248])")


@dataclass(frozen=True)
class ArrayHeader:
    """What a file claims of one array."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]


class ArrayFile(Protocol):
    """A file of named arrays."""

    coefficients: bool

    @property
    def headers(self) -> Mapping[str, ArrayHeader]:
        """What the file claims of each array."""

    def read(self, name: str) -> NDArray[np.generic]:
        """Load one array. What its header claims has been checked against the file."""


def numeric_dtype(text: object) -> np.dtype[np.generic]:
    """Return the type that a header names.

    Raises
    ------
    UploadRefusedError
        ``pickle_refused`` for Python objects, ``wrong_dtype`` for anything else that is not real numbers.
    """
    if isinstance(text, str) and re.fullmatch(r"[<>|=]?O[48]?", text):
        raise UploadRefusedError("pickle_refused", "an array holds Python objects, which would have to be unpickled")
    if not isinstance(text, str) or not _DTYPE.fullmatch(text):
        raise UploadRefusedError("wrong_dtype", "an array does not hold integers or floating-point numbers")
    return np.dtype(text)


def read_arrays(file: ArrayFile, choice: Choice, limits: UploadLimits) -> Samples | Weights:
    """Choose the arrays by name, check their shapes, and only then load them.

    Raises
    ------
    UploadRefusedError
        Something is missing, misshapen or too large.
    """
    found = file.headers
    if not choice.inputs and not choice.targets and not set(INPUTS) & set(found) and {"K", "b"} <= set(found):
        return _weights(file, limits)
    inputs = _name(found, choice.inputs, INPUTS, "inputs")
    targets = None if choice.inputs_only else _name(found, choice.targets, TARGETS, "targets")
    shape = found[inputs].shape
    if len(shape) != 2:  # noqa: PLR2004 - rows and columns
        raise UploadRefusedError("wrong_shape", "the inputs must have two dimensions, (samples, features)")
    samples, features = shape
    _between(samples, limits.samples, "samples")
    _between(features, limits.features, "features")
    integers = False
    if targets is not None:
        target_shape = found[targets].shape
        if len(target_shape) not in {1, 2}:
            raise UploadRefusedError("wrong_shape", "the targets must have one or two dimensions")
        if target_shape[0] != samples:
            raise UploadRefusedError("length_mismatch", f"there must be as many targets as inputs, {samples}")
        _between(target_shape[1] if len(target_shape) > 1 else 1, limits.outputs, "outputs")
        check_numbers(limits, shape, target_shape)
        integers = found[targets].dtype.kind in "iu"
    check_numbers(limits, shape)
    values = None if targets is None else file.read(targets).astype(np.float64, copy=False)
    return Samples(file.read(inputs).astype(np.float64, copy=False), values, integers=integers and values is not None)


def _weights(file: ArrayFile, limits: UploadLimits) -> Weights:
    if file.coefficients:
        raise UploadRefusedError("wrong_shape", "holds coefficients of a continuum model, not the weights of layers")
    K, b = file.headers["K"].shape, file.headers["b"].shape
    if len(K) != 3 or K[1] != K[2]:  # noqa: PLR2004 - layers of square matrices
        raise UploadRefusedError("wrong_shape", "K must have three dimensions, (depth, d, d)")
    if b != K[:2]:
        raise UploadRefusedError("wrong_shape", "b must have two dimensions, (depth, d), those of K")
    _between(K[0], limits.depth, "layers", least=2)
    _between(K[1], limits.state_dim, "state entries")
    check_numbers(limits, K, b)
    return Weights(file.read("K").astype(np.float64, copy=False), file.read("b").astype(np.float64))


def _name(found: Mapping[str, object], asked: tuple[str, ...], usual: tuple[str, ...], what: str) -> str:
    if len(asked) > 1:
        raise UploadRefusedError("too_many", "names more than one array", what)
    if asked:
        if asked[0] not in found:
            raise UploadRefusedError("unknown_array", "names an array that the file does not have", what)
        return asked[0]
    for name in usual:
        if name in found:
            return name
    names = ", ".join(f"'{name}'" for name in usual)
    raise UploadRefusedError("arrays_missing", f"has no array for the {what}: none of {names}, nor K and b")


def _between(count: int, most: int, what: str, least: int = 1) -> None:
    if count < least:
        detail = f"has no {what}" if not count else f"must have at least {least} {what}"
        raise UploadRefusedError("empty" if not count else "too_few", detail)
    if count > most:
        raise UploadRefusedError(f"too_many_{what.replace(' ', '_')}", f"must have at most {most} {what}")
