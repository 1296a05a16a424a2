"""Results over HTTP: what a worker wrote, in the forms a client asks for."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors.numpy

from service.api.forms.parameters import GRIDS_AT_ONCE, FittedParameters, read
from service.contract.train.results import ContinuumParameters, DiscreteParameters, Losses, Results
from tests.support.api import MOONS, continuum_arrays, discrete_arrays, discrete_file, losses, results

if TYPE_CHECKING:
    import httpx

    from tests.support.api import HandWorker

SAFETENSORS = "application/vnd.safetensors"
NPZ = "application/x-npz"


@pytest.fixture
def path(api: httpx.Client, worker: HandWorker) -> str:
    """The results of a job that succeeded."""
    found: str = api.post("/v1/jobs", json=MOONS).json()["links"]["results"]
    worker.succeed()
    return found


def parameters(api: httpx.Client, path: str, model: str, accept: str | None = None, **query: Any) -> httpx.Response:
    headers = {} if accept is None else {"Accept": accept}
    return api.get(path + "/parameters", params={"model": model, **query}, headers=headers)


def test_two_large_grids_at_once_and_small_ones_beside(
    api: httpx.Client, worker: HandWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More are asked for than there are threads, so that those which wait must not wait in one."""
    d, large = 60, 100
    path = api.post("/v1/jobs", json=MOONS).json()["links"]["results"]
    worker.succeed(d=d)
    begun, done, running, most = threading.Semaphore(0), threading.Event(), list[int](), list[int]()

    def slow(content: bytes, grid: int | None = None) -> FittedParameters:
        if grid == large:
            running.append(1)
            most.append(len(running))
            begun.release()
            assert done.wait(60)
            running.pop()
        return read(content, grid)

    monkeypatch.setattr("service.api.forms.parameters.read", slow)
    with ThreadPoolExecutor(60) as pool:
        forms = [SAFETENSORS, NPZ] * 30
        asked = [pool.submit(parameters, api, path, "continuum", form, grid=large) for form in forms]
        try:
            for _ in range(GRIDS_AT_ONCE):
                assert begun.acquire(timeout=30)
            assert api.get("/readyz").status_code == 200
            assert parameters(api, path, "continuum", grid=2).status_code == 200
            assert parameters(api, path, "continuum", NPZ).status_code == 200
            assert not any(answer.done() for answer in asked)
        finally:
            done.set()
        answers = [answer.result() for answer in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert max(most) == GRIDS_AT_ONCE == 2
    found = safetensors.numpy.load(answers[0].content)
    with np.load(io.BytesIO(answers[1].content)) as file:
        assert file["grid_K"].shape == (large, d, d)
        np.testing.assert_array_equal(file["grid_K"], found["grid_K"])


def test_results(api: httpx.Client, path: str) -> None:
    found = api.get(path).json()
    Results.model_validate(found)
    made = results(8, 2)
    assert found["diagnostics"] == made["diagnostics"]
    assert found["provenance"] == made["provenance"]
    assert path == f"/v1/jobs/{found['job_id']}/results"
    for model in found["models"]:
        assert api.get(model["parameters"]["href"]).json()["model"] == model["model"]
    for link in found["links"].values():
        assert api.get(link).status_code == 200


def test_links_of_a_job_that_succeeded(api: httpx.Client, path: str) -> None:
    links = api.get(path.removesuffix("/results")).json()["links"]
    assert set(links) == {"self", "results", "losses", "diagnostics", "report", "export"}
    for link in links.values():
        assert api.get(link).status_code == 200


def test_diagnostics_and_losses(api: httpx.Client, path: str) -> None:
    assert api.get(path + "/diagnostics").json() == results(8, 2)["diagnostics"]
    found = api.get(path + "/losses").json()
    Losses.model_validate(found)
    assert found == losses(found["job_id"])


@pytest.mark.parametrize("end", ["", "/losses", "/diagnostics", "/parameters?model=continuum"])
def test_not_ready(api: httpx.Client, end: str) -> None:
    path = api.post("/v1/jobs", json=MOONS).json()["links"]["results"]
    answer = api.get(path + end)
    assert (answer.status_code, answer.json()["code"]) == (409, "results_not_ready")
    assert answer.headers["retry-after"] == "1"
    api.post(path.removesuffix("/results") + "/cancel")
    answer = api.get(path + end)
    assert (answer.status_code, answer.json()["code"]) == (404, "results_unavailable")


def test_discrete_parameters_as_json(api: httpx.Client, path: str) -> None:
    found = parameters(api, path, "discrete-8").json()
    DiscreteParameters.model_validate(found)
    assert list(found) == ["model", "K", "b", "W", "c", "input_dim", "state_dim", "standardisation"]
    for name, array in discrete_arrays(8, 2).items():
        assert np.array_equal(np.array(found[name]), array)  # every digit survives
    assert found["standardisation"]["target_mean"] is None


def test_continuum_parameters_as_json(api: httpx.Client, path: str) -> None:
    found = parameters(api, path, "continuum").json()
    ContinuumParameters.model_validate(found)
    assert "grid" not in found
    arrays = continuum_arrays(2)
    assert np.array_equal(np.array(found["coefficients"]["K"]), arrays["K"])
    assert np.array_equal(np.array(found["W"]), arrays["W"])


def test_the_continuum_on_a_grid(api: httpx.Client, path: str) -> None:
    found = parameters(api, path, "continuum", grid=5).json()["grid"]
    assert found["t"] == [0.0, 0.25, 0.5, 0.75, 1.0]
    for name in ("K", "b"):
        coefficients = continuum_arrays(2)[name]
        values = np.array(found[name])
        assert np.allclose(values[0], sum((-1) ** k * part for k, part in enumerate(coefficients)), rtol=1e-14)
        assert np.allclose(values[-1], coefficients.sum(axis=0), rtol=1e-14)
        assert np.allclose(values[2], coefficients[0] - coefficients[2] / 2, rtol=1e-14)  # P_2(0) = −1/2


def test_binary_forms(api: httpx.Client, path: str) -> None:
    answer = parameters(api, path, "discrete-8", SAFETENSORS)
    assert answer.headers["content-type"] == SAFETENSORS
    assert answer.content == discrete_file(8, 2)  # the file itself, so that its hash holds
    answer = parameters(api, path, "continuum", NPZ, grid=3)
    assert answer.headers["content-type"] == NPZ
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as file:
        assert set(file) == {"deeplimit", "K", "b", "W", "c", "grid_t", "grid_K", "grid_b"}
        assert json.loads(str(file["deeplimit"]))["model"] == "continuum"
        assert file["grid_K"].shape == (3, 2, 2)
    answer = parameters(api, path, "continuum", SAFETENSORS, grid=3)
    assert safetensors.numpy.load(answer.content)["grid_b"].shape == (3, 2)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/*", "application/json"),
        (f"{NPZ};q=0.5, {SAFETENSORS}", SAFETENSORS),
        (f"{SAFETENSORS};q=0.5, */*;q=0.1", SAFETENSORS),
        (f"application/json;q=0.2, {NPZ};q=0.3", NPZ),
    ],
)
def test_negotiation(api: httpx.Client, path: str, accept: str, chosen: str) -> None:
    answer = parameters(api, path, "discrete-8", accept)
    assert answer.headers["content-type"] == chosen
    assert answer.headers["vary"] == "Accept"


def test_not_acceptable(api: httpx.Client, path: str) -> None:
    for accept in ("text/html", "application/json;q=0", "*/*;q=0"):
        answer = parameters(api, path, "discrete-8", accept)
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_too_many_numbers_for_json(api: httpx.Client, worker: HandWorker) -> None:
    path = api.post("/v1/jobs", json=MOONS).json()["links"]["results"]
    worker.succeed(depth=1000, d=16)
    answer = parameters(api, path, "discrete-1000")
    assert answer.status_code == 406
    assert SAFETENSORS in answer.json()["detail"]
    assert NPZ in answer.json()["detail"]
    assert parameters(api, path, "discrete-1000", SAFETENSORS).status_code == 200
    assert parameters(api, path, "discrete-1000", f"application/json, {NPZ};q=0.1").headers["content-type"] == NPZ
    assert parameters(api, path, "continuum", grid=1000).status_code == 406
    assert parameters(api, path, "continuum", grid=100_000).json()["code"] == "invalid_parameter"


def test_wrong_questions(api: httpx.Client, path: str) -> None:
    assert api.get(path + "/parameters").status_code == 422
    for model in ("discrete-9", "", "x" * 100, "../results"):
        answer = parameters(api, path, model)
        assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")
    for grid in (1, 0, -1, "x", 10**9):
        assert parameters(api, path, "continuum", grid=grid).status_code == 422
    assert parameters(api, path, "discrete-8", grid=5).status_code == 422
