"""Jobs that have ended: which of their records are still to be written beside their objects, and how one comes back."""

from collections.abc import Mapping, Sequence

import redis

from service.contract.job import JobRecord
from service.jobstore import keys, records
from service.jobstore.calls import Calls
from service.jobstore.errors import RecordNotUnderstood


class Endings:
    """The records of jobs that have ended, as they are kept in Redis."""

    def __init__(self, client: redis.Redis, scripts: Calls) -> None:
        self._redis = client
        self._scripts = scripts

    def unwritten(self, most: int) -> Sequence[tuple[str, float]]:
        """Return jobs whose records are to be written beside their objects, or were deleted, and since when."""
        found: Sequence[tuple[str, float]] = self._redis.zrange(keys.UNWRITTEN, 0, most - 1, withscores=True)  # type: ignore[assignment]  # sync client
        return found

    def fields(self, job_id: str) -> Mapping[str, str] | None:
        """Read the fields of a record as they are; it may be damaged, or a later version's. None where there is none.

        Raises
        ------
        RecordNotUnderstood
            What is there is no record at all.
        """
        return self._scripts.fields(job_id) or None

    def written(self, job_id: str, since: float) -> None:
        """Note that what `unwritten` named is done."""
        self._scripts["written"](args=[job_id, f"{since:.0f}"])

    def postpone(self, job_id: str) -> None:
        """Put one that `unwritten` named behind all others."""
        self._scripts["postpone"](args=[job_id])

    def restore(self, fields: Mapping[str, str]) -> bool:
        """Put a record back that is missing, cannot be read, or has not ended as this one says it did.

        Returns
        -------
        bool
            Whether it was put back; else there is one as good.

        Raises
        ------
        RecordNotUnderstood
            The record is damaged or a later version's, or not one of a job that has ended.
        """
        ended = check_ended(fields)
        old: Mapping[str, str] = {}
        try:
            old = self._scripts.fields(ended.id)
            there = records.whole(old) if old else None
        except RecordNotUnderstood:
            there = None
        if there is not None and (there.done or not there.understood or there.revision >= ended.revision):
            return False
        args = [ended.id, old.get("revision", ""), *records.to_flat(fields)]
        return bool(self._scripts["restore"](args=args) == "restored")


def check_ended(fields: Mapping[str, str]) -> JobRecord:
    """Read a record that has ended.

    Raises
    ------
    RecordNotUnderstood
        It has not, or cannot be read.
    """
    records.kept(fields)
    record = records.whole(fields)
    if not (record.understood and record.done):
        raise RecordNotUnderstood(record)
    return record
