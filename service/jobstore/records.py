"""Between the fields of a Redis hash and the contract's record."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from service.contract.job import ArtifactRef, JobRecord, JobStatus, NewJob
from service.jobstore.times import from_microseconds

LISTED: Final = (
    "id",
    "kind",
    "status",
    "revision",
    "attempt",
    "name",
    "external_id",
    "metadata",
    "progress",
    "fraction",
    "error",
    "created",
    "started",
    "finished",
    "updated",
    "spec_sha256",
    "artifacts",
)
"""Fields a listing reads: all that a record shows but its specification."""

_ARTIFACTS: Final = TypeAdapter(dict[str, ArtifactRef])


def _moment(field: str | None) -> datetime | None:
    return None if field is None else from_microseconds(field)


def _loads(field: str | None, empty: Any = None) -> Any:
    return empty if field is None else json.loads(field)


def from_flat(reply: Iterable[str]) -> dict[str, str]:
    """Fields and values of a hash that a script returned as one flat list."""
    flat = iter(reply)
    return dict(zip(flat, flat, strict=True))


def to_flat(fields: Mapping[str, str]) -> list[str]:
    """Fields and values as a script takes them."""
    return [text for pair in fields.items() for text in pair]


def decode(fields: Mapping[str, str]) -> JobRecord:
    """Record of the fields of a job's hash."""
    status = JobStatus(fields["status"])
    progress = _loads(fields.get("progress"))
    if progress is not None:
        progress["fraction"] = float(fields["fraction"])
        if status is JobStatus.SUCCEEDED:
            progress["eta_s"] = 0.0
    return JobRecord.model_validate(
        {
            "id": fields["id"],
            "kind": fields["kind"],
            "status": status,
            "revision": int(fields["revision"]),
            "attempt": int(fields["attempt"]),
            "name": fields.get("name"),
            "external_id": fields.get("external_id"),
            "metadata": _loads(fields.get("metadata"), {}),
            "progress": progress,
            "error": _loads(fields.get("error")),
            "created_at": _moment(fields["created"]),
            "started_at": _moment(fields.get("started")),
            "finished_at": _moment(fields.get("finished")),
            "updated_at": _moment(fields["updated"]),
            "spec": _loads(fields.get("spec"), {}),
            "spec_sha256": fields["spec_sha256"],
            "artifacts": _loads(fields.get("artifacts"), {}),
        }
    )


def encode(model: BaseModel) -> str:
    """JSON of a contract model as a field holds it."""
    return model.model_dump_json()


def encode_artifacts(artifacts: Mapping[str, ArtifactRef]) -> str:
    """JSON of a record's objects."""
    return _ARTIFACTS.dump_json(dict(artifacts)).decode()


def fields_of(job: NewJob) -> dict[str, str]:
    """Fields that a new job brings; those that are empty are left out."""
    fields = {
        "spec": json.dumps(job.spec),
        "spec_sha256": job.spec_sha256,
        "metadata": json.dumps(job.metadata),
        "artifacts": encode_artifacts(job.artifacts),
    }
    if job.name is not None:
        fields["name"] = job.name
    return fields
