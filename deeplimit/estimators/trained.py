"""What training gives back, wherever it ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deeplimit.estimators.network import FittedNetwork
    from deeplimit.estimators.study import Study
    from deeplimit.estimators.task import Task


@dataclass(frozen=True)
class Trained:
    """A study, and the way to its networks by depth."""

    study: Study
    network: Callable[[int], FittedNetwork]


class Trainer(Protocol):
    """Trains the networks of some depths and their limit."""

    def __call__(self, task: Task, depths: Sequence[int]) -> Trained:
        """Return what was trained.

        Raises
        ------
        ValueError
            If the data or the settings do not make a problem, or nothing usable came out.
        """
