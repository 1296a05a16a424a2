"""What certificates, regularity, compactness and both checks of the Euler-Lagrange equations say, to be quoted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deeplimit.mathematics.diagnostics.measure.orders import Observation, observed_orders
from deeplimit.mathematics.diagnostics.measure.regularity import Bend, boundary_error, boundary_residual
from deeplimit.mathematics.diagnostics.statements.finding import Finding
from deeplimit.mathematics.diagnostics.statements.wording import at_least, depths, listed, places
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.minimise.certificate import Certificate, Kind
from deeplimit.mathematics.problem.learning_problem import LAYERED

if TYPE_CHECKING:
    from deeplimit.mathematics.diagnostics.measure.compactness import CompactnessRow
    from deeplimit.mathematics.diagnostics.measured import MeasuredStudy

_SAME: Final = 1e-6
"""Two values of E_∞ agree when they are this close, relative to them."""
_EQUAL: Final = 1e-6
"""Bounds that differ by less, relative to them, are one bound."""


def stationary_points(subject: Subject, measured: MeasuredStudy) -> list[Finding]:
    """Say what is known of the stationary points: their kind, and how well they meet their equations and bounds."""
    return [
        *_certificates(measured),
        *_regularity(subject, measured),
        *_compactness(subject, measured),
        *_euler_lagrange(subject, measured),
        *_independent_check(subject, measured),
    ]


def _certificates(measured: MeasuredStudy) -> list[Finding]:
    found = measured.certificates
    named: list[tuple[int | None, Certificate]] = sorted(found.depths.items())
    if found.continuum is not None:
        named.append((None, found.continuum))

    def where(some: list[tuple[int | None, Certificate]]) -> str:
        numbers = [depth for depth, _ in some if depth is not None]
        return places(numbers, continuum=len(numbers) < len(some), every=len(numbers) == len(found.depths))

    of_kind = {kind: [item for item in named if item[1].kind is kind] for kind in (*Kind, None)}
    out = list[Finding]()
    if minima := of_kind[Kind.STRICT_MINIMUM]:
        least = min((each.lambda_min or 0.0) - (each.lambda_min_error or 0.0) for _, each in minima)
        text = (
            f"The solution is certified as a strict local minimum {where(minima)}: the smallest eigenvalue of the"
            f" Hessian, by Davidson's method in increment coordinates, is at least {at_least(least)}."
        )
        out.append(Finding("certified_minimum", text, holds=True))
    for item in of_kind[Kind.SADDLE]:
        curvature = item[1].lambda_min
        text = (
            f"The stationary point {where([item])} is a saddle and no minimum: along one direction the curvature of the"
            f" objective is {curvature:.3g}."
        )
        out.append(Finding("certified_saddle", text, holds=False))
    if degenerate := of_kind[Kind.DEGENERATE]:
        largest = max(abs(each.lambda_min or 0.0) for _, each in degenerate)
        text = (
            f"Certificates are undecided {where(degenerate)}: the smallest eigenvalue of the Hessian, at most"
            f" {largest:.1e} in size, is not told from 0, so that second derivatives do not tell a minimum."
        )
        out.append(Finding("certificate_undecided", text))
    reasons = dict.fromkeys(each.withheld.get("kind", "it was not made") for _, each in of_kind[None])
    for reason in reasons:
        some = [item for item in of_kind[None] if item[1].withheld.get("kind", "it was not made") == reason]
        out.append(Finding("certificate_withheld", f"Certificates are withheld {where(some)}: {reason}."))
    return out


def _regularity(subject: Subject, measured: MeasuredStudy) -> list[Finding]:
    bends: dict[str, list[tuple[int, Bend]]] = {}
    for row in measured.regularity:
        for name, bend in (("K", row.K), ("b", row.b)):
            if bend is not None:
                bends.setdefault(name, []).append((row.depth, bend))
    out, kept, small = list[Finding](), [], []
    for name, rows in bends.items():
        broken = [depth for depth, bend in rows if not bend.holds]
        finest = rows[-1][1]
        if broken:
            text = (
                f"At {depths(broken)} the second differences of {name} exceed their H² bound and its allowance in some"
                " layer, which they cannot at a stationary point."
            )
            out.append(Finding("second_differences", text, holds=False))
        elif finest.bound > finest.allowance:
            bound = f"bound {finest.bound:.4g} ± {finest.allowance:.1e}"
            kept.append(f"{finest.second_difference:.4g} for {name} ({bound})")
        else:
            small.append(name)
    if kept:
        numbers = [depth for depth, _ in next(iter(bends.values()))]
        text = (
            f"In every inner layer at {depths(numbers)} the second differences are within their H² bound and its"
            f" allowance: at depth {numbers[-1]} they are at most {listed(kept)}."
        )
        out.append(Finding("second_differences", text, holds=True))
    if small:
        text = f"The H² bound of {listed(small)} is too small beside its allowance to be tested."
        out.append(Finding("second_differences_untested", text))
    return [*out, *_boundary(subject, bends)]


def _boundary(subject: Subject, bends: dict[str, list[tuple[int, Bend]]]) -> list[Finding]:
    """Say how fast the boundary residuals fall between the two finest depths, where they are above noise."""
    orders, sizes, noise, pair = [], [], [], []
    for name, rows in bends.items():
        if len(rows) < 2:
            continue
        pair, tau = [depth for depth, _ in rows[-2:]], subject.problem.tau(name)
        unfit = {point.depth: subject.unfit(point) for point in subject.points}
        if any(unfit[depth] for depth in pair):
            return []
        measured = [
            Observation(depth, boundary_residual(bend), boundary_error(bend, depth, tau)) for depth, bend in rows[-2:]
        ]
        order, _ = observed_orders(measured)[-1]
        if order is None:
            noise.append(name)
        else:
            orders.append(f"{order:.2f} for {name}")
            sizes.append(f"{measured[-1].value:.1e}")
    out = []
    if orders:
        text = (
            f"From depth {pair[0]} to {pair[1]} the order of the boundary residuals is {listed(orders)}; 1 is expected."
            f" At depth {pair[1]} they are {listed(sizes)}."
        )
        out.append(Finding("boundary_residuals", text))
    if noise:
        text = (
            f"The boundary residuals of {listed(noise)} are not told from what the optimisation leaves of the gradient."
        )
        out.append(Finding("boundary_residuals_untested", text))
    return out


def _compactness(subject: Subject, measured: MeasuredStudy) -> list[Finding]:
    known = [row for row in measured.compactness if row.bounded is not None]
    held, broken = [row for row in known if row.bounded], [row for row in known if not row.bounded]
    trained = [name for name in LAYERED if name not in subject.problem.fixed]
    alpha = subject.problem.regularisation.alpha
    out = []
    for row in broken:
        size = sum(alpha[name] * {"K": row.R_K, "b": row.R_b}[name] for name in trained)
        null = (row.holder_bound or 0.0) ** 2 * alpha[trained[0]]
        text = (
            f"The a-priori bound fails at depth {row.depth}: the regulariser of {listed(trained)}, {size:.4g}, is above"
            f" E_n(0) = {null:.4g}, and so is E_n."
        )
        out.append(Finding("a_priori_bound", text, holds=False))
    if held:
        largest, bound = max(row.holder or 0.0 for row in held), _bound(held)
        text = (
            f"At {depths(row.depth for row in held)} the Hölder quotients of {trained[0]}, {largest:.4g} at most, are"
            f" within the a-priori bound √(E_n(0)/α_{trained[0]}) {bound}."
        )
        out.append(Finding("a_priori_bound", text, holds=True))
    return out


def _bound(rows: list[CompactnessRow]) -> str:
    bounds = [row.holder_bound or 0.0 for row in rows]
    if len(rows) == 1:
        return f"= {bounds[0]:.4g}"
    if max(bounds) - min(bounds) <= _EQUAL * max(bounds):
        return f"= {bounds[-1]:.4g}, the same at every depth"
    return f"of each depth, {min(bounds):.4g} at least"


def _euler_lagrange(subject: Subject, measured: MeasuredStudy) -> list[Finding]:
    found, fit = measured.euler_lagrange, subject.continuum
    parts = [part for part in (found.K, found.b) if part is not None] if found is not None else []
    if not parts or fit is None:
        return []
    worst, worth = max(part.residual for part in parts), sum(part.objective_error for part in parts)
    # What the equations' terms themselves are worth: below the error of E_∞ there is nothing to be a share of.
    if worst == 0.0 or worth / worst**2 <= fit.error:
        sentence = "The terms of the continuum model's Euler-Lagrange equations vanish within the error of the model"
        return [Finding("euler_lagrange", f"{sentence}: their residual is worth {worth:.1e} in E_∞.")]
    sentence = (
        f"The residual of the continuum model's Euler-Lagrange equations is {worst:.1e} of their largest term, worth"
        f" about {worth:.1e} in E_∞."
    )
    return [Finding("euler_lagrange", sentence)]


@dataclass(frozen=True)
class Agreement:
    """Whether the boundary-value problem's E_∞ is the trained one, and the numbers that say so."""

    agrees: bool
    numbers: str


def agreement(subject: Subject, measured: MeasuredStudy) -> Agreement | None:
    """Compare E_∞ of the independent check with what either value may be wrong by; None where there is no check."""
    found, fit = measured.independent_check, subject.continuum
    if found is None or found.objective is None or found.difference is None or fit is None:
        return None
    known = measured.certificates.continuum or Certificate()
    error = fit.step_error + fit.basis_error + max(fit.solution.error_estimate, known.optimisation_error or 0.0)
    apart, sharp = f"difference {found.difference:+.1e}", _SAME * abs(found.objective)
    if abs(found.difference) <= sharp:
        return Agreement(True, f"{apart}, below {_SAME:.0e} of E_∞")
    agrees = abs(found.difference) <= error
    side = "within" if agrees else "beyond"
    return Agreement(agrees, f"{apart}, {side} the estimated error {error:.1e} of the trained model")


def _independent_check(subject: Subject, measured: MeasuredStudy) -> list[Finding]:
    """Say whether E_∞ is confirmed, and whether it is a minimum's."""
    found, compared = measured.independent_check, agreement(subject, measured)
    if found is None or compared is None:
        return []
    known, agrees = measured.certificates.continuum or Certificate(), compared.agrees
    if known.kind is Kind.SADDLE:
        verb = "it ends at" if agrees else "it does not end at"
        said = f"{verb} the trained stationary point, a saddle and no minimum"
    elif known.kind is Kind.STRICT_MINIMUM:
        said = f"{'it confirms' if agrees else 'it does not confirm'} the trained limit"
    else:
        said = f"{'it ends at' if agrees else 'it does not end at'} the trained point, not certified as a minimum"
    sentence = (
        "The Euler-Lagrange boundary-value problem, solved by collocation from the trained model, gives E_∞ ="
        f" {found.objective:.10g}: {said} ({compared.numbers})."
    )
    return [Finding("independent_check", sentence, agrees)]
