"""What the predicted slope, both excesses and the branches say, to be quoted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from deeplimit.mathematics.diagnostics.statements.finding import Finding
from deeplimit.mathematics.diagnostics.statements.wording import depths, listed
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.study.branches import BranchStatus

if TYPE_CHECKING:
    from deeplimit.mathematics.diagnostics.measure.bracket import ExcessRow
    from deeplimit.mathematics.diagnostics.measured import MeasuredStudy
    from deeplimit.mathematics.study.sweep import Study

_SLOPE_SHARE: Final = 0.1
"""A predicted slope agrees with the observed one when it is this close, relative to the latter."""


def slopes(measured: MeasuredStudy) -> list[Finding]:
    """Compare the slope that the continuum predicts with the one at the finest depth."""
    if measured.minima is None or not measured.minima.depths:
        return []
    last, predicted, limit = (
        measured.minima.depths[-1],
        measured.minima.predicted_slope,
        measured.minima.continuum,
    )
    if last.slope is None or predicted is None or limit is None:
        return []
    share = abs(predicted - last.slope) / abs(last.slope)
    agrees = share <= _SLOPE_SHARE
    law = f": E_n ≈ {limit:.8g} {'−' if predicted < 0.0 else '+'} {abs(predicted):.4g}/n" if agrees else ""
    sentence = (
        f"The predicted slope {predicted:.6g} {'agrees with' if agrees else 'differs from'} the observed"
        f" n(E_n − E_∞) = {last.slope:.6g} at depth {last.depth} ({100.0 * share:.2g} % apart){law}."
    )
    return [Finding("predicted_slope", sentence, agrees)]


def bracket(subject: Subject, measured: MeasuredStudy) -> list[Finding]:
    """Say whether lifts and recovery sequences lie above the trained minima, as they must if those are global."""
    return [
        *_excess(subject, "lift", measured.lift or [], "E_∞"),
        *_excess(subject, "recovery", measured.recovery or [], "E_n"),
    ]


def _excess(subject: Subject, name: str, rows: list[ExcessRow], objective: str) -> list[Finding]:
    known = [
        (row, subject.objective_error(point))
        for row, point in zip(rows, subject.points if rows else [], strict=True)
        if subject.unfit(point) is None and math.isfinite(row.excess)
    ]
    if not known:
        return []
    below = [row for row, error in known if row.excess < -2.0 * error]
    if below:
        values = listed([f"{row.excess:.1e}" for row in below])
        sentence = (
            f"The {name} excess is negative at {depths(row.depth for row in below)}, {values}: {objective} has a lower"
            " minimum than the trained one."
        )
        return [Finding(f"{name}_excess", sentence, holds=False)]
    last, margin = known[-1][0], 2.0 * max(error for _, error in known)
    sentence = (
        f"The {name} excess is {last.excess:.1e} at depth {last.depth}, and at {depths(row.depth for row, _ in known)}"
        f" not negative to within {margin:.1e}: it shows no lower minimum of {objective} than the trained one."
    )
    return [Finding(f"{name}_excess", sentence, holds=True)]


def branches(subject: Subject) -> list[Finding]:
    """Say which branch the verdict is about, where it was lost, and how many starts led to it."""
    study, out = subject.study, list[Finding]()
    branch = study.verdict_branch
    followed = [b for b in study.branches if b.status not in (BranchStatus.NOT_CARRIED, BranchStatus.SADDLE)]
    if len(followed) > 1:
        where = "in the continuum" if branch.continuum is not None else f"at depth {max(branch.points)}"
        lowest = f", the lowest {where}" if math.isfinite(branch.level) else ""
        text = f"{len(followed)} branches were followed; this verdict is about branch {study.verdict}{lowest}."
        out.append(Finding("branches_followed", text))
    for name in branch.left_saddles:
        where = "In the continuum" if name == "continuum" else f"At depth {name.removeprefix('discrete-')}"
        text = f"{where} the verdict branch led to a saddle, which was left for a lower minimum."
        out.append(Finding("saddle_left", text))
    if branch.left:
        text = f"The verdict branch could not be followed back to {depths(branch.left)}."
        out.append(Finding("branch_left", text, holds=False))
    led = f"{study.verdict_starts} of the {study.starts} random starts"
    if study.starts == 1:
        led = "The one random start"
    text = f"{led} that the study began with led to the verdict branch."
    if not study.verdict_starts:
        text = "No start led to the verdict branch: it was found from a point of a higher one."
    return [*out, Finding("starts_of_branch", text), Finding("unseen_minima", _unseen(study), not study.lowest_found)]


def _unseen(study: Study) -> str:
    """Say how likely another start is to find another minimum."""
    found = study.unseen
    minima = "one minimum was" if found.minima == 1 else f"{found.minima} minima were"
    chance = (
        f"{minima} found; the chance that one more start finds another is estimated at {found.estimate:.2g}, with 95 %"
        f" confidence at most {found.interval[1]:.2g}"
    )
    if study.lowest_found:
        return f"{chance[0].upper()}{chance[1:]}: a lower one is not excluded (training.starts)."
    return f"{chance[0].upper()}{chance[1:]}."
