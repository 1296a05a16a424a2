"""What a job will cost, from its resolved specification alone: an order of magnitude, to refuse what cannot end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from service.contract.values.errors import FieldError, SpecInvalidError

if TYPE_CHECKING:
    from service.contract.values.limits import Limits


class Cost(BaseModel):
    """Sizes and work."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parameters: int = Field(description="Trained numbers of the largest model.")
    memory_bytes: int = Field(description="That the job is expected to add to its process at the peak.")
    work_flops: float = Field(description="Expected floating-point operations of all models and branches.")


class AtMost(Cost):
    """Cost of a job that seeks its depth, with the deepest network that it may train."""

    depth: int = Field(description="Of that network.")


class Estimate(Cost):
    """Cost of a job."""

    at_most: AtMost | None = Field(
        default=None,
        exclude_if=lambda bound: bound is None,
        description="Where a gap or a prediction error is wanted, the cost beside this is of the networks that predict"
        " the depth, and this one has the deepest that may come of it; absent where the depths are given.",
    )


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the problem: samples S and outputs m; the state dimension is in the specification."""

    samples: int
    outputs: int


def check_memory(least: int, allowed: int | None, remedy: str) -> None:
    """Refuse a job that does not fit the memory that it may take.

    Parameters
    ----------
    least
        Bytes that it takes when it takes as few as it can.
    allowed
        Bytes of ``limits.memory_mb``; None is no limit.
    remedy
        What to change but for the limit.

    Raises
    ------
    SpecInvalidError
        ``too_small``, at ``/limits/memory_mb``.
    """
    if allowed is not None and least > allowed:
        detail = f"the job needs at least {math.ceil(least / 2**20)} MiB; raise limits.memory_mb, or {remedy}"
        raise SpecInvalidError((FieldError("/limits/memory_mb", "too_small", detail),))


def check_cost(cost: Estimate, limits: Limits) -> None:
    """Refuse a job that is over the published limits.

    Raises
    ------
    SpecInvalidError
        ``memory_limit`` or ``work_limit``.
    """
    errors = []
    if cost.memory_bytes > limits.memory_bytes:
        detail = f"needs about {cost.memory_bytes:.3g} bytes of memory; the limit is {limits.memory_bytes:.3g}"
        errors.append(FieldError("", "memory_limit", detail))
    if not math.isfinite(cost.work_flops) or cost.work_flops > limits.work_flops:
        detail = f"needs about {cost.work_flops:.3g} operations; the limit is {limits.work_flops:.3g}"
        errors.append(FieldError("", "work_limit", detail))
    if errors:
        raise SpecInvalidError(tuple(errors))
