"""A job that its time limit comes before: every model is there, and what is not known of it says why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.model.transfer import prolong
from deeplimit.mathematics.watch import GRACE, MEASURED_S
from service.contract.names import LOSSES, RESULTS, parameters_key
from service.contract.train.results import Losses
from service.report.study import present
from tests.support.studies.clock import Clock
from tests.worker.execution.test_execute import job_of, results_of, run
from worker.execution.train_results import NOT_EVALUATED, NOT_MEASURED
from worker.executor import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from worker.executor import JobInput, Outcome

NAMES = ["discrete-4", "discrete-8", "discrete-16", "discrete-32", "continuum"]
SPEC: dict[str, Any] = {
    "data": {"source": "builtin", "name": "moons", "samples": 40, "validation_fraction": 0.25},
    "discrete": {"depths": [4, 8, 16, 32]},
    "training": {"starts": 1},
    "plots": False,
}


def done(place: Path, limit: float, **more: Any) -> tuple[JobInput, Outcome, Mapping[str, Any]]:
    job = job_of(place, **{**SPEC, **more, "limits": {"wall_time_s": limit}})
    outcome = run(job)
    return job, outcome, results_of(job, outcome)


@pytest.mark.parametrize("depths", [SPEC["discrete"]["depths"], {"gap": 1e-2}])
def test_what_comes_after_the_limit_is_little_and_every_model_is_there(
    depths: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    done(tmp_path / "whole", 8e4, discrete={"depths": depths})
    total, unknown = clock.now, set[str]()
    for part in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9):
        clock.now, limit = 0.0, 1.0 + round(part * total)
        _, outcome, results = done(tmp_path / str(part), limit, discrete={"depths": depths})
        assert clock.now - limit <= GRACE + MEASURED_S + 2
        if isinstance(depths, list):
            assert [model["model"] for model in results["models"]] == NAMES
        for model in results["models"]:
            assert parameters_key(model["model"]) in outcome.artifacts
            late = model["evaluations"] == 0
            assert not late or model["status"] == "time_limit"
            assert (model["objective"] is None) == late
            for part_of_it in ("train", "validation"):
                assert (model[part_of_it] is None) == (part_of_it in model.get("withheld", {}))
                if model[part_of_it] is None:
                    assert model["withheld"][part_of_it] == (NOT_EVALUATED if late else NOT_MEASURED)
            unknown |= {model["model"]} if late else set()
        assert results["diagnostics"]["verdict"]["summary"]
    assert unknown >= {"continuum"}


def test_a_model_that_was_not_evaluated_is_where_its_training_would_have_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch)
    job, outcome, results = done(tmp_path, 3.0)
    arrays = {name: load(job.artifacts.get(outcome.artifacts[parameters_key(name)])) for name in NAMES}
    models = {model["model"]: model for model in results["models"]}
    assert [models[name]["evaluations"] > 0 for name in NAMES] == [True, True, False, False, False]
    for name in NAMES[2:]:
        model = models[name]
        for field in ("objective", "terminal_loss", "regularisation", "gradient_norm", "train", "validation"):
            assert model[field] is None, field
        assert model["withheld"]["objective"] == NOT_EVALUATED
        assert (model["iterations"], model["hessian_products"]) == (0, 0)
    assert models["continuum"]["tolerance_reached"] is None
    coarse = DiscreteParameters(**{name: torch.from_numpy(arrays["discrete-8"][name]) for name in ("K", "b", "W", "c")})
    begun = prolong(coarse, 16)
    for part in ("K", "b", "W", "c"):
        np.testing.assert_allclose(arrays["discrete-16"][part], getattr(begun, part).numpy(), rtol=1e-12, atol=1e-14)
    losses = Losses.model_validate_json(job.artifacts.get(outcome.artifacts[LOSSES]))
    assert losses.models[2].objective == []
    report = present(dict(job.spec), json.loads(job.artifacts.get(outcome.artifacts[RESULTS])), [])
    assert NOT_EVALUATED in report.tables[0].notes


def test_a_job_of_which_nothing_was_evaluated_says_what_to_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch, within=10.0)
    with pytest.raises(UserError, match="limit of 1 s came before any model was evaluated once: raise") as caught:
        done(tmp_path, 1.0)
    assert caught.value.code == "wall_time_exceeded"
