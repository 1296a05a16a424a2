"""Between the fields of a Redis hash and the contract's record."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic_core import from_json

from service.contract.job import SCHEMA_VERSION, ArtifactRef, JobError, JobRecord, JobStatus, NewJob
from service.jobstore.errors import RecordNotUnderstood
from service.jobstore.times import from_microseconds

PLAIN: Final = (
    "id",
    "kind",
    "status",
    "schema_version",
    "revision",
    "attempt",
    "crashes",
    "outages",
    "overruns",
    "name",
    "external_id",
    "spec_sha256",
)
WRITTEN_AS_JSON: Final = ("metadata", "progress", "error", "artifacts", "spec")
MOMENTS: Final = ("created", "started", "finished", "updated")
"""Fields that a record calls ``created_at`` and so on."""
LISTED: Final = (*PLAIN, *WRITTEN_AS_JSON[:-1], "fraction", *MOMENTS)
"""Fields a listing reads: all that a record shows but its specification."""

CHECKED: Final = 2**17
"""Characters of a specification that are decoded on each read, to see that they can be."""
UNREADABLE: Final = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What reading a text raises that does not hold what it should: pydantic's and JSON's errors are of the first kind."""

MOST_OVERRUNS: Final = 2
OUTAGES: Final = (
    "outages in a row between which it came no further: its worker, or the machine or container of that, was lost each"
    " time, as where a job needs more memory than there is and the system kills all of a container"
)
"""Why a job was given up, after their number."""

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
    """Record of the fields of a job's hash; its progress and the fraction of it are fields of their own.

    A field that is not there has its default, as an earlier version had none; one that is not known is left alone.

    Raises
    ------
    RecordNotUnderstood
        A field is missing that every record has, or does not hold what it should.
    """
    try:
        return _decode(fields)
    except UNREADABLE as failure:
        raise RecordNotUnderstood from failure


def decode_if_understood(fields: Mapping[str, str]) -> JobRecord | None:
    """Read a record as `decode` does, or return None where it cannot be read."""
    try:
        return decode(fields)
    except RecordNotUnderstood:
        return None


def _decode(fields: Mapping[str, str]) -> JobRecord:
    record: dict[str, Any] = {name: fields[name] for name in PLAIN if name in fields}
    record |= {name: json.loads(fields[name]) for name in WRITTEN_AS_JSON if name in fields}
    record |= {f"{name}_at": from_microseconds(fields[name]) for name in MOMENTS if name in fields}
    if progress := record.get("progress"):
        progress["fraction"] = float(fields["fraction"])
        if record["status"] == JobStatus.SUCCEEDED:
            progress["eta_s"] = 0.0
    return JobRecord.model_validate(record)


def whole(fields: Mapping[str, str]) -> JobRecord:
    """Record of all fields of a job's hash, the specification among them; otherwise as `decode`."""
    if "spec" not in fields:
        raise RecordNotUnderstood
    return decode(fields)


def kept(fields: Mapping[str, str]) -> KeptJob:
    """Read all fields of a job's hash, the specification as text; otherwise as `decode`.

    That is passed on as it is, so it is looked at whether it can be read. Of a long one only the ends are: to decode it
    would hold up everybody else.
    """
    spec = fields.get("spec", "")
    if not (spec.startswith("{") and spec.endswith("}")):
        raise RecordNotUnderstood
    try:
        if len(spec) <= CHECKED:
            from_json(spec, allow_inf_nan=True, cache_strings="none")
    except ValueError as failure:
        raise RecordNotUnderstood from failure
    return KeptJob(decode({name: value for name, value in fields.items() if name != "spec"}), fields["spec"])


def created(job: NewJob, moment: str) -> KeptJob:
    """Return a job as it is kept when it was created at a moment, in microseconds."""
    at = from_microseconds(moment)
    record = JobRecord.model_construct(  # every field: to find out a default takes longer than the rest
        id=job.id,
        kind=job.kind,
        status=JobStatus.QUEUED,
        schema_version=SCHEMA_VERSION,
        revision=1,
        attempt=1,
        crashes=0,
        outages=0,
        overruns=0,
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


def digest(key: str) -> str:
    """Return what stands for an idempotency key."""
    return hashlib.sha256(key.encode()).hexdigest()


def overrun(reason: str) -> tuple[int, str]:
    """Return the overruns of which a job fails, whose second attempt only finishes it, and JSON of its error then."""
    return MOST_OVERRUNS, encode(JobError.out_of_time(reason))


def encode_lost(why: str) -> str:
    """JSON of the error of a job that was given up."""
    detail = f"The job was given up after {why}."
    return encode(JobError(code="worker_lost", detail=detail, retryable=True, origin="system"))


def encode_artifacts(artifacts: Mapping[str, ArtifactRef]) -> str:
    """JSON of a record's objects."""
    return _ARTIFACTS.dump_json(dict(artifacts)).decode()


def encode_checkpoints(checkpoints: Sequence[ArtifactRef]) -> str:
    """JSON of what an attempt has left."""
    return _CHECKPOINTS.dump_json(list(checkpoints)).decode()


def checkpoints(fields: Mapping[str, str]) -> Sequence[ArtifactRef]:
    """Return what earlier attempts at a job have left, as far as it can be read."""
    try:
        return _CHECKPOINTS.validate_json(fields.get("checkpoints", "[]"))
    except ValueError:  # damaged, or of a later version: the job begins anew
        return []


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
