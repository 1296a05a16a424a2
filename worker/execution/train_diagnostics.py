"""Deeplimit → contract: the diagnostics, whose dataclasses mirror the contract but for what is said here."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

from deeplimit.mathematics.study.branches import found_interval
from service.contract.train import certificates, diagnostics

if TYPE_CHECKING:
    from pydantic import BaseModel

    from deeplimit.mathematics import TrainedStudy
    from deeplimit.mathematics.diagnostics.measure.minima import Minima
    from deeplimit.mathematics.diagnostics.measure.regularity import RegularityRow
    from deeplimit.mathematics.study.branch_certificates import Certificates
    from deeplimit.mathematics.study.branches import Branch, StationaryPoint

BY_DEPTH: Final = ("states", "recovery", "lift", "compactness")
"""Parts that are a list of rows there, and an answer with the rows as ``depths``."""

WITHIN: Final = {"consecutive": "minimisers"}
"""Parts that are a piece of another one here."""

Model = TypeVar("Model", bound="BaseModel")


def diagnostics_of(trained: TrainedStudy) -> diagnostics.Diagnostics:
    """Return the diagnostics; parts that do not apply are left out, and those are null that there was no time for."""
    measured = trained.diagnostics
    parts: dict[str, Any] = {
        name: getattr(measured, name) for name in diagnostics.Diagnostics.model_fields if hasattr(measured, name)
    }
    parts |= {name: parts[name] and {"depths": parts[name]} for name in BY_DEPTH}
    parts["minima"] = measured.minima and _minima(measured.minima, with_continuum=measured.minimisers is not None)
    parts["minimisers"] = {"depths": measured.minimisers, "consecutive": measured.consecutive}
    if measured.minimisers is None:
        del parts["minimisers"]["depths"]
        parts["minimisers"] = measured.consecutive and parts["minimisers"]
    parts["predictions"] = measured.predictions and {"data": measured.data, "depths": measured.predictions}
    parts["regularity"] = measured.regularity and {"depths": [_regularity(row) for row in measured.regularity]}
    parts["certificates"] = _certificates(measured.certificates)
    given = {name: part for name, part in parts.items() if part}
    withheld = {WITHIN.get(name, name): reason for name, reason in measured.withheld.items()}
    withheld = {name: reason for name, reason in withheld.items() if name in parts and name != "verdict"}
    given |= dict.fromkeys(withheld) | ({"withheld": withheld} if withheld else {})
    branches = [_branch(trained, index, branch) for index, branch in enumerate(trained.study.branches)]
    given |= {"branches": branches, "unseen_minima": trained.study.unseen}
    return diagnostics.Diagnostics.model_validate(given, from_attributes=True)


def without(model: Model, *names: str) -> Model:
    """Return an answer without some of its fields: they are absent when it is written, not null."""
    return model.model_construct(model.model_fields_set - {*names}, **dict(model))


def _minima(minima: Minima, *, with_continuum: bool) -> diagnostics.Minima:
    answer = diagnostics.Minima.model_validate(minima, from_attributes=True)
    if with_continuum:
        return answer
    rows = [without(row, "gap", "slope") for row in answer.depths]
    return without(answer.model_copy(update={"depths": rows}), "continuum", "predicted_slope", "predicted_slope_error")


def _certificates(certified: Certificates) -> dict[str, Any] | None:
    answers = {
        depth: certificates.Certificate.model_validate(each, from_attributes=True)
        for depth, each in sorted(certified.depths.items())
    }
    parts: dict[str, Any] = {"depths": [{**dict(answer), "depth": depth} for depth, answer in answers.items()]}
    if certified.continuum is not None:
        parts["continuum"] = certified.continuum
    return parts if any(parts.values()) else None


def _regularity(row: RegularityRow) -> dict[str, Any]:
    """Return the row with the fields of K beside those of the depth."""
    names, withheld = certificates.Bend.model_fields, row.withheld
    if row.K is None:
        reason = withheld["K"]
        withheld = {name: reason for name, reason in withheld.items() if name != "K"} | dict.fromkeys(names, reason)
    K = dict.fromkeys(names) if row.K is None else asdict(row.K)
    return {"depth": row.depth, **K, "b": row.b, "withheld": withheld}


def _branch(trained: TrainedStudy, index: int, branch: Branch) -> diagnostics.Branch:
    models: dict[str, StationaryPoint] = {str(depth): point for depth, point in sorted(branch.points.items())}
    if branch.continuum is not None:
        models["continuum"] = branch.continuum
    low, high = found_interval(branch.starts, trained.study.starts)
    return diagnostics.Branch(
        branch=index,
        verdict=index == trained.study.verdict,
        starts=branch.starts,
        frequency=diagnostics.Frequency(share=branch.starts / trained.study.starts, interval=[low, high]),
        objectives={name: point.solution.objective for name, point in models.items()},
        lambda_min={
            name: point.certificate.lambda_min for name, point in models.items() if point.certificate is not None
        },
        status=branch.outcome.value,
        left_at=branch.left,
        detail=_story(branch),
    )


def _story(branch: Branch) -> str | None:
    """Return what befell a branch on its way, in words."""
    told = []
    for name, saddle in branch.left_saddles.items():
        place = "the continuum" if name == "continuum" else name
        numbers = f"E = {saddle.solution.objective:.9g}"
        if saddle.certificate is not None:
            numbers += f", λ_min = {saddle.certificate.lambda_min:.3g}"
        told.append(f"its prolongation to {place} led to a saddle ({numbers}), which was left for a lower minimum")
    if branch.merged_into is not None:
        told.append(f"coincides with branch {branch.merged_into} from its last depth on")
    return "; ".join(told) or None
