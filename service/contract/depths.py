"""Which depths to train: a list, or a wanted gap, from which the study finds the depth itself."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
)

from service.contract.arrays import nested
from service.contract.errors import FieldError
from service.contract.numbers import Real, Whole, limits_of
from service.contract.regimes import has_continuum

if TYPE_CHECKING:
    from service.contract.spec import TrainSpec

GAP_LADDER = (8, 16, 32)
"""What a study trains to predict the depth for a wanted gap."""


class WantedGap(BaseModel):
    """Find the smallest depth whose minimum is this near to the continuum's, and train there as a check."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gap: Annotated[float, Real(gt=0)] = Field(
        description="Wanted |E_n* − E_∞*|, absolute. Depths 8, 16 and 32 predict the depth, which is trained up to the"
        " published limit; `diagnostics.depth_advice` says what was found."
    )


def _increasing(depths: list[int]) -> list[int]:
    errors = [
        FieldError(f"/{index}", "not_increasing", "must be greater than the depth before it")
        for index, (before, depth) in enumerate(pairwise(depths), start=1)
        if depth <= before
    ]
    if errors:
        raise nested(errors)
    return depths


def _some_depths(value: object, info: ValidationInfo) -> object:
    limits = limits_of(info)
    if isinstance(value, list) and not value:
        raise nested([FieldError("", "empty", "must have at least one entry")])
    if isinstance(value, list) and limits is not None and len(value) > limits.depths:
        raise nested([FieldError("", "too_many", f"must have at most {limits.depths} entries")])
    return value


def _form(value: object) -> str:
    return "gap" if isinstance(value, dict | WantedGap) else "list"


_DepthList = Annotated[
    list[Annotated[int, Whole(ge=2, most="depth")]],
    BeforeValidator(_some_depths),
    AfterValidator(_increasing),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 2},
            "minItems": 1,
            "uniqueItems": True,
        }
    ),
]
Depths = Annotated[Annotated[_DepthList, Tag("list")] | Annotated[WantedGap, Tag("gap")], Discriminator(_form)]
"""Strictly increasing depths, or a wanted gap."""


def gap_errors(spec: TrainSpec) -> list[FieldError]:
    """Check that there is a limit to be near to, where a gap is wanted.

    Parameters
    ----------
    spec
        Well-formed field by field.

    Returns
    -------
    list[FieldError]
        None or one.
    """
    wanted = spec.discrete is not None and isinstance(spec.discrete.depths, WantedGap)
    if not wanted or has_continuum(spec):
        return []
    detail = f"the scaling {spec.objective.scaling} has no continuum problem to be near to; give a list of depths"
    return [FieldError("/discrete/depths/gap", "not_applicable", detail)]
