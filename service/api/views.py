"""What the API shows: a job and its links, a page, an estimate, the capabilities."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union

from pydantic import Field

from service.contract.data.dataset import EncodedColumn, SampleFacts, UploadFormat
from service.contract.estimate import Estimate
from service.contract.job import JobError, JobRecord, Progress, Status
from service.contract.kinds import KINDS
from service.contract.values.answer import Answer
from service.contract.values.limits import Limits

if TYPE_CHECKING:
    from service.api.links import Links
    from service.contract.data.dataset import DatasetRecord
    from service.contract.request import ResolvedRequest
    from service.jobs.planning.prepared import Prepared
    from service.jobstore import KeptJob, Page


if TYPE_CHECKING:
    AnyResolvedSpec = ResolvedRequest
else:
    AnyResolvedSpec = Annotated[
        Union[tuple(kind.resolved for kind in KINDS.values())],  # noqa: UP007 - made from the kinds
        Field(discriminator="kind"),
    ]


class ListedJob(Answer):
    """A job in a listing: all but its specification."""

    id: str
    kind: str
    status: Status
    done: bool
    revision: int
    attempt: int
    crashes: int
    outages: int
    name: str | None
    external_id: str | None
    metadata: dict[str, Any]
    progress: Progress | None
    error: JobError | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    links: dict[str, str]


class Job(ListedJob):
    """A job."""

    spec: AnyResolvedSpec | dict[str, Any] = Field(description="Resolved: every default is filled in.")


class JobPage(Answer):
    """Part of a listing."""

    items: list[ListedJob]
    next_cursor: str | None = Field(description="Null on the last page.")
    left_out: int = Field(description="Jobs of this part whose records are damaged, or of a later version.")


class DryRun(Answer):
    """What a specification comes to."""

    spec: AnyResolvedSpec
    estimate: Estimate


class BuiltinSet(Answer):
    """A built-in data set; ``samples`` is null where the request chooses."""

    features: int
    samples: int | None
    targets: str
    classes: int | None


class UploadedTargets(Answer):
    """Targets of an uploaded data set."""

    kind: Literal["classes", "numbers"]
    outputs: int = Field(description="Numbers of one target.")
    class_counts: list[int] | None = Field(description="Samples of each class 0..m-1, where targets can be classes.")
    class_names: list[str] | None = Field(description="Labels in the order of the classes they became.")


class Dataset(Answer):
    """An uploaded data set; what does not apply to its kind is null."""

    id: str = Field(description="SHA-256 of the canonical content: the same content has the same id.")
    kind: Literal["samples", "weights"]
    name: str | None
    format: UploadFormat
    uploaded_bytes: int
    bytes: int = Field(description="Of the canonical form that is kept.")
    created_at: datetime
    samples: int | None = None
    features: int | None = None
    columns: list[str] | None = Field(default=None, description="Names of the input columns of a table.")
    target_columns: list[str] | None = Field(default=None, description="Names of the target columns of a table.")
    encoded: list[EncodedColumn] | None = Field(
        default=None, description="Columns of text that `categorical=encode` encoded, with their texts."
    )
    dropped_columns: list[str] | None = Field(
        default=None,
        description="Columns of the upload that were left out: of text by `categorical=drop`, and numbers of the rows.",
    )
    dropped_rows: int | None = Field(
        default=None, description="Rows of the upload that `missing=drop` left out for a missing value."
    )
    targets: UploadedTargets | None = None
    depth: int | None = None
    state_dim: int | None = None
    links: dict[str, str]


class DatasetPage(Answer):
    """Part of a listing."""

    items: list[Dataset]
    next_cursor: str | None = Field(description="Null on the last page.")
    left_out: int = Field(description="Data sets of this part whose records are damaged, or of a later version.")


class Worker(Answer):
    """A live worker."""

    id: str
    devices: list[str]


class Capabilities(Answer):
    """What this service offers."""

    version: str
    kinds: dict[str, dict[str, Any]] = Field(description="JSON Schema of each kind of job.")
    activations: list[str]
    losses: dict[str, str] = Field(description="Each loss with its output.")
    bases: list[str]
    datasets: dict[str, BuiltinSet]
    upload_media_types: list[str] = Field(description="Content-Type of `POST /v1/datasets`.")
    limits: Limits
    devices: list[str] = Field(description="Of all live workers.")
    workers: list[Worker]


class Health(Answer):
    """Answer of a probe."""

    status: str


_OF_THE_RECORD: Final = tuple(name for name in ListedJob.model_fields if name not in {"done", "links"})


def _listed(record: JobRecord, links: Links) -> ListedJob:
    fields: dict[str, Any] = {name: getattr(record, name) for name in _OF_THE_RECORD}
    return ListedJob.model_construct(**fields, done=record.done, links=links.of_job(record))


def job_json(job: KeptJob, links: Links) -> str:
    """Write a job as JSON. The specification is passed through as text: it was checked when it was written."""
    return f'{_listed(job.record, links).model_dump_json().removesuffix("}")},"spec":{job.spec}}}'


def dry_run_json(plan: Prepared) -> str:
    """Write what a specification comes to, both as they were written."""
    return f'{{"spec":{plan.spec},"estimate":{plan.estimate}}}'


def page_json(page: Page[JobRecord], links: Links) -> str:
    """Write a page of a listing as JSON."""
    items = [_listed(record, links) for record in page.items]
    return JobPage.model_construct(items=items, next_cursor=page.next_cursor, left_out=page.left_out).model_dump_json()


def dataset_of(record: DatasetRecord, links: Links) -> Dataset:
    """Return what the API shows of a data set."""
    facts = record.facts
    shown: dict[str, Any] = {"kind": facts.kind, "links": {"self": links.dataset(record.id)}}
    if isinstance(facts, SampleFacts):
        shared = ("samples", "features", "columns", "target_columns", "encoded", "dropped_columns", "dropped_rows")
        shown |= {name: getattr(facts, name) for name in shared}
        shown["links"]["preview"] = f"{links.dataset(record.id)}/preview"
        if facts.outputs is not None:
            shown["targets"] = UploadedTargets(
                kind="classes" if facts.integers else "numbers",
                outputs=facts.outputs,
                class_counts=facts.class_counts,
                class_names=facts.class_names,
            )
    else:
        shown |= {"depth": facts.depth, "state_dim": facts.state_dim}
    return Dataset(
        id=record.id,
        name=record.name,
        format=record.format,
        uploaded_bytes=record.uploaded_bytes,
        bytes=record.object.bytes,
        created_at=record.created_at,
        **shown,
    )


def dataset_page_json(page: Page[DatasetRecord], links: Links) -> str:
    """Write a page of a listing of data sets as JSON."""
    items = [dataset_of(record, links) for record in page.items]
    return DatasetPage(items=items, next_cursor=page.next_cursor, left_out=page.left_out).model_dump_json()
