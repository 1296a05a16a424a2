"""What is to be learned: samples as a study takes them, and the settings of the study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """Settings of a study, those of a specification (`docs/api.md`) with nothing left open.

    Attributes
    ----------
    alpha, tau
        Weights of the regularisers of K, b, W and c, and of K(0) and b(0) within theirs.
    state_dim
        d, or None for the number of features.
    seed
        Of the starts and of the split.
    """

    activation: str
    state_dim: int | None
    alpha: Mapping[str, float]
    tau: Mapping[str, float]
    validation_fraction: float
    starts: int | None
    max_iterations: int
    wall_time_s: float
    device: str
    seed: int


@dataclass(frozen=True)
class Task:
    """One learning problem.

    Attributes
    ----------
    inputs
        (S, f), as they came.
    targets
        (S,) classes 0..m−1 for ``cross_entropy``, (S, m) numbers as they came for ``squared_error``.
    name
        What a service's list of jobs shows.
    """

    inputs: Floats
    targets: npt.NDArray[Any]
    loss: str
    settings: Settings
    name: str
