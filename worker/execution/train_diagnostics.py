"""Deeplimit → contract: the convergence diagnostics."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from service.contract.train import certificates, sequence
from service.contract.train import diagnostics as contract
from worker.deeplimit.study.branches import found_interval
from worker.execution.train_certificates import certificates_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.deeplimit import TrainedStudy
    from worker.deeplimit.diagnostics.measure.bracket import ExcessRow
    from worker.deeplimit.diagnostics.measure.error_budget import ErrorBudget
    from worker.deeplimit.diagnostics.measure.minima import Minima
    from worker.deeplimit.diagnostics.measure.minimisers import MinimisersRow
    from worker.deeplimit.diagnostics.measure.states import SupErrorRow
    from worker.deeplimit.diagnostics.report import Diagnostics
    from worker.deeplimit.diagnostics.sequence.classification import Classification
    from worker.deeplimit.study.branches import Branch


def diagnostics_of(trained: TrainedStudy) -> contract.Diagnostics:
    """Return the diagnostics; parts that do not apply are left out."""
    found = trained.diagnostics
    parts: dict[str, object] = {
        "minima": found.minima and _minima(found.minima, with_continuum=found.minimisers is not None),
        "minimisers": _minimisers(found),
        "states": found.states and contract.States(depths=_sup_rows(found.states)),
        "predictions": found.predictions and _predictions(found),
        "recovery": found.recovery and _bracket(found.recovery),
        "lift": found.lift and _bracket(found.lift),
        "classification": found.classification and classification_of(found.classification),
        **certificates_of(found),
        "depth_advice": [sequence.DepthAdvice.model_validate(asdict(row)) for row in found.depth_advice],
    }
    return contract.Diagnostics.model_validate(
        {
            "assumptions": [contract.Assumption(**asdict(assumption)) for assumption in found.assumptions],
            "branches": [_branch(trained, index, branch) for index, branch in enumerate(trained.study.branches)],
            "verdict": contract.Verdict(converges=found.verdict.converges, statements=found.verdict.statements),
            **{name: part for name, part in parts.items() if part},
        }
    )


def classification_of(found: Classification) -> sequence.Classification:
    """Return what kind of limit a sequence of weights has, and why."""
    evidence = [
        sequence.Evidence(
            name=row.name,
            value=row.value,
            interval=row.interval,
            supports=None if row.supports is None else sequence.SequenceClass(row.supports.value),
            detail=row.detail,
        )
        for row in found.evidence
    ]
    return sequence.Classification(sequence_class=sequence.SequenceClass(found.sequence_class.value), evidence=evidence)


def _minima(minima: Minima, *, with_continuum: bool) -> contract.Minima:
    content = asdict(minima)
    if not with_continuum:
        del content["continuum"], content["predicted_slope"]
        for row in content["depths"]:
            del row["gap"], row["slope"]
    return contract.Minima.model_validate(content)


def _minimisers(found: Diagnostics) -> contract.Minimisers | None:
    if not found.minimisers and not found.consecutive:
        return None
    pairs = [
        contract.ConsecutiveRow(
            depths=list(row.depths),
            tl2=_distance(row),
            order=row.order or None,
            error_budget=_budget(row.error_budget),
            withheld=row.withheld,
        )
        for row in found.consecutive
    ]
    if found.minimisers is None:
        return contract.Minimisers(consecutive=pairs)
    rows = [
        contract.MinimisersRow(
            depth=row.depths[0],
            tl2=_distance(row),
            h1_seminorm=None if row.h1_seminorm is None else contract.PerLayerParameter(**row.h1_seminorm),
            order=row.order or None,
            error_budget=_budget(row.error_budget),
            withheld=row.withheld,
        )
        for row in found.minimisers
    ]
    return contract.Minimisers(depths=rows, consecutive=pairs)


def _budget(known: ErrorBudget | None) -> certificates.ErrorBudget | None:
    return None if known is None else certificates.ErrorBudget.model_validate(asdict(known))


def _distance(row: MinimisersRow) -> contract.PerParameterTotal:
    return contract.PerParameterTotal(**row.tl2.as_dict())


def _sup_rows(rows: Sequence[SupErrorRow]) -> list[contract.SupErrorRow]:
    return [contract.SupErrorRow.model_validate(asdict(row)) for row in rows]


def _predictions(found: Diagnostics) -> contract.Predictions:
    return contract.Predictions.model_validate({"data": found.data, "depths": _sup_rows(found.predictions or [])})


def _bracket(rows: Sequence[ExcessRow]) -> contract.Bracket:
    return contract.Bracket(depths=[contract.ExcessRow.model_validate(asdict(row)) for row in rows])


def _branch(trained: TrainedStudy, index: int, branch: Branch) -> contract.Branch:
    objectives: dict[str, float | None] = {
        str(depth): point.solution.objective for depth, point in sorted(branch.points.items())
    }
    if branch.continuum is not None:
        objectives["continuum"] = branch.continuum.solution.objective
    certificates = {str(depth): point.certificate for depth, point in sorted(branch.points.items())}
    if branch.continuum is not None:
        certificates["continuum"] = branch.continuum.certificate
    lambda_min = {name: found.lambda_min for name, found in certificates.items() if found is not None}
    low, high = found_interval(branch.starts, trained.study.starts)
    return contract.Branch(
        branch=index,
        verdict=index == trained.study.verdict,
        starts=branch.starts,
        frequency=contract.Frequency(share=branch.starts / trained.study.starts, interval=[low, high]),
        lambda_min=lambda_min,
        objectives=objectives,
        status=branch.status.value,
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
