"""The kinds of job: a body is read by its ``kind``, and resolved against what the store knows."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import ValidationError

from service.contract.diagnose.request import DiagnoseSpec
from service.contract.diagnose.resolved import ResolvedDiagnoseSpec
from service.contract.evaluate.request import EvaluateSpec
from service.contract.evaluate.resolved import ResolvedEvaluateSpec
from service.contract.train.request import TrainSpec
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.values.errors import FieldError, SpecInvalidError
from service.contract.values.limits import LIMITS, Limits
from service.contract.values.pointers import field_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

AnySpec = TrainSpec | EvaluateSpec | DiagnoseSpec
AnyResolvedSpec = ResolvedTrainSpec | ResolvedEvaluateSpec | ResolvedDiagnoseSpec

KINDS: Mapping[str, type[AnySpec]] = MappingProxyType(
    {"train": TrainSpec, "evaluate": EvaluateSpec, "diagnose": DiagnoseSpec}
)
"""Every kind of job."""


def parse(body: object, limits: Limits = LIMITS) -> AnySpec:
    """Read a specification of any kind; without ``kind`` it would be a train specification.

    Parameters
    ----------
    body
        Decoded JSON.
    limits
        The published limits.

    Returns
    -------
    TrainSpec, EvaluateSpec or DiagnoseSpec
        Every field well-formed by itself.

    Raises
    ------
    SpecInvalidError
        With a pointer for each thing wrong.
    """
    if not isinstance(body, dict):
        raise SpecInvalidError((FieldError("", "not_an_object", "must be an object"),))
    kind = body.get("kind", "train")
    if not isinstance(kind, str) or kind not in KINDS:
        detail = f"must be one of {', '.join(repr(name) for name in KINDS)}"
        raise SpecInvalidError((FieldError("/kind", "invalid_choice", detail),))
    try:
        return KINDS[kind].model_validate(body, context=limits)
    except ValidationError as error:
        raise SpecInvalidError(field_errors(error)) from None
