"""What results say that they were computed with, and from."""

from __future__ import annotations

import hashlib
import json
import platform
import struct
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from service.artifacts import ArtifactStore
from tests.support.evaluations import Trained
from worker.execution.provenance import library_versions, samples_sha256

if TYPE_CHECKING:
    from pathlib import Path

INLINE: dict[str, Any] = {"source": "inline", "inputs": [[1.0], [-1.0], [0.5]], "targets": [2.0, -2.0, 0.9]}
QUICK: dict[str, Any] = {
    "discrete": {"depths": [2]},
    "continuum": None,
    "training": {"starts": 1, "max_iterations": 5},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(ArtifactStore(tmp_path_factory.mktemp("provenance")), data=INLINE, **QUICK)


def test_every_library_that_computes_is_named() -> None:
    found = library_versions()
    assert found["python"] == platform.python_version()
    assert {name: found[name] for name in ("numpy", "scipy", "torch")} == {
        name: version(name) for name in ("numpy", "scipy", "torch")
    }
    for entry in threadpool_info():
        if entry["user_api"] == "blas":
            assert entry["version"] in found[entry["internal_api"]]
    assert ("mkl" in found) is ("Math Kernel Library" in torch.__config__.show())


def test_the_hash_of_the_data_is_that_of_the_specification(trained: Trained) -> None:
    """Inline samples have it already when they are sent; here it is of what was trained on."""
    found = trained.results["provenance"]
    numbers = [1.0, -1.0, 0.5, 2.0, -2.0, 0.9]
    assert found["data_sha256"] == hashlib.sha256(struct.pack("<6d", *numbers)).hexdigest()
    assert found["data_sha256"] == json.loads(trained.spec.data.model_dump_json())["sha256"]
    assert found["threads"] == 1  # its layers are small


def test_built_in_data_have_a_hash_too(tmp_path: Path) -> None:
    iris = {"source": "builtin", "name": "iris"}
    first, second, other = (
        Trained(ArtifactStore(tmp_path / str(k)), data=data, **QUICK).results["provenance"]["data_sha256"]
        for k, data in enumerate((iris, iris | {"standardise": False}, {"source": "builtin", "name": "wine"}))
    )
    assert first == second != other


def test_an_evaluation_names_its_own_data(trained: Trained) -> None:
    own = trained.evaluate(outputs=["metrics"]).results["provenance"]
    assert own["data_sha256"] == trained.results["provenance"]["data_sha256"]
    new = trained.evaluate(data={"source": "inline", "inputs": [[0.25]]}).results["provenance"]
    assert new["data_sha256"] == samples_sha256(np.array([[0.25]]), np.zeros(0))
    assert new["libraries"] == library_versions()
    assert new["threads"] == 1


@pytest.mark.parametrize("asked", ["torch", "fused"])
def test_the_kernel_is_named(tmp_path: Path, asked: str) -> None:
    if asked == "fused":
        pytest.importorskip("numba", reason="the fused kernel needs Numba")
    quick = {**QUICK, "training": {**QUICK["training"], "kernel": asked}}
    found = Trained(ArtifactStore(tmp_path), data=INLINE, **quick).results["provenance"]
    assert found["kernel"] == asked
    assert found["kernel_note"] is None
    assert ("numba" in found["libraries"]) is (asked == "fused")


def test_a_worker_without_numba_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeplimit.mathematics.kernels.choice.importlib.util.find_spec", lambda _: None)
    quick = {**QUICK, "training": {**QUICK["training"], "kernel": "fused"}}
    found = Trained(ArtifactStore(tmp_path), data=INLINE, **quick).results["provenance"]
    assert found["kernel"] == "torch"
    assert found["kernel_note"] == "The fused kernel needs Numba, which is not installed; torch's kernel was used."
