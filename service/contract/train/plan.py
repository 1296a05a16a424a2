"""From a train specification to a job that can be queued."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.contract import names
from service.contract.data.sources import DatasetData, InlineData
from service.contract.plan import InlineArrays, InlineSamples, Plan
from service.contract.request import Device
from service.contract.train.resolve import resolve_train
from service.contract.train.samples import targets_for

if TYPE_CHECKING:
    from service.contract.plan import Given, References
    from service.contract.train.request import TrainSpec


def plan_train(spec: TrainSpec, references: References) -> Plan:
    """Look up the data set that is named, and resolve; raises as `resolve_train` does."""
    data = spec.data
    dataset = references.dataset(data.id) if isinstance(data, DatasetData) else None
    resolution = resolve_train(spec, references.limits, dataset)
    given: dict[str, Given] = {}
    if isinstance(data, InlineData):
        loss = resolution.spec.objective.loss
        given[names.DATA] = InlineSamples(data.inputs, targets_for(loss, data.targets), loss.target_kind)
    elif dataset is not None:
        given[names.DATA] = dataset.object
    if resolution.fixed:
        given[names.FIXED] = InlineArrays(resolution.fixed)
    cuda_at = "/training/device" if spec.training.device is Device.CUDA else None
    return Plan(resolution.spec, resolution.estimate, given, cuda_at)
