"""Specifications read by the door that production reads them by."""

from __future__ import annotations

from service.contract.kinds import parse
from service.contract.train.request import TrainSpec
from service.contract.values.limits import LIMITS, Limits


def parse_train(body: object, limits: Limits = LIMITS) -> TrainSpec:
    spec = parse(body, limits)
    assert isinstance(spec, TrainSpec)
    return spec
