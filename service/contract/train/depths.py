"""Which depths to train: a list, or a wanted gap or prediction error, for which the study finds the depth itself."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from service.contract.request import Strict, distinct_schema, entries
from service.contract.values.arrays import nested
from service.contract.values.errors import FieldError
from service.contract.values.limits import LEAST_POSITIVE
from service.contract.values.numbers import Real, Whole
from service.contract.values.pointers import unknown_fields

LADDER = (8, 16, 32)
"""What a study trains to predict the depth for a wanted gap or prediction error."""
_HOW = (
    " Depths 8, 16 and 32, and others where these do not tell, predict the depth, which is trained as a check, as far"
    " as the published limits go;"
    " `diagnostics.depth_advice` says what was found."
)


class Wanted(Strict):
    """What the deepest network is wanted to achieve."""


class WantedGap(Wanted):
    """Find the smallest depth whose minimum is this near to the continuum's, and train there as a check."""

    gap: Annotated[float, Real(gt=0, ge=LEAST_POSITIVE)] = Field(description="Wanted |E_n* − E_∞*|, absolute." + _HOW)


class WantedPredictionError(Wanted):
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


def _one_wanted(value: object) -> object:
    if not isinstance(value, dict) or ("gap" in value) is not ("prediction_error" in value):
        return value
    if "gap" in value:
        detail = "gap is there already: one of the two can be wanted"
        error = FieldError("/prediction_error", "not_applicable", detail)
    else:
        error = FieldError("/gap", "required", "is required, or prediction_error in its place")
    raise nested([error, *unknown_fields(value, ("gap", "prediction_error"))])


def depths_form(value: object) -> str:
    """Tell which of the forms of `Depths` a value has: ``list``, ``gap`` or ``prediction_error``."""
    if isinstance(value, dict):
        return "prediction_error" if "prediction_error" in value else "gap"
    if isinstance(value, WantedPredictionError):
        return "prediction_error"
    return "gap" if isinstance(value, WantedGap) else "list"


_DepthList = Annotated[
    list[Annotated[int, Whole(ge=2, most="depth")]],
    entries("depths"),
    AfterValidator(_increasing),
    distinct_schema({"type": "integer", "minimum": 2}),
]
Depths = Annotated[
    Annotated[_DepthList, Tag("list")]
    | Annotated[WantedGap, Tag("gap")]
    | Annotated[WantedPredictionError, Tag("prediction_error")],
    Discriminator(depths_form),
    BeforeValidator(_one_wanted),
]
"""Strictly increasing depths, or a wanted gap or prediction error."""
