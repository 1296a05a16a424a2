"""Answers of the second-order and regularity diagnostics: certificates, Euler-Lagrange, compactness, error budgets."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from service.contract.values.answer import Answer, Withheld
from service.contract.values.numbers import Finding


class ErrorBudget(Answer):
    """Estimated errors of the gap, distance, deviation or excess beside it, in its unit, by source."""

    optimisation: Finding
    integration: Finding
    discretisation: Finding
    interval: Annotated[list[Finding], Field(min_length=2, max_length=2)] | None = Field(
        description="[lo, hi] that the order beside it lies in; null where there is no order."
    )


class CertificateKind(StrEnum):
    """What second derivatives say about a stationary point."""

    STRICT_MINIMUM = "strict_minimum"
    SADDLE = "saddle"
    DEGENERATE = "degenerate"


class Certificate(Answer):
    """Smallest eigenvalue of the Hessian in increment coordinates, and what it certifies."""

    lambda_min: Finding | None
    lambda_min_error: Finding | None = Field(description="Bound from the residual of the eigenvector.")
    kind: CertificateKind | None
    optimisation_error: Finding | None = Field(description="‖g‖²/(2 λ_min), a bound of E − E*; for a strict minimum.")
    withheld: Withheld = Field(default={})


class DepthCertificate(Certificate):
    """The certificate of one depth."""

    depth: int


class Certificates(Answer):
    """Second-order certificates; ``continuum`` is absent without one."""

    depths: list[DepthCertificate]
    continuum: Certificate | None = None


class EulerLagrangeResiduals(Answer):
    """How far K or b is from its Euler-Lagrange equation; of two-layer blocks K is K and V together."""

    residual: Finding = Field(description="In the dual norm, relative to the equation's terms.")
    absolute: Finding
    objective_error: Finding = Field(description="What the residual is worth in E_∞.")
    boundary_0: Finding = Field(description="‖A'(0) − τ T A(0)‖, T the horizon.")
    boundary_1: Finding = Field(description="‖A'(1)‖.")


class EulerLagrange(Answer):
    """Residuals of the continuum model."""

    K: EulerLagrangeResiduals | None
    b: EulerLagrangeResiduals | None
    withheld: Withheld = Field(default={})


class Bend(Answer):
    """Second differences and boundary residuals of one parameter; of two-layer blocks K is K and V together."""

    second_difference: Finding | None = Field(description="max_i n²‖A_{i+1} − 2A_i + A_{i−1}‖.")
    bound: Finding | None
    allowance: Finding | None = Field(description="For the gradient norm and rounding.")
    holds: bool | None = Field(description="Whether the bound and its allowance hold in every layer.")
    boundary_0: Finding | None = Field(description="‖n(A_1 − A_0) − τ T A_0‖, T the horizon.")
    boundary_1: Finding | None = Field(description="n‖A_{n−1} − A_{n−2}‖.")


class RegularityRow(Bend):
    """One depth: of K, and of b beside it."""

    depth: int
    b: Bend | None
    withheld: Withheld = Field(default={})


class Regularity(Answer):
    """The computable H² bound."""

    depths: list[RegularityRow]


class CompactnessRow(Answer):
    """One depth's regularisers and Hölder quotient."""

    depth: int
    R_K: Finding = Field(description="R_n(K), without α.")
    R_b: Finding
    holder: Finding | None = Field(description="max ‖K_i − K_j‖ / |t_i − t_j|^½; of b where K is fixed.")
    holder_bound: Finding | None = Field(description="√(E_n(0)/α).")
    bounded: bool | None = None
    withheld: Withheld = Field(default={})


class Compactness(Answer):
    """What bounds the sequence of minimisers."""

    depths: list[CompactnessRow]


class IndependentCheck(Answer):
    """The Euler-Lagrange boundary-value problem, solved by collocation."""

    objective: Finding | None
    difference: Finding | None = Field(description="``objective`` minus the trained E_∞.")
    parameters_difference: Finding | None
    unknown_functions: int | None = None
    mesh: int | None = None
    residual: Finding | None = Field(default=None, description="Largest relative residual of the collocation.")
    withheld: Withheld = Field(default={})
