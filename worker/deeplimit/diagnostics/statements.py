"""What certificates, regularity and the independent check say, in words that a user can quote."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from worker.deeplimit.diagnostics.certificate import Certificate, Kind

if TYPE_CHECKING:
    from worker.deeplimit.diagnostics.report import Diagnostics

_SAME: Final = 1e-6
"""Two values of E_∞ agree when they are this close, relative to the larger."""


def certified(diagnostics: Diagnostics) -> list[str]:
    """Return the sentences."""
    return [
        *_certificates(diagnostics),
        *_regularity(diagnostics),
        *_compactness(diagnostics),
        *_euler_lagrange(diagnostics),
        *_independent_check(diagnostics),
    ]


def _certificates(diagnostics: Diagnostics) -> list[str]:
    found = diagnostics.certificates
    named: dict[str, Certificate] = {f"depth {depth}": each for depth, each in found.depths.items()}
    if found.continuum is not None:
        named["the continuum"] = found.continuum
    if not named:
        return []
    minima = {where: each for where, each in named.items() if each.kind is Kind.STRICT_MINIMUM}
    out = []
    if minima:
        where = "every depth and in the continuum" if found.continuum is not None else "every depth"
        least = min((each.lambda_min or 0.0) - (each.lambda_min_error or 0.0) for each in minima.values())
        out.append(
            f"The solution is certified as a strict local minimum at"
            f" {where if len(minima) == len(named) else ', '.join(minima)}: the smallest eigenvalue of the Hessian is"
            f" at least {least:.4g}."
        )
    for kind, words in (
        (Kind.SADDLE, "is a saddle, along whose negative curvature E falls"),
        (Kind.DEGENERATE, "is degenerate: second derivatives do not tell whether it is a minimum"),
    ):
        of_kind = [(where, each) for where, each in named.items() if each.kind is kind]
        out += [f"The point at {where} {words} (λ_min = {each.lambda_min:.3g})." for where, each in of_kind]
    reasons = {each.withheld.get("kind", "") for each in named.values() if each.kind is None}
    if reasons:
        out.append(f"Certificates are withheld: {'; '.join(sorted(reasons))}.")
    return out


def _regularity(diagnostics: Diagnostics) -> list[str]:
    rows = [row for row in diagnostics.regularity if row.K is not None or row.b is not None]
    if not rows:
        return []
    broken = [row.depth for row in rows if any(part is not None and not part.holds for part in (row.K, row.b))]
    if broken:
        return [f"The second differences exceed their H² bound at depths {broken}: the weights are not regular there."]
    sentence = (
        f"The second differences stay within their H² bound and its allowance in every layer of the depths"
        f" {[row.depth for row in rows]}"
    )
    order = _boundary_order(diagnostics)
    return [f"{sentence}, and the boundary residuals fall with order {order:.2f}." if order else f"{sentence}."]


def _boundary_order(diagnostics: Diagnostics) -> float | None:
    """Return the observed order of ‖(boundary_0, boundary_1)‖ on the last pair of depths."""
    pairs = [(row.depth, row.K or row.b) for row in diagnostics.regularity if row.K is not None or row.b is not None]
    if len(pairs) < 2:
        return None
    (n, before), (m, after) = pairs[-2:]
    if before is None or after is None:
        return None
    first, second = (math.hypot(part.boundary_0, part.boundary_1) for part in (before, after))
    return math.log(first / second) / math.log(m / n) if first > 0.0 and second > 0.0 else None


def _compactness(diagnostics: Diagnostics) -> list[str]:
    known = [row for row in diagnostics.compactness if row.bounded is not None]
    if not known:
        return []
    broken = [row.depth for row in known if not row.bounded]
    if broken:
        return [f"At depths {broken} the parameters exceed the a-priori bound: the objective there is above E_n(0)."]
    largest = max(row.holder or 0.0 for row in known)
    sentence = (
        f"The Hölder quotients, {largest:.4g} at most, are within the a-priori bound of {known[-1].holder_bound:.4g}"
        " that does not depend on the depth."
    )
    return [sentence]


def _euler_lagrange(diagnostics: Diagnostics) -> list[str]:
    found = diagnostics.euler_lagrange
    parts = [part for part in (found.K, found.b) if part is not None] if found is not None else []
    if not parts:
        return []
    worst, worth = max(part.residual for part in parts), sum(part.objective_error for part in parts)
    sentence = (
        f"The residual of the continuum model's Euler-Lagrange equations is {worst:.1e} of their terms, worth"
        f" {worth:.1e} in E_∞."
    )
    return [sentence]


def _independent_check(diagnostics: Diagnostics) -> list[str]:
    found = diagnostics.independent_check
    if found is None or found.objective is None or found.difference is None:
        return []
    agrees = abs(found.difference) <= _SAME * abs(found.objective)
    sentence = (
        f"The Euler-Lagrange boundary-value problem, solved by collocation, gives E_∞ = {found.objective:.10g}:"
        f" {'it confirms' if agrees else 'it does not confirm'} the trained limit ({found.difference:+.1e})."
    )
    return [sentence]
