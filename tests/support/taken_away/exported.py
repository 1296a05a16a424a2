"""Trained models as they are taken away, and the predictions that the service's own evaluations make of them."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from service.contract.job import JobRecord, JobStatus
from service.contract.names import PLOTS, RESULTS, parameters_key, plot_key
from service.contract.train.resolved import spec_sha256
from service.export.archive import archive, exported_parameters
from service.report.render import Source
from tests.support.evaluations import Trained

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from service.artifacts import ArtifactStore

WHEN = datetime(2026, 11, 26, 10, 0, 0, tzinfo=UTC)
JOB = "3b9f0c1e7a5d4c0f9f0e6a1b2c3d4e5f"


@dataclass
class Exported:
    """A train job, run by the real executor, with what its report and its exports are made of."""

    trained: Trained
    name: str | None = None

    @classmethod
    def train(cls, store: ArtifactStore, name: str | None = None, **parts: Any) -> Exported:
        return cls(Trained(store, **parts), name)

    @property
    def record(self) -> JobRecord:
        spec = self.trained.spec.model_dump(mode="json")
        return JobRecord(
            id=JOB,
            kind="train",
            status=JobStatus.SUCCEEDED,
            revision=5,
            attempt=1,
            name=self.name,
            created_at=WHEN,
            started_at=WHEN,
            finished_at=WHEN,
            updated_at=WHEN,
            spec=spec,
            spec_sha256=spec_sha256(spec),
            artifacts=dict(self.trained.outcome.artifacts),
        )

    @property
    def source(self) -> Source:
        index = self._read(PLOTS)
        return Source(
            self.record,
            self.trained.store.get(self.trained.outcome.artifacts[RESULTS]),
            None if index is None else json.loads(index),
            lambda plot: self._read(plot_key(plot, "svg")),
        )

    def parameters(self, model: str) -> bytes:
        """The parameters file of a model as it is exported."""
        return exported_parameters(self.source, self._stored(model))[1]

    def zip(self, model: str) -> bytes:
        return archive(self.source, self._stored(model))

    def unpack(self, model: str, folder: Path) -> Path:
        zipfile.ZipFile(io.BytesIO(self.zip(model))).extractall(folder)
        return folder

    def predictions(self, models: list[str], inputs: list[list[float]]) -> dict[str, dict[str, npt.NDArray[Any]]]:
        """What an evaluation of the models on these inputs gives."""
        data = {"source": "inline", "inputs": inputs}
        found = self.trained.evaluate(models=models, data=data, outputs=["predictions"])
        return {model: found.arrays("predictions", model) for model in models}

    def _read(self, key: str) -> bytes | None:
        found = self.trained.outcome.artifacts.get(key)
        return None if found is None else self.trained.store.get(found)

    def _stored(self, model: str) -> bytes:
        return self.trained.store.get(self.trained.outcome.artifacts[parameters_key(model)])
