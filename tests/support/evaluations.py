"""Jobs of the kind ``evaluate`` on jobs of the kind ``train``, run in this process without the service around them."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from safetensors.numpy import load

from service.contract.data.dataset import DatasetRecord, UploadFormat
from service.contract.evaluate.request import DatasetEvaluationData, EvaluateSpec
from service.contract.evaluate.resolve import TrainedJob, inline_targets, resolve_evaluate
from service.contract.kinds import parse
from service.contract.names import DATA, RESULTS, data_path, output_key, parameters_key, trained_key
from service.contract.plan import InlineSamples
from service.contract.train.resolve import resolve_train
from service.contract.train.samples import targets_for
from service.contract.values.limits import LIMITS
from service.datasets.uploads.__main__ import read
from service.datasets.uploads.request import Choice, UploadLimits, UploadRequest
from service.jobs.planning.prepared import encode
from tests.support.specs import parse_train
from worker.execution import execute
from worker.executor import JobInput

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from service.artifacts import ArtifactStore
    from service.contract.job import Progress
    from worker.executor import Outcome

TRAIN: dict[str, Any] = {
    "kind": "train",
    "data": {"source": "builtin", "name": "moons", "samples": 30},
    "discrete": {"depths": [4]},
    "continuum": {"tolerance": 1e-3},
    "training": {"starts": 1, "gradient_tolerance": 1e-5},
    "plots": False,
}
"""A job of half a second."""
UPLOAD: dict[str, Any] = {"source": "dataset", "id": "0" * 64}
"""Data that an upload stands for."""
_SAFETENSORS = "application/vnd.safetensors"


def upload(store: ArtifactStore, folder: Path, csv: str, **choice: Any) -> DatasetRecord:
    """Read a CSV as the service does."""
    (folder / "upload").write_text(csv)
    wanted = {name: getattr(LIMITS, name) for name in UploadLimits.model_fields if name != "numbers"}
    request = UploadRequest(
        format=UploadFormat.CSV,
        source=str(folder / "upload"),
        destination=str(folder / "canonical"),
        choice=Choice(**choice),
        limits=UploadLimits(numbers=LIMITS.upload_numbers, **wanted),
    )
    facts = read(request).facts
    assert facts is not None
    content = (folder / "canonical").read_bytes()
    return DatasetRecord(
        id=UPLOAD["id"],
        name=None,
        format=UploadFormat.CSV,
        uploaded_bytes=len(csv),
        created_at=datetime.now(UTC),
        facts=facts,
        object=store.put(f"datasets/{uuid.uuid4().hex}", content, _SAFETENSORS),
    )


class Trained:
    """A train job, done, whose models can be evaluated."""

    def __init__(self, store: ArtifactStore, dataset: DatasetRecord | None = None, **parts: Any) -> None:
        self.store, self._runs = store, 0
        parsed = parse_train({**TRAIN, **parts})
        resolution = resolve_train(parsed, LIMITS, dataset)
        self.spec, self._targets = resolution.spec, resolution.spec.objective.loss.target_kind
        self._data = dataset.object if dataset is not None else None
        if parsed.data.source == "inline":
            targets = targets_for(self.spec.objective.loss, parsed.data.targets)
            content = encode(InlineSamples(parsed.data.inputs, targets, self._targets))
            self._data = store.put(data_path("train"), content, _SAFETENSORS)
        given = {} if self._data is None else {DATA: self._data}
        job = JobInput("train", 1, self.spec.model_dump(mode="json"), store, given)
        self.outcome = execute(job, lambda _: None, lambda: False)
        self.results = json.loads(store.get(self.outcome.artifacts[RESULTS]))
        self.models = tuple(model["model"] for model in self.results["models"])

    def file(self, model: str) -> tuple[dict[str, npt.NDArray[np.float64]], dict[str, Any]]:
        """Return arrays and metadata of one model."""
        content = self.store.get(self.outcome.artifacts[parameters_key(model)])
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return dict(load(content)), json.loads(header["__metadata__"]["deeplimit"])

    def evaluation(self, dataset: DatasetRecord | None = None, **parts: Any) -> JobInput:
        """Resolve an evaluation, with an upload where its data name one."""
        spec = parse({"kind": "evaluate", "job_id": "a-train-job", **parts})
        assert isinstance(spec, EvaluateSpec)
        outputs = len(self.file(self.models[0])[0]["c"])
        job = TrainedJob(self.spec, self.models, outputs)
        resolved = resolve_evaluate(spec, job, dataset)[0]
        data = self._data if spec.data is None else None
        if isinstance(spec.data, DatasetEvaluationData) and dataset is not None:
            data = dataset.object
        elif spec.data is not None and spec.data.source == "inline":
            targets = None if spec.data.targets is None else inline_targets(spec.data.targets, job)
            content = encode(InlineSamples(spec.data.inputs, targets, self._targets))
            data = self.store.put(data_path("evaluate"), content, _SAFETENSORS)
        given = {trained_key(name): self.outcome.artifacts[parameters_key(name)] for name in self.models}
        self._runs += 1  # results of one run lie beside those of the others
        if data is not None:
            given[DATA] = data
        return JobInput("evaluate", self._runs, resolved.model_dump(mode="json"), self.store, given)

    def evaluate(self, dataset: DatasetRecord | None = None, **parts: Any) -> Evaluated:
        """Resolve and run an evaluation, with an upload where its data name one."""
        reports: list[Progress] = []
        job = self.evaluation(dataset, **parts)
        return Evaluated(self.store, execute(job, reports.append, lambda: False), reports)


class Evaluated:
    """What an evaluation wrote."""

    def __init__(self, store: ArtifactStore, outcome: Outcome, reports: list[Progress]) -> None:
        self._store, self._outcome, self.reports = store, outcome, reports
        self.results = json.loads(store.get(outcome.artifacts[RESULTS]))
        self.models = {entry["model"]: entry for entry in self.results["evaluations"]}

    def arrays(self, output: str, model: str) -> dict[str, npt.NDArray[Any]]:
        """Return predictions or states of one model."""
        return dict(load(self._store.get(self._outcome.artifacts[output_key(output, model)])))
