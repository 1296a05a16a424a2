"""Between the fields of a Redis hash and the contract's record."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from service.contract.job import ArtifactRef, JobRecord, JobStatus, NewJob
from service.jobstore.times import from_microseconds

PLAIN: Final = (
    "id",
    "kind",
    "status",
    "revision",
    "attempt",
    "crashes",
    "outages",
    "name",
    "external_id",
    "spec_sha256",
)
WRITTEN_AS_JSON: Final = ("metadata", "progress", "error", "artifacts", "spec")
MOMENTS: Final = ("created", "started", "finished", "updated")
"""Fields that a record calls ``created_at`` and so on."""
LISTED: Final = (*PLAIN, *WRITTEN_AS_JSON[:-1], "fraction", *MOMENTS)
"""Fields a listing reads: all that a record shows but its specification."""

_ARTIFACTS: Final = TypeAdapter(dict[str, ArtifactRef])
_CHECKPOINTS: Final = TypeAdapter(list[ArtifactRef])


@dataclass(frozen=True, slots=True)
class KeptJob:
    """A job as it is kept: its record without the specification, and that as JSON, to be passed on without a look."""

    record: JobRecord
    spec: str

    def whole(self) -> JobRecord:
        """Return the record with its specification."""
        return self.record.model_copy(update={"spec": json.loads(self.spec)})


def from_flat(reply: Iterable[str]) -> dict[str, str]:
    """Fields and values of a hash that a script returned as one flat list."""
    flat = iter(reply)
    return dict(zip(flat, flat, strict=True))


def to_flat(fields: Mapping[str, str]) -> list[str]:
    """Fields and values as a script takes them."""
    return [text for pair in fields.items() for text in pair]


def decode(fields: Mapping[str, str]) -> JobRecord:
    """Record of the fields of a job's hash; its progress and the fraction of it are fields of their own."""
    record: dict[str, Any] = {name: fields[name] for name in PLAIN if name in fields}
    record |= {name: json.loads(fields[name]) for name in WRITTEN_AS_JSON if name in fields}
    record |= {f"{name}_at": from_microseconds(fields[name]) for name in MOMENTS if name in fields}
    if progress := record.get("progress"):
        progress["fraction"] = float(fields["fraction"])
        if record["status"] == JobStatus.SUCCEEDED:
            progress["eta_s"] = 0.0
    return JobRecord.model_validate(record)


def kept(fields: Mapping[str, str]) -> KeptJob:
    """Read the fields of a job's hash without looking into its specification."""
    return KeptJob(decode({name: value for name, value in fields.items() if name != "spec"}), fields["spec"])


def created(job: NewJob, moment: str) -> KeptJob:
    """Return a job as it is kept when it was created at a moment, in microseconds."""
    at = from_microseconds(moment)
    record = JobRecord.model_construct(  # every field: to find out a default takes longer than the rest
        id=job.id,
        kind=job.kind,
        status=JobStatus.QUEUED,
        revision=1,
        attempt=1,
        crashes=0,
        outages=0,
        name=job.name,
        external_id=job.external_id,
        metadata=job.metadata,
        progress=None,
        error=None,
        created_at=at,
        started_at=None,
        finished_at=None,
        updated_at=at,
        spec={},
        spec_sha256=job.spec_sha256,
        artifacts=job.artifacts,
    )
    return KeptJob(record, job.spec)


def encode(model: BaseModel) -> str:
    """JSON of a contract model as a field holds it."""
    return model.model_dump_json()


def encode_artifacts(artifacts: Mapping[str, ArtifactRef]) -> str:
    """JSON of a record's objects."""
    return _ARTIFACTS.dump_json(dict(artifacts)).decode()


def encode_checkpoints(checkpoints: Sequence[ArtifactRef]) -> str:
    """JSON of what an attempt has left."""
    return _CHECKPOINTS.dump_json(list(checkpoints)).decode()


def checkpoints(fields: Mapping[str, str]) -> Sequence[ArtifactRef]:
    """Return what earlier attempts at a job have left."""
    return _CHECKPOINTS.validate_json(fields.get("checkpoints", "[]"))


def fields_of(job: NewJob) -> dict[str, str]:
    """Fields that a new job brings; those that are empty are left out."""
    fields = {
        "spec": job.spec,
        "spec_sha256": job.spec_sha256,
        "metadata": json.dumps(job.metadata),
        "artifacts": encode_artifacts(job.artifacts),
    }
    if job.name is not None:
        fields["name"] = job.name
    return fields
