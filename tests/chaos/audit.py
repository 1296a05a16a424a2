"""What has to hold whatever was done to the service: one function a rule, which yields each violation in words."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from service.contract.job import TRANSITIONS, JobStatus
from service.contract.names import results_path
from tests.chaos.evidence import Evidence, unreferenced

Rule = Callable[[Evidence], Iterator[str]]
ENDS: Final = frozenset(status.value for status in JobStatus if status.done)


@dataclass
class Accepted:
    """What clients know of a job that was accepted.

    Attributes
    ----------
    fails
        Code of the error that it must fail with, if it must.
    deletions
        Whether a deletion was asked for, and whether it was answered.
    ends
        Terminal statuses that it was seen in.
    """

    fails: str | None
    cancelled: bool = False
    deletions: list[bool] = field(default_factory=list)
    ends: set[str] = field(default_factory=set)


def accepted(evidence: Evidence) -> dict[str, Accepted]:
    """Collect what clients were answered, by the ids of jobs."""
    jobs: dict[str, Accepted] = {}
    for entry in evidence.journal:
        if entry["did"] == "submit" and entry.get("answer") in {200, 202}:
            jobs.setdefault(entry["id"], Accepted(entry["fails"]))
    for entry in evidence.journal:
        job = jobs.get(entry.get("path", "").removeprefix("/v1/jobs/").partition("/")[0])
        if job is None:
            continue
        if entry["did"] == "cancel":
            job.cancelled = True
        if entry["did"] == "delete" and entry.get("answer") in {None, 204, 503}:
            job.deletions.append(entry.get("answer") == 204)
        if entry.get("status") in ENDS:
            job.ends.add(entry["status"])
    return jobs


def every_accepted_job_ends_once(evidence: Evidence) -> Iterator[str]:
    """A job that was answered for is there, in one terminal state, which is the one that clients saw."""
    for job_id, job in accepted(evidence).items():
        found = sorted(status for status, ids in evidence.statuses.items() if job_id in ids)
        record = evidence.records.get(job_id)
        if record is None:
            if not job.deletions:
                yield f"job {job_id} was accepted and is not there"
            continue
        if any(job.deletions):
            yield f"job {job_id} was deleted and is there"
        if found != [record["status"]] or record["status"] not in ENDS:
            yield f"job {job_id} is {record['status']}, and among those that are {' and '.join(found) or 'nothing'}"
        if job.ends - {record["status"]}:
            yield f"job {job_id} was seen as {' and '.join(sorted(job.ends))}, and is {record['status']}"


def every_other_job_ends(evidence: Evidence) -> Iterator[str]:
    """A job whose acceptance no client heard of ends as well."""
    known = accepted(evidence)
    for job_id, record in evidence.records.items():
        if job_id not in known and record["status"] not in ENDS:
            yield f"job {job_id}, which no client was told of, is {record['status']}"


def one_key_makes_one_job(evidence: Evidence) -> Iterator[str]:
    """A request that is repeated with its idempotency key is one job."""
    made: defaultdict[str, set[str]] = defaultdict(set)
    for entry in evidence.journal:
        if entry["did"] == "submit" and "id" in entry:
            made[entry["key"]].add(entry["id"])
    for key, ids in made.items():
        if len(ids) > 1:
            yield f"the key {key} made {len(ids)} jobs: {', '.join(sorted(ids))}"


def transitions_are_legal(evidence: Evidence) -> Iterator[str]:
    """Each move of a job that was ever written is one of the contract's."""
    if isinstance(evidence.lives, str):
        yield f"the append-only file does not tell all: {evidence.lives}"
        return
    for job_id, life in evidence.lives.items():
        for before, after in zip([None, *life.statuses], life.statuses, strict=False):
            legal = after == JobStatus.QUEUED if before is None else after in TRANSITIONS[JobStatus(before)]
            if not legal:
                yield f"job {job_id} went from {before or 'nothing'} to {after}"


def fences_rise(evidence: Evidence) -> Iterator[str]:
    """Each claim has a higher fence than the one before, and what is committed was written under the latest."""
    if isinstance(evidence.lives, str):
        return
    for job_id, life in evidence.lives.items():
        for before, after in zip([0, *life.claims], life.claims, strict=False):
            if after <= before:
                yield f"job {job_id} was claimed with fence {after} after {before}"
        for fence, artifacts in life.committed:
            of_results = results_path(job_id, 0).partition("/0/")[0]
            for reference in json.loads(artifacts).values():
                folder, _, rest = reference["path"].removeprefix(of_results).lstrip("/").partition("/")
                if reference["path"].startswith(of_results) and rest and folder != str(fence):
                    yield f"job {job_id} was given results of fence {folder} while {fence} held it"


def objects_verify(evidence: Evidence) -> Iterator[str]:
    """Every object that a record names is there and holds what the record says."""
    named: list[tuple[str, Mapping[str, object]]] = [
        (f"job {job_id}", ref)
        for job_id, record in evidence.records.items()
        for ref in json.loads(record["artifacts"]).values()
    ]
    for record in evidence.datasets:
        named += [(f"data set {record['id']}", record[part]) for part in ("object", "preview") if record.get(part)]
    for whose, ref in named:
        found = evidence.objects.get(str(ref["path"]))
        if found is None:
            yield f"{whose}: {ref['path']} is not there"
        elif found != (ref["sha256"], ref["bytes"]):
            yield f"{whose}: {ref['path']} holds {found[1]} bytes that are not the {ref['bytes']} that were written"


def only_faulty_jobs_fail(evidence: Evidence) -> Iterator[str]:
    """A job fails where it was made to, with the error that belongs to it, and nowhere else."""
    known = accepted(evidence)
    for job_id, record in evidence.records.items():
        job, status = known.get(job_id), record["status"]
        error = json.loads(record.get("error", "{}"))
        if status == JobStatus.FAILED and (job is None or error["code"] != job.fails):
            wanted = "is not known" if job is None else f"was to end with {job.fails or 'success'}"
            yield f"job {job_id} {wanted} and failed with {error['code']}: {error['detail'][-300:]}"
        if status == JobStatus.SUCCEEDED and job is not None and job.fails is not None:
            yield f"job {job_id} was to fail with {job.fails} and succeeded"
        if status == JobStatus.CANCELLED and job is not None and not job.cancelled:
            yield f"job {job_id} is cancelled, and nobody asked for it"


def all_is_drained(evidence: Evidence) -> Iterator[str]:
    """Nothing waits, is held or announced, or was set aside."""
    for place, entries in evidence.places.items():
        if entries:
            yield f"{place} holds {len(entries)}: {', '.join(entries[:5])}"


def no_process_is_left(evidence: Evidence) -> Iterator[str]:
    """When the service has stopped, so have all its processes."""
    for pid, command in evidence.processes.items():
        yield f"process {pid} lives on: {command}"


def no_file_is_left(evidence: Evidence) -> Iterator[str]:
    """No object and no temporary file is there that nothing refers to."""
    for path in unreferenced(evidence):
        yield f"nothing refers to {path}"


def no_answer_is_a_failure(evidence: Evidence) -> Iterator[str]:
    """The service answers what it cannot do now by 503, and never by another error of its own."""
    for entry in evidence.journal:
        if entry.get("answer", 0) >= 500 and entry["answer"] != 503:
            yield f"{entry['did']} {entry['path']} was answered {entry['answer']} at {entry['t']} s"


RULES: Final[tuple[Rule, ...]] = (
    every_accepted_job_ends_once,
    every_other_job_ends,
    one_key_makes_one_job,
    transitions_are_legal,
    fences_rise,
    objects_verify,
    only_faulty_jobs_fail,
    all_is_drained,
    no_process_is_left,
    no_file_is_left,
    no_answer_is_a_failure,
)


def audit(evidence: Evidence) -> dict[str, list[str]]:
    """Apply every rule, and return what each found, by its name."""
    return {rule.__name__: list(rule(evidence)) for rule in RULES}
