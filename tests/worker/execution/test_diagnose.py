"""A diagnosis of weights that were trained elsewhere, and how it is stopped."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save

from service.artifacts import ArtifactStore
from service.contract.diagnose.results import DiagnosisResultsFile
from service.contract.names import RESULTS, network_key
from worker.execution import execute
from worker.executor import JobInput, Stopped, UserError

if TYPE_CHECKING:
    from pathlib import Path

JOB = "0123456789abcdef"
_SAFETENSORS = "application/vnd.safetensors"


def job_of(place: Path, depths: tuple[int, ...], wall_time_s: float = 600.0) -> JobInput:
    """Networks whose layers are the nodes of a circle."""
    store, given, networks = ArtifactStore(place), {}, list[dict[str, Any]]()
    for index, n in enumerate(depths):
        t = np.arange(n) / n
        K = np.stack([np.cos(t), np.sin(t), -np.sin(t), np.cos(t)], 1).reshape(n, 2, 2)
        content = save({"K": K, "b": np.zeros((n, 2))})
        given[network_key(index)] = store.put(f"networks/{index}", content, _SAFETENSORS)
        networks.append({"depth": n, "dataset_id": str(index), "state_dim": 2})
    spec = {
        "kind": "diagnose",
        "name": None,
        "metadata": {},
        "external_id": None,
        "networks": networks,
        "residual_exponent": 1.0,
        "limits": {"wall_time_s": wall_time_s},
    }
    return JobInput(JOB, 1, spec, store, given)


def test_what_it_writes(tmp_path: Path) -> None:
    job = job_of(tmp_path, (8, 16, 32, 64))
    outcome = execute(job, lambda _: None, lambda: False)
    body = json.loads(job.artifacts.get(outcome.artifacts[RESULTS]))
    DiagnosisResultsFile.model_validate(body)
    assert body["classification"]["class"] == "h1_limit"
    first = body["networks"][0]["K"]
    # An arc of 7/8 and the chord of it, times √2.
    assert first["p_variation"]["1"] == pytest.approx(7 * 2.0 * np.sin(1 / 16) * np.sqrt(2.0), rel=1e-12)
    assert first["p_variation"]["2"] == pytest.approx((2.0 * np.sin(7 / 16) * np.sqrt(2.0)) ** 2, rel=1e-12)


def test_it_is_stopped_within_one_network(tmp_path: Path) -> None:
    """K, b and both together are each gone through by blocks of rows, for the Hölder quotients and two variations."""
    job, calls = job_of(tmp_path, (1500,)), 0

    def should_stop() -> bool:
        nonlocal calls
        calls += 1
        return calls == last

    last = 0
    execute(job, lambda _: None, should_stop)
    total = calls
    assert total >= 3 * 3 * 6
    for call in (1, 2, total // 2, total):
        calls, last = 0, call
        with pytest.raises(Stopped):
            execute(job, lambda _: None, should_stop)
        assert calls == call


def test_its_time_goes_on_from_before_memory_ran_out(tmp_path: Path) -> None:
    job = replace(job_of(tmp_path, (8,)), started=time.monotonic() - 601.0)
    with pytest.raises(UserError, match="its limit of 600 s"):
        execute(job, lambda _: None, lambda: False)


def test_its_time_limit_does_not_wait_for_a_network(tmp_path: Path) -> None:
    calls = 0

    def should_stop() -> bool:
        nonlocal calls
        calls += 1
        return False

    with pytest.raises(UserError) as caught:
        execute(job_of(tmp_path, (1500,), wall_time_s=1e-9), lambda _: None, should_stop)
    assert caught.value.code == "wall_time_exceeded"
    assert calls == 1
