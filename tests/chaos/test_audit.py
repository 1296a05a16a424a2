"""Each rule of the audit finds what it is about, and nothing where all is well."""

import json
from dataclasses import replace
from typing import Any

import pytest

from service.jobstore import keys
from tests.chaos.aof import Life
from tests.chaos.audit import RULES, audit
from tests.chaos.evidence import Evidence

A, B = "a" * 32, "b" * 32
PATH = f"jobs/{A}/results/2/results.json"
SHA = "0" * 64
REF = {"path": PATH, "sha256": SHA, "bytes": 2, "media_type": "application/json"}
DATASET = {"id": "d", "object": REF | {"path": "datasets/d/1.safetensors"}, "preview": None}
ERROR = json.dumps({"code": "nothing_usable", "detail": "Every depth diverged."})


def submitted(job_id: str, key: str, fails: str | None = None, answer: int = 202) -> dict[str, Any]:
    return {"did": "submit", "path": "/v1/jobs", "key": key, "fails": fails, "answer": answer, "id": job_id, "t": 1.0}


def asked(did: str, job_id: str, answer: int | None, **more: Any) -> dict[str, Any]:
    answered = {} if answer is None else {"answer": answer}
    return {"did": did, "path": f"/v1/jobs/{job_id}", "t": 2.0, **answered, **more}


JOURNAL = (
    submitted(A, "1"),
    submitted(A, "1", answer=200),
    submitted(B, "2", "nothing_usable"),
    asked("look", A, 200, id=A, status="succeeded"),
    {"did": "fault", "name": "power", "t": 3.0},
)
SUCCEEDED = {"status": "succeeded", "artifacts": json.dumps({"results": REF})}
FAILED = {"status": "failed", "artifacts": "{}", "error": ERROR}
SOUND = Evidence(
    journal=JOURNAL,
    records={A: SUCCEEDED, B: FAILED},
    statuses={"succeeded": frozenset({A}), "failed": frozenset({B}), "queued": frozenset()},
    places={keys.QUEUED: [], keys.LEASES: []},
    datasets=[DATASET],
    lives={
        A: Life(
            ["queued", "running", "queued", "running", "succeeded"],
            [1, 2],
            [(0, "{}"), (2, SUCCEEDED["artifacts"])],
            2,
        ),
        B: Life(["queued", "running", "failed"], [1], [(0, "{}")], 1),
    },
    objects={PATH: (SHA, 2), "datasets/d/1.safetensors": (SHA, 2)},
)


def test_a_sound_service_breaks_no_rule() -> None:
    assert audit(SOUND) == {rule.__name__: [] for rule in RULES}


def without(job_id: str) -> dict[str, Any]:
    return {name: record for name, record in SOUND.records.items() if name != job_id}


def with_life(**change: Any) -> dict[str, Any]:
    assert not isinstance(SOUND.lives, str)
    return {"lives": {**SOUND.lives, A: replace(SOUND.lives[A], **change)}}


def journal(*more: dict[str, Any]) -> dict[str, Any]:
    return {"journal": (*JOURNAL, *more)}


OTHER = json.dumps({"code": "worker_lost", "detail": "…"})
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "lost": ({"records": without(A)}, "every_accepted_job_ends_once", "is not there"),
    "unended": (
        {
            "records": {**SOUND.records, B: FAILED | {"status": "queued"}},
            "statuses": {**SOUND.statuses, "failed": frozenset(), "queued": frozenset({B})},
        },
        "every_accepted_job_ends_once",
        "is queued",
    ),
    "twice": (
        {"statuses": {**SOUND.statuses, "queued": frozenset({A})}},
        "every_accepted_job_ends_once",
        "queued and succeeded",
    ),
    "changed": (
        journal(asked("look", B, 200, id=B, status="succeeded")),
        "every_accepted_job_ends_once",
        "was seen as succeeded, and is failed",
    ),
    "back from the dead": (journal(asked("delete", A, 204)), "every_accepted_job_ends_once", "was deleted and is"),
    "unknown and unended": (
        {"records": {**SOUND.records, "c": SUCCEEDED | {"status": "running"}}},
        "every_other_job_ends",
        "is running",
    ),
    "two jobs of one key": (journal(submitted(B, "1")), "one_key_makes_one_job", "made 2 jobs"),
    "not created": (with_life(statuses=["running", "succeeded"]), "transitions_are_legal", "from nothing to running"),
    "after the end": (
        with_life(statuses=["queued", "running", "succeeded", "queued"]),
        "transitions_are_legal",
        "from succeeded to queued",
    ),
    "no history": ({"lives": "rewritten"}, "transitions_are_legal", "rewritten"),
    "the same fence": (with_life(claims=[1, 1]), "fences_rise", "claimed with fence 1 after 1"),
    "no fence": (with_life(claims=[1, 0]), "fences_rise", "claimed with fence 0 after 1"),
    "a stale end": (
        with_life(committed=[(3, SUCCEEDED["artifacts"])]),
        "fences_rise",
        "results of fence 2 while 3",
    ),
    "an object that is gone": ({"objects": {"datasets/d/1.safetensors": (SHA, 2)}}, "objects_verify", "not there"),
    "a torn object": (
        {"objects": {**SOUND.objects, PATH: ("1" * 64, 1)}},
        "objects_verify",
        "1 bytes that are not the 2",
    ),
    "a lost data set": ({"objects": {PATH: (SHA, 2)}}, "objects_verify", "data set d"),
    "an innocent": (
        {"records": {**SOUND.records, A: SUCCEEDED | {"status": "failed", "error": OTHER}}},
        "only_faulty_jobs_fail",
        "was to end with success and failed with worker_lost",
    ),
    "another error": (
        {"records": {**SOUND.records, B: FAILED | {"error": OTHER}}},
        "only_faulty_jobs_fail",
        "was to end with nothing_usable and failed with worker_lost",
    ),
    "a wonder": (
        {"records": {**SOUND.records, B: FAILED | {"status": "succeeded"}}},
        "only_faulty_jobs_fail",
        "and succeeded",
    ),
    "cancelled by nobody": (
        {"records": {**SOUND.records, A: SUCCEEDED | {"status": "cancelled"}}},
        "only_faulty_jobs_fail",
        "nobody asked",
    ),
    "a lease": ({"places": {keys.LEASES: [A]}}, "all_is_drained", "deeplimit:leases holds 1"),
    "an orphan": ({"processes": {7: "python -m worker.trainer"}}, "no_process_is_left", "process 7"),
    "an object too many": (
        {"objects": {**SOUND.objects, f"jobs/{A}/results/1/results.json": (SHA, 2)}},
        "no_file_is_left",
        "results/1",
    ),
    "a temporary file": ({"temporary": ["/somewhere/upload"]}, "no_file_is_left", "/somewhere/upload"),
    "a failure of its own": (journal(asked("look", A, 500)), "no_answer_is_a_failure", "answered 500"),
}


@pytest.mark.parametrize(("change", "rule", "text"), CASES.values(), ids=CASES.keys())
def test_what_breaks_a_rule_is_found(change: dict[str, Any], rule: str, text: str) -> None:
    found = audit(replace(SOUND, **change))[rule]
    assert len(found) == 1
    assert text in found[0]


def test_each_rule_can_be_broken() -> None:
    assert {rule for _, rule, _ in CASES.values()} == {rule.__name__ for rule in RULES}


def test_a_deletion_that_was_not_answered_may_have_been_done_or_not() -> None:
    unanswered = replace(SOUND, **journal(asked("delete", A, None)))
    gone = replace(
        unanswered,
        records=without(A),
        statuses={**SOUND.statuses, "succeeded": frozenset()},
        objects={"datasets/d/1.safetensors": (SHA, 2)},
    )
    for evidence in (unanswered, gone):
        assert not any(audit(evidence).values())
