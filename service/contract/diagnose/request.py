"""Diagnosis of weights trained elsewhere: the request, resolved as soon as the data sets are known."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from service.contract.request import JobLimits, JobRequest, Strict
from service.contract.values.arrays import nested
from service.contract.values.errors import FieldError
from service.contract.values.numbers import Real, TextOf, Whole, limits_of


def _networks(value: object, info: ValidationInfo) -> object:
    limits = limits_of(info)
    if isinstance(value, list) and not value:
        raise nested([FieldError("", "empty", "must have at least one entry")])
    if isinstance(value, list) and limits is not None and len(value) > limits.networks:
        raise nested([FieldError("", "too_many", f"must have at most {limits.networks} entries")])
    return value


class NetworkWeights(Strict):
    """The weights of one network."""

    depth: Annotated[int, Whole(ge=2, most="depth")] | None = Field(
        default=None, description="Checked against the data set where it is given."
    )
    dataset_id: Annotated[str, TextOf(max_length=200)] = Field(description="An upload that holds K and b.")


class DiagnoseSpec(JobRequest):
    """Diagnose weights trained elsewhere: how they scale with depth, how regular they are, what they tend to."""

    kind: Literal["diagnose"]
    networks: Annotated[
        list[NetworkWeights],
        BeforeValidator(_networks),
    ] = Field(description="In any order; several of one depth, from several starts, narrow the intervals.")
    residual_exponent: Annotated[float, Real(ge=0, le=1)] = Field(
        default=1.0,
        description="α of the networks X_{i+1} = X_i + n^(-α) σ(K_i X_i + b_i): 1 is the paper's, 0 a plain network.",
    )
    limits: JobLimits = JobLimits()
