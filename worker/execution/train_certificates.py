"""Deeplimit → contract: certificates, Euler-Lagrange residuals, regularity, compactness and the independent check."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from service.contract.train import certificates as contract

if TYPE_CHECKING:
    from worker.deeplimit.diagnostics.measure.regularity import Bend, RegularityRow
    from worker.deeplimit.diagnostics.report import Diagnostics
    from worker.deeplimit.minimise.certificate import Certificate


def certificates_of(found: Diagnostics) -> dict[str, object]:
    """Return the parts of the diagnostics by name; those that do not apply are None."""
    return {
        "certificates": _certificates(found),
        "euler_lagrange": found.euler_lagrange and contract.EulerLagrange.model_validate(asdict(found.euler_lagrange)),
        "regularity": found.regularity and contract.Regularity(depths=[_regularity(row) for row in found.regularity]),
        "compactness": found.compactness
        and contract.Compactness(depths=[contract.CompactnessRow(**asdict(row)) for row in found.compactness]),
        "independent_check": found.independent_check
        and contract.IndependentCheck.model_validate(asdict(found.independent_check)),
    }


def _certificates(found: Diagnostics) -> contract.Certificates | None:
    rows = [
        contract.DepthCertificate.model_validate({"depth": depth, **_certificate(each)})
        for depth, each in sorted(found.certificates.depths.items())
    ]
    limit = found.certificates.continuum
    if limit is None:
        return contract.Certificates(depths=rows) if rows else None
    return contract.Certificates(depths=rows, continuum=contract.Certificate.model_validate(_certificate(limit)))


def _certificate(each: Certificate) -> dict[str, object]:
    return {
        "lambda_min": each.lambda_min,
        "lambda_min_error": each.lambda_min_error,
        "kind": each.kind,
        "optimisation_error": each.optimisation_error,
        "withheld": each.withheld,
    }


def _regularity(row: RegularityRow) -> contract.RegularityRow:
    withheld = dict(row.withheld)
    content = _bend(row.K)
    if row.K is None:
        reason = withheld.pop("K")
        withheld.update(dict.fromkeys(content, reason))
    return contract.RegularityRow.model_validate(
        {"depth": row.depth, **content, "b": None if row.b is None else _bend(row.b), "withheld": withheld}
    )


def _bend(bend: Bend | None) -> dict[str, object]:
    names = contract.Bend.model_fields
    if bend is None:
        return dict.fromkeys(names)
    return {field.name: getattr(bend, field.name) for field in fields(bend)}
