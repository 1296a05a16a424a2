"""Which depths to train: a list, or a wanted gap or prediction error, for which the study finds the depth itself."""

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
from service.contract.limits import LEAST_POSITIVE
from service.contract.numbers import Real, Whole, limits_of
from service.contract.regimes import has_continuum

if TYPE_CHECKING:
    from service.contract.spec import TrainSpec

LADDER = (8, 16, 32)
"""What a study trains to predict the depth for a wanted gap or prediction error."""
_HOW = (
    " Depths 8, 16 and 32 predict the depth, which is trained as a check, as far as the published limits go;"
    " `diagnostics.depth_advice` says what was found."
)


class _Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WantedGap(_Wanted):
    """Find the smallest depth whose minimum is this near to the continuum's, and train there as a check."""

    gap: Annotated[float, Real(gt=0, ge=LEAST_POSITIVE)] = Field(description="Wanted |E_n* − E_∞*|, absolute." + _HOW)


class WantedPredictionError(_Wanted):
    """Find the smallest depth whose predictions are this near to the continuum's, and train there as a check."""

    prediction_error: Annotated[float, Real(gt=0, ge=LEAST_POSITIVE)] = Field(
        description="Wanted largest deviation of a prediction from the continuum's, over the validation data or else"
        " the training data, in the units of the targets, as `diagnostics.predictions` has it." + _HOW
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


def _one_wanted(value: object) -> object:
    if isinstance(value, dict):
        if "gap" in value and "prediction_error" in value:
            detail = "gap is there already: one of the two can be wanted"
            raise nested([FieldError("/prediction_error", "not_applicable", detail)])
        if "gap" not in value and "prediction_error" not in value:
            raise nested([FieldError("/gap", "required", "is required, or prediction_error in its place")])
    return value


def _form(value: object) -> str:
    if isinstance(value, dict):
        return "prediction_error" if "prediction_error" in value else "gap"
    if isinstance(value, WantedPredictionError):
        return "prediction_error"
    return "gap" if isinstance(value, WantedGap) else "list"


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
Depths = Annotated[
    Annotated[_DepthList, Tag("list")]
    | Annotated[WantedGap, Tag("gap")]
    | Annotated[WantedPredictionError, Tag("prediction_error")],
    Discriminator(_form),
    BeforeValidator(_one_wanted),
]
"""Strictly increasing depths, or a wanted gap or prediction error."""


def wanted_errors(spec: TrainSpec) -> list[FieldError]:
    """Check that there is a limit to be near to, where a gap is wanted, and a model of it for a prediction error.

    Parameters
    ----------
    spec
        Well-formed field by field.

    Returns
    -------
    list[FieldError]
        None or one.
    """
    wanted = spec.discrete.depths if spec.discrete is not None else None
    if not isinstance(wanted, _Wanted):
        return []
    if not has_continuum(spec):
        detail = f"the scaling {spec.objective.scaling} has no continuum problem to be near to; give a list of depths"
    elif isinstance(wanted, WantedPredictionError) and spec.continuum is None:
        detail = "is a deviation from the continuum model, so that continuum cannot be null"
    else:
        return []
    return [FieldError(f"/discrete/depths/{_form(wanted)}", "not_applicable", detail)]
