"""Line search for the Wolfe conditions, exact to rounding.

Near a minimum, differences of E drown in rounding long before slopes do. The approximate Wolfe condition of Hager and
Zhang (2005, *A new conjugate gradient method with guaranteed descent and an efficient line search*, (4.1)) then decides
by slopes. For a non-smooth E the curvature condition is the weak one, found by bisection (Lewis and Overton 2013,
*Nonsmooth optimization via quasi-Newton methods*, algorithm 2.6).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from torch import Tensor

from deeplimit.mathematics.minimise.course import Course, Heading, Reached
from deeplimit.mathematics.minimise.solution import rounding
from deeplimit.mathematics.model.objective import Evaluation

_DECREASE: Final = 1e-4
"""Least share of the decrease that the first slope promises (Nocedal and Wright 2006, section 3.1)."""
_CURVATURE: Final = 0.9
"""Share of the first slope that an accepted step's slope may have, as is usual for quasi-Newton directions."""
_APPROXIMATE: Final = 0.1
"""δ of the approximate Wolfe condition, Hager and Zhang's value."""
_TRIALS: Final = 30
_GROWTH: Final = 3.0
"""Factor of a step that is too short, where E is smooth; Lewis and Overton double it where it is not."""
_INSIDE: Final = 0.1
"""Share of the bracket that the cubic's minimiser keeps from either end, so that the bracket shrinks."""
_NARROW: Final = 1e-15
"""A bracket of less than this relative width holds no further number."""
_BLIND_TRIALS: Final = 4
"""Trials after which a search ends if even the decrease that the slope promises is rounding."""


class _Point(NamedTuple):
    step: float
    value: float
    slope: float
    reached: Reached | None = None


def search(
    trial_at: Callable[[Tensor, float], Course[Reached]],
    start: Evaluation,
    heading: Heading,
    *,
    first_step: float = 1.0,
    smooth: bool = True,
) -> Course[Reached | None]:
    """Search along a direction from a point where E is ``start``; ``trial_at`` goes a step along it.

    Returns
    -------
    Reached or None
        A trial that meets the Wolfe conditions; failing that, the lowest one that decreases E by more than rounding;
        failing that, None: E cannot be decreased along the direction.
    """
    slope = heading.slope
    if not slope < 0.0:
        return None
    noise = rounding(start)
    low = best = _Point(0.0, start.objective, slope)
    high: _Point | None = None
    step = first_step
    for count in range(_TRIALS):
        if smooth and count >= _BLIND_TRIALS and step * -slope <= noise:
            break
        reached = yield from trial_at(heading.direction, step)
        trial = _Point(step, reached.evaluation.objective, reached.slope, reached)
        if not (math.isfinite(trial.value) and math.isfinite(trial.slope)):
            high = _Point(step, math.inf, math.inf)
        else:
            if _accepted(low_slope=slope, start=start.objective, trial=trial, noise=noise, smooth=smooth):
                return reached
            if trial.value < best.value - noise:
                best = trial
            if _too_far(slope, start.objective, trial, noise, smooth=smooth):
                high = trial
            else:
                low = trial
        step = _next(low, high, smooth=smooth)
        if high is not None and high.step - low.step <= _NARROW * high.step:
            break
    return best.reached


def _accepted(*, low_slope: float, start: float, trial: _Point, noise: float, smooth: bool) -> bool:
    if trial.slope < _CURVATURE * low_slope:
        return False
    decreases = trial.value <= start + _DECREASE * trial.step * low_slope
    if not smooth:
        return decreases
    if decreases and trial.slope <= -_CURVATURE * low_slope:
        return True
    return trial.value <= start + noise and trial.slope <= (2.0 * _APPROXIMATE - 1.0) * low_slope


def _too_far(slope: float, start: float, trial: _Point, noise: float, *, smooth: bool) -> bool:
    if trial.value > start + max(_DECREASE * trial.step * slope, noise if smooth else 0.0):
        return True
    if not smooth:
        return trial.value > start + _DECREASE * trial.step * slope
    return trial.slope >= 0.0


def _next(low: _Point, high: _Point | None, *, smooth: bool) -> float:
    if high is None:
        return low.step * (_GROWTH if smooth else 2.0)
    width = high.step - low.step
    if not smooth or not math.isfinite(high.value):
        return low.step + 0.5 * width if smooth or low.step else 0.5 * high.step
    # Minimiser of the cubic through both values and slopes (Nocedal and Wright 2006, (3.59)), kept inside.
    d1 = low.slope + high.slope - 3.0 * (high.value - low.value) / width
    inside = d1 * d1 - low.slope * high.slope
    candidate = low.step + 0.5 * width
    if inside >= 0.0:
        d2 = math.sqrt(inside)
        denominator = high.slope - low.slope + 2.0 * d2
        if denominator:
            candidate = high.step - width * (high.slope + d2 - d1) / denominator
    margin = _INSIDE * width
    return min(max(candidate, low.step + margin), high.step - margin)
