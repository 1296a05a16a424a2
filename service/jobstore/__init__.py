"""Job records in Redis: the only code that knows how they are kept.

Every change of a job is one Lua script that takes its time from Redis, checks the move against the contract's table,
keeps the indices, raises the revision and announces it. Each can be replayed: a call that is repeated because its reply
was lost gives the same answer and changes nothing more. The scripts compute their keys, so they need one server, not a
cluster.
"""

from service.jobstore.broker import broker_url
from service.jobstore.connection import connect, connect_in_loop
from service.jobstore.endings import check_ended
from service.jobstore.errors import (
    IdempotencyKeyReused,
    IllegalTransition,
    InvalidCursor,
    JobActive,
    JobFinished,
    JobLate,
    JobNotFound,
    JobStoreError,
    QueueFull,
    RecordNotUnderstood,
    StaleFence,
)
from service.jobstore.feed import RevisionFeed
from service.jobstore.identity import StoresApartError, StoresUnnamedError, check_together
from service.jobstore.listing import JobQuery
from service.jobstore.pages import Page
from service.jobstore.records import KeptJob
from service.jobstore.store import Claim, JobStore, LeaseState, ReconcileReport, release
from service.jobstore.unsettled import Unsettled
from service.jobstore.workers import worker_prefix

__all__ = [
    "Claim",
    "IdempotencyKeyReused",
    "IllegalTransition",
    "InvalidCursor",
    "JobActive",
    "JobFinished",
    "JobLate",
    "JobNotFound",
    "JobQuery",
    "JobStore",
    "JobStoreError",
    "KeptJob",
    "LeaseState",
    "Page",
    "QueueFull",
    "ReconcileReport",
    "RecordNotUnderstood",
    "RevisionFeed",
    "StaleFence",
    "StoresApartError",
    "StoresUnnamedError",
    "Unsettled",
    "broker_url",
    "check_ended",
    "check_together",
    "connect",
    "connect_in_loop",
    "release",
    "worker_prefix",
]
