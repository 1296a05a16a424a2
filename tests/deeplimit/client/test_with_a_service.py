"""Both clients against a service that trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from deeplimit import Client, JobFailed, Results, ServiceError

if TYPE_CHECKING:
    from tests.deeplimit.client.conftest import Drive
    from tests.support.service import Service

pytestmark = pytest.mark.e2e

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 2))
LABELS = np.where(X[:, 0] > X[:, 1], "right", "left")
QUICK: dict[str, Any] = {"training": {"starts": 1, "max_iterations": 60}, "discrete": {"depths": [4, 8]}}


@pytest.fixture(scope="module")
def url(trainer: Service) -> str:
    return f"http://127.0.0.1:{trainer.port}"


@pytest.fixture(scope="module")
def job_id(url: str) -> str:
    """A small study that has been trained."""
    with Client(url) as client:
        dataset = client.upload(X, LABELS, name="sides")
        spec = {"kind": "train", "name": "small", "data": dataset, **QUICK}
        return client.submit(spec).wait(progress=False).id


def test_results_parameters_and_histories(url: str, drive: Drive, job_id: str) -> None:
    def job(client: Any) -> Any:
        return client.job(job_id)

    found = drive(url, job, lambda job: job.results())
    assert isinstance(found, Results)
    assert [row["model"] for row in found.rows("models")] == ["discrete-4", "discrete-8", "continuum"]
    assert found.frame("minima")["depth"].tolist() == [4, 8]
    assert repr(found).count("discrete-") == 2
    assert drive(url, job, lambda job: job.parameters("discrete-8"))["K"].shape == (8, 2, 2)
    assert drive(url, job, lambda job: job.parameters("continuum", grid=5))["grid_K"].shape == (5, 2, 2)
    losses = drive(url, job, lambda job: job.losses())["discrete-8"]
    assert losses["objective"][-1] == pytest.approx(found["models"][1]["objective"])
    assert losses["objective"].shape == losses["gradient_norm"].shape == losses["regularisation.K"].shape


def test_an_evaluation_has_predictions_and_states(url: str, drive: Drive, job_id: str) -> None:
    spec = {
        "kind": "evaluate",
        "job_id": job_id,
        "models": ["continuum"],
        "outputs": ["predictions", "states"],
        "data": {"source": "inline", "inputs": X[:3]},
    }
    jobs = [drive(url, lambda client: client.submit(spec), lambda job: job.wait(progress=False))]
    for what, size in (("predictions", 3), ("states", 3)):
        arrays = drive(
            url, lambda client: client.job(jobs[0].id), lambda job, name=what: getattr(job, name)("continuum")
        )
        assert any(size in array.shape for array in arrays.values()), arrays.keys()


def test_every_form_of_one_table_is_one_data_set(url: str, drive: Drive) -> None:
    frame = pd.DataFrame({"left": X[:, 0], "right": X[:, 1], "side": LABELS})
    text = frame.to_csv(index=False).encode()
    first = drive(url, lambda client: client.upload(frame, "side"))
    second = drive(url, lambda client: client.upload(text, "side", format="csv"))
    assert first.id == second.id
    assert (first["samples"], first["features"], first["columns"]) == (20, 2, ["left", "right"])
    assert first.id in {one.id for one in drive(url, lambda client: client.datasets())}
    assert drive(url, lambda client: client.dataset(first.id)).record == first.record
    drive(url, lambda client: client.delete_dataset(first.id))
    with pytest.raises(ServiceError, match="404 dataset_not_found"):
        drive(url, lambda client: client.dataset(first.id))


def test_inputs_alone_are_a_data_set(url: str, drive: Drive) -> None:
    dataset = drive(url, lambda client: client.upload(X))
    assert (dataset["samples"], dataset["features"], dataset["targets"]) == (20, 2, None)


def test_a_plan_a_list_and_a_cancelled_job(url: str, drive: Drive, job_id: str) -> None:
    spec = {"kind": "train", "name": "long", "data": {"source": "builtin", "name": "digits"}}
    plan = drive(url, lambda client: client.plan(spec))
    assert plan["estimate"]["work_flops"] > 0
    cancelled = drive(url, lambda client: client.submit(spec), lambda job: job.cancel())
    with pytest.raises(JobFailed, match="cancelled"):
        drive(url, lambda client: client.job(cancelled.id), lambda job: job.wait(progress=False))
    ids = [job.id for job in drive(url, lambda client: client.jobs(kind="train"))]
    assert ids.index(cancelled.id) < ids.index(job_id)
    assert drive(url, lambda client: client.job(cancelled.id), lambda job: job.delete()) is None
    assert "train" in str(drive(url, lambda client: client.capabilities())["kinds"])


def test_a_specification_that_does_not_hold_up(url: str, drive: Drive) -> None:
    with pytest.raises(ServiceError) as caught:
        drive(url, lambda client: client.submit({"kind": "train", "data": {"source": "inline", "inputs": [[1.0]]}}))
    assert (caught.value.status, caught.value.code) == (422, "invalid_spec")
    assert any(problem.pointer.startswith("/data") for problem in caught.value.errors)
    with pytest.raises(ServiceError) as caught:
        drive(url, lambda client: client.upload(b"a,b\n1,2\n", "z", format="csv"))
    assert caught.value.errors[0].parameter == "targets"
