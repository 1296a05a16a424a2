"""Every key and channel of Redis, spelt here and nowhere else; the Lua scripts are given them under the same names.

A name that ends in a colon begins the keys of a family, which end in an id.
"""

from typing import Final

JOB: Final = "deeplimit:job:"
"""Hash: one job, by its id."""
JOBS: Final = "deeplimit:jobs"
"""Sorted set: all jobs by their time of creation, which is unique; likewise those of one status, kind, external id."""
JOBS_BY_STATUS: Final = "deeplimit:jobs:status:"
JOBS_BY_KIND: Final = "deeplimit:jobs:kind:"
JOBS_BY_EXTERNAL_ID: Final = "deeplimit:jobs:external:"
QUEUED: Final = "deeplimit:queue"
"""Sorted set: the jobs that wait, by their time of creation."""
LEASES: Final = "deeplimit:leases"
"""Sorted set: the jobs that workers hold, by the end of their lease."""
CLAIM: Final = "deeplimit:claim:"
"""Text: the job that a claim was given, by the number of the operation."""
IDEMPOTENCY: Final = "deeplimit:idempotency:"
"""Hash: the job that an idempotency key made and the digest of its body, by the digest of the key."""
DELETED_JOB: Final = "deeplimit:deleted:"
"""Hash: a job that was deleted just now, by the number of the operation."""

DATASET: Final = "deeplimit:dataset:"
"""Hash: the record of one data set, by its id."""
DATASETS: Final = "deeplimit:datasets"
"""Sorted set: all data sets by their time of creation, which is unique."""
UNSETTLED: Final = "deeplimit:datasets:unsettled"
"""Sorted set: announced paths by time; those at 0 belong to no record for certain."""
DELETED_DATASET: Final = "deeplimit:dataset-deleted:"
"""Hash: the record of a data set that was deleted just now, by the number of the operation."""

WORKER: Final = "deeplimit:worker:"
"""Text: what a live worker says of itself, by its id."""
WORKERS: Final = "deeplimit:workers"
"""Set: the ids of live workers, and of some that have fallen silent."""
RECONCILER: Final = "deeplimit:reconciler"
"""Lock of the one reconciler that makes a pass."""
READY: Final = "deeplimit:ready"
"""Text that is written to find out whether the server takes writes."""

REVISIONS: Final = "deeplimit:revisions"
"""Channel on which every revision of a job is announced as ``"{id} {revision} {status}"``."""
FEED: Final = "deeplimit:feed:"
"""Channel on which one subscriber is woken, by a number that it drew."""
