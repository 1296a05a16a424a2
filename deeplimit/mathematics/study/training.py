"""How every model of a study is trained."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum


class DepthStart(StrEnum):
    """What the training of each depth starts from."""

    PROLONG = "prolong"
    INDEPENDENT = "independent"
    RECOVERY = "recovery"


class Follow(StrEnum):
    """Which of the distinct minima at the coarsest depth are followed."""

    BEST = "best"
    ALL = "all"


class Coarse(StrEnum):
    """How sharply the depths before the finest are minimised."""

    TOLERANCE = "tolerance"
    DISCRETISATION = "discretisation"


@dataclass(frozen=True)
class Training:
    """How every model is trained.

    Attributes
    ----------
    gradient_tolerance
        Relative to max(1, |E|), in increment coordinates.
    max_iterations
        For each model.
    starts, seed, start_scale
        Starts at the coarsest depth: standard normal increment coordinates times ``start_scale``, from one
        ``torch.Generator`` on ``seed``. None starts until another minimum is unlikely.
    most_starts, most_unseen
        With ``starts`` None: the most that are made, and the chance of a minimum that was not found (its upper limit)
        below which they end. ``most_unseen`` is also the chance from which on what is lowest is called a minimum, and
        not the lowest found.
    depth_start
        What every depth starts from: ``prolong``, the depth before it, prolonged, along every branch; ``independent``,
        ``starts`` random starts of its own, of which the lowest stays (one branch, of unrelated minima where nothing
        selects one); ``recovery``, the recovery sequence of the continuum, which is trained first, from the starts.
    follow
        ``best``: the minima within 10 % of the lowest, four at the most; ``all``: every one.
    sharpen
        Whether the models of the verdict branch are minimised on, to smaller tolerances than these, where the errors on
        the finest depths hide the orders there.
    carry_curvature
        Whether a model begins with what was learnt of the Hessian at the one before, and where the trend of the depths
        before predicts its minimiser. It changes the work and not the minima.
    coarse
        How sharply depths are minimised before the finest: ``tolerance``, as it; ``discretisation``, no more than their
        own distance from the limit is worth, where only the finest is asked for. Nothing is minimised on then.
    wall_time_s
        Seconds for the whole study, or None; what does not fit gets the status ``time_limit``.
    """

    gradient_tolerance: float = 1e-7
    max_iterations: int = 2000
    starts: int | None = 4
    most_starts: int = 64
    most_unseen: float = 0.1
    seed: int = 0
    start_scale: float = 0.5
    depth_start: DepthStart = DepthStart.PROLONG
    follow: Follow = Follow.BEST
    sharpen: bool = True
    carry_curvature: bool = True
    coarse: Coarse = Coarse.TOLERANCE
    wall_time_s: float | None = None

    def deadline(self) -> float | None:
        """Return when the wall time ends that begins now, in seconds of ``time.monotonic``, or None."""
        return None if self.wall_time_s is None else time.monotonic() + self.wall_time_s
