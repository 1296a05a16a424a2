"""From a diagnose specification to a job that can be queued."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.contract import names
from service.contract.diagnose.resolve import resolve_diagnose
from service.contract.plan import Plan

if TYPE_CHECKING:
    from service.contract.diagnose.request import DiagnoseSpec
    from service.contract.plan import References


def plan_diagnose(spec: DiagnoseSpec, references: References) -> Plan:
    """Look up the weights that are named, and resolve; raises as `resolve_diagnose` does."""
    datasets = {
        dataset_id: record
        for dataset_id in dict.fromkeys(network.dataset_id for network in spec.networks)
        if (record := references.dataset(dataset_id)) is not None
    }
    resolved, estimate = resolve_diagnose(spec, datasets, references.limits)
    given = {
        names.network_key(index): datasets[network.dataset_id].object for index, network in enumerate(resolved.networks)
    }
    return Plan(resolved, estimate, given)
