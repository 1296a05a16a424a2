"""A diagnose specification as a client writes it: which weights, trained elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from service.contract.request import JobLimits, JobRequest, Strict, entries
from service.contract.values.numbers import Real, TextOf, Whole


class NetworkWeights(Strict):
    """The weights of one network."""

    depth: Annotated[int, Whole(ge=2, most="depth")] | None = Field(
        default=None, description="Checked against the data set where it is given."
    )
    dataset_id: Annotated[str, TextOf(max_length=200)] = Field(description="An upload that holds K and b.")


class DiagnoseSpec(JobRequest):
    """Diagnose weights trained elsewhere: how they scale with depth, how regular they are, what they tend to."""

    kind: Literal["diagnose"]
    networks: Annotated[list[NetworkWeights], entries("networks")] = Field(
        description="In any order; several of one depth, from several starts, narrow the intervals."
    )
    residual_exponent: Annotated[float, Real(ge=0, le=1)] = Field(
        default=1.0,
        description="α of the networks X_{i+1} = X_i + n^(-α) σ(K_i X_i + b_i): 1 is the paper's, 0 a plain network.",
    )
    limits: JobLimits = JobLimits()
