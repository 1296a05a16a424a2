"""The process that plans one large body: ``python -m service.jobs.planning``, bounded by the system before it reads."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from service.bounds import bound

ADDRESS_SPACE: Final = 3 * 2**30
CPU_S: Final = 60
FILE_BYTES: Final = 2**20
"""Of what it complains about; it writes no other file."""
NICENESS: Final = 5
"""Who answers requests goes first."""

bound(ADDRESS_SPACE, CPU_S, FILE_BYTES)

from service.contract.data.dataset import DatasetRecord  # noqa: E402 - imports count as memory
from service.contract.job import ArtifactRef, JobRecord  # noqa: E402 - likewise
from service.contract.values.errors import SpecInvalidError  # noqa: E402 - likewise
from service.contract.values.limits import Limits  # noqa: E402 - likewise
from service.contract.values.strict_json import BodyRefusedError  # noqa: E402 - likewise
from service.jobs.planning.prepared import prepare  # noqa: E402 - likewise
from service.jobs.planning.wire import Invalid, Question, Ready, Refused, receive, send  # noqa: E402 - likewise

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class _Asked:
    """What a specification may refer to: the service knows, and is asked."""

    limits: Limits
    questions: IO[bytes]
    answers: IO[bytes]

    def dataset(self, dataset_id: str) -> DatasetRecord | None:
        answer = self._ask(Question(what="dataset", id=dataset_id))
        return DatasetRecord.model_validate_json(answer) if answer else None

    def job(self, job_id: str) -> JobRecord | None:
        answer = self._ask(Question(what="job", id=job_id))
        return JobRecord.model_validate_json(answer) if answer else None

    def results(self, record: JobRecord) -> dict[str, Any]:
        results: dict[str, Any] = json.loads(self._ask(Question(what="results", id=record.id)))
        return results

    def _ask(self, question: Question) -> bytes:
        _say(self.questions, question)
        return receive(self.answers)


def _say(stream: IO[bytes], said: BaseModel) -> None:
    send(stream, said.model_dump_json().encode())


def main() -> None:
    """Read one body, and say what it comes to."""
    os.nice(NICENESS)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    limits = Limits.model_validate_json(receive(source))
    try:
        prepared = prepare(receive(source), _Asked(limits, sink, source))
    except BodyRefusedError as refused:
        _say(sink, Refused(code=refused.code, detail=refused.detail))
        return
    except SpecInvalidError as invalid:
        _say(sink, Invalid(errors=invalid.errors))
        return
    copied = {key: source for key, source in prepared.given.items() if isinstance(source, ArtifactRef)}
    written = {key: source for key, source in prepared.given.items() if isinstance(source, bytes)}
    ready = Ready(
        kind=prepared.kind,
        name=prepared.name,
        external_id=prepared.external_id,
        metadata=dict(prepared.metadata),
        spec_sha256=prepared.spec_sha256,
        estimate=prepared.estimate,
        copied=copied,
        written=tuple(written),
        cuda_at=prepared.cuda_at,
    )
    _say(sink, ready)
    for frame in (prepared.spec.encode(), *written.values()):
        send(sink, frame)


if __name__ == "__main__":
    main()
