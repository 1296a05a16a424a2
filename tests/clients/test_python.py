"""A client that openapi-python-client generates, as it comes: it has every operation, and drives a real service."""

from __future__ import annotations

import importlib
import io
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from service.contract.data.dataset import MEDIA_TYPES
from service.contract.values.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.service import Service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PACKAGE = "deeplimit_generated"
CSV = b"left,right,side\n" + b"".join(
    b"%d,%d,%s\n" % (x, y, b"up" if x > y else b"down")
    for x, y in ((0, 1), (1, 0), (2, 1), (1, 2), (3, 1), (1, 3), (2, 0), (0, 2))
)


@pytest.fixture(scope="module")
def generated(document: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The package, and what its generator says."""
    folder = tmp_path_factory.mktemp("generated")
    config = folder / "config.json"
    config.write_text(json.dumps({"post_hooks": []}))  # they would only format
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    options = ["--path", str(document), "--config", str(config), "--output-path", str(folder / PACKAGE)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / PACKAGE, done.stdout + done.stderr


@pytest.fixture(scope="module")
def package(generated: tuple[Path, str]) -> Iterator[Package]:
    sys.path.insert(0, str(generated[0].parent))
    yield Package()
    sys.path.remove(str(generated[0].parent))


class Package:
    """The modules of the generated package, by their names in it."""

    def __getattr__(self, name: str) -> Any:
        return importlib.import_module(f"{PACKAGE}.{name}")

    def operation(self, name: str) -> Any:
        return importlib.import_module(f"{PACKAGE}.api.{name}")


@pytest.fixture
def client(service: Service, package: Package) -> Iterator[Any]:
    """The generated client, of this service."""
    with package.client.Client(base_url=str(service.client.base_url), timeout=httpx.Timeout(60)) as opened:
        yield opened


def test_it_has_every_operation(generated: tuple[Path, str], document: Path) -> None:
    paths = json.loads(document.read_text())["paths"]
    published = {operation["operationId"] for operations in paths.values() for operation in operations.values()}
    assert {"create_job", "plan_job", "create_dataset", "get_results", "metrics"} <= published
    modules = [path.stem for path in (generated[0] / "api").glob("*/*.py") if path.stem != "__init__"]
    assert sorted(modules) == sorted(published)


def test_nothing_is_left_out_but_other_ways_to_say_the_format(generated: tuple[Path, str]) -> None:
    output = generated[1]
    assert set(re.findall(r"^(?:WARNING|ERROR) parsing (.*)$", output, re.MULTILINE)) == {
        "POST /v1/datasets within data_sets."
    }
    assert sorted(re.findall(r"^Unsupported content type (.*)$", output, re.MULTILINE)) == sorted(MEDIA_TYPES)
    assert "Unable to process" not in output


def test_it_uploads_submits_waits_and_reads(package: Package, client: Any) -> None:
    models, types = package.models, package.types
    dataset = package.operation("data_sets.create_dataset").sync(
        client=client, body=types.File(payload=io.BytesIO(CSV)), format_=models.UploadFormat.CSV, name="sides"
    )
    assert (dataset.samples, dataset.features, dataset.columns) == (8, 2, ["left", "right"])
    assert dataset.targets.class_names == ["down", "up"]

    spec = models.TrainSpec(
        kind="train",
        data=models.DatasetData(source="dataset", id=dataset.id),
        discrete=models.Discrete(depths=[4, 8]),
        training=models.Training(starts=1, gradient_tolerance=1e-5),
    )
    plan = package.operation("jobs.plan_job").sync(client=client, body=spec)
    assert isinstance(plan, models.DryRun)
    assert isinstance(plan.spec, models.ResolvedTrainSpec)
    assert isinstance(plan.spec.data, models.ResolvedDataset)
    assert plan.spec.objective.loss is models.Loss.CROSS_ENTROPY

    job = package.operation("jobs.create_job").sync(client=client, body=spec)
    assert isinstance(job, models.Job)
    assert job.status is models.JobStatus.QUEUED
    while not job.done:
        job = package.operation("jobs.get_job").sync(job.id, client=client, prefer="wait=20")
    assert job.status is models.JobStatus.SUCCEEDED, job.error

    results = package.operation("results.get_results").sync(job.id, client=client)
    assert isinstance(results, models.Results)
    assert [model.model for model in results.models] == ["discrete-4", "discrete-8", "continuum"]
    assert results.models[1].train.accuracy == 1.0
    depths = results.diagnostics.minima.depths
    assert [row.objective for row in depths] == [model.objective for model in results.models[:2]]
    parameters = package.operation("results.get_parameters").sync(job.id, client=client, model="discrete-8")
    assert isinstance(parameters, models.DiscreteParameters)
    assert (len(parameters.k), len(parameters.k[0]), len(parameters.w)) == (8, 2, 2)

    evaluation = models.EvaluateSpec(kind="evaluate", job_id=job.id, models=["discrete-8"])
    job = package.operation("jobs.create_job").sync(client=client, body=evaluation, prefer="wait=30")
    assert (job.status, type(job.spec)) == (models.JobStatus.SUCCEEDED, models.ResolvedEvaluateSpec)
    results = package.operation("results.get_results").sync(job.id, client=client)
    assert isinstance(results, models.EvaluationResults)
    assert results.evaluations[0].metrics.accuracy == 1.0


def test_it_handles_a_422(package: Package, client: Any) -> None:
    models = package.models
    spec = models.TrainSpec(
        kind="train",
        data=models.BuiltinData(source="builtin", name=models.BuiltinName.IRIS),
        network=models.Network(state_dim=3),
    )
    for operation in ("jobs.create_job", "jobs.plan_job"):
        answer = package.operation(operation).sync_detailed(client=client, body=spec)
        assert answer.status_code == 422
        problem = answer.parsed
        assert isinstance(problem, models.Problem)
        assert problem.code is models.ErrorCode.INVALID_SPEC
        assert [error.pointer for error in problem.errors] == ["/network/state_dim"]
    assert {code.value for code in models.ErrorCode} == set(ErrorCode)
