"""The buffers of a trajectory, which one objective of a problem has at a time."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deeplimit.mathematics.kernels.kernel import Trajectory


class Workspace:
    """Keeps the trajectory of the last gradient for the next one of the same objective to write into.

    A study keeps a network of every depth; were each to keep its buffers, or what fused kernels work in, they would
    add up.
    """

    def __init__(self) -> None:
        self._owner: weakref.ref[object] | None = None  # an objective knows its problem, which has this
        self._run: Trajectory | None = None
        self.evaluators: dict[object, Any] = {}  # of fused kernels, by activation and tableau

    def take(self, owner: object, samples: int) -> Trajectory | None:
        """Hand out what ``owner`` left, if it is for as many samples; whatever else is kept is let go."""
        run = self._run if self._owner is not None and self._owner() is owner else None
        self.release()
        return run if run is not None and run.states.shape[1] == samples else None

    def leave(self, owner: object, run: Trajectory) -> None:
        """Keep a trajectory for ``owner``."""
        self._owner, self._run = weakref.ref(owner), run

    def release(self) -> None:
        """Let go of what is kept."""
        self._owner = self._run = None
