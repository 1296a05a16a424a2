"""From a diagnose specification to a resolved one: do the data sets hold weights that can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.contract.data.dataset import WeightFacts
from service.contract.diagnose.resolved import ResolvedDiagnoseSpec, ResolvedNetworkWeights
from service.contract.estimate import Estimate, check_cost, check_memory
from service.contract.values.errors import FieldError, SpecInvalidError
from service.contract.values.limits import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.contract.data.dataset import DatasetRecord
    from service.contract.diagnose.request import DiagnoseSpec

FLOPS_PER_ENTRY = 50
"""Norms, increments and distances go over the weights some tens of times."""
FLOPS_PER_PAIR = 4
"""The p-variation compares every layer with every other, entry by entry."""
BYTES = 8


def resolve_diagnose(
    spec: DiagnoseSpec, datasets: Mapping[str, DatasetRecord], limits: Limits = LIMITS
) -> tuple[ResolvedDiagnoseSpec, Estimate]:
    """Look up every network's weights by the data set's id, and check that they have one size.

    Raises
    ------
    SpecInvalidError
        With every broken rule.
    """
    errors: list[FieldError] = []
    networks: list[ResolvedNetworkWeights] = []
    for index, network in enumerate(spec.networks):
        at, record = f"/networks/{index}", datasets.get(network.dataset_id)
        if record is None:
            detail = "there is no such data set; upload it to /v1/datasets"
            errors.append(FieldError(f"{at}/dataset_id", "dataset_not_found", detail))
            continue
        facts = record.facts
        if not isinstance(facts, WeightFacts):
            errors.append(FieldError(f"{at}/dataset_id", "wrong_dataset", "holds samples, not weights K and b"))
            continue
        if network.depth not in {None, facts.depth}:
            errors.append(FieldError(f"{at}/depth", "depth_mismatch", f"the data set has {facts.depth} layers"))
        if networks and facts.state_dim != networks[0].state_dim:
            detail = f"its state dimension is {facts.state_dim}, that of the first {networks[0].state_dim}"
            errors.append(FieldError(f"{at}/dataset_id", "wrong_shape", detail))
        networks.append(
            ResolvedNetworkWeights(depth=facts.depth, dataset_id=network.dataset_id, state_dim=facts.state_dim)
        )
    if errors:
        raise SpecInvalidError(tuple(errors))
    resolved = ResolvedDiagnoseSpec.model_validate(spec.model_dump(exclude={"networks"}) | {"networks": networks})
    sizes = [(network.depth, network.state_dim * (network.state_dim + 1)) for network in networks]
    entries = [depth * layer for depth, layer in sizes]
    pairs = sum(float(depth) ** 2 * layer for depth, layer in sizes)
    cost = Estimate(
        parameters=max(entries),
        memory_bytes=4 * BYTES * sum(entries),
        work_flops=FLOPS_PER_ENTRY * sum(entries) + FLOPS_PER_PAIR * pairs,
    )
    check_memory(cost.memory_bytes, spec.limits.memory_bytes, "compare fewer or smaller networks")
    check_cost(cost, limits)
    return resolved, cost
