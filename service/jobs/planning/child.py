"""The service's side of planning a large body: it starts the child, answers its questions, and believes its verdict.

Decoding and checking 16 MiB takes seconds of which calls into C take hundreds of milliseconds at a time, and no other
thread of a process runs meanwhile. So a process of its own does it, and this one only passes bytes on.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Final

from pydantic import ValidationError

from service.bounds import starting
from service.config import environment_of_a_child
from service.contract.values.errors import ErrorCode, SpecInvalidError
from service.contract.values.strict_json import BodyRefusedError
from service.jobs.planning.prepared import Prepared
from service.jobs.planning.wire import SAID, Invalid, Question, Ready, Refused, receive, send

if TYPE_CHECKING:
    from service.contract.job import JobRecord
    from service.contract.plan import References
    from service.jobs.planning.wire import Verdict

LOG = logging.getLogger(__name__)

LARGE: Final = 128 * 2**10
"""Bytes of a body from which on a process of its own plans it."""
LONGEST_S: Final = 60.0
AT_ONCE: Final = 2
"""Large bodies planned at the same time by one process of the API; more wait, outside of its threads."""


def prepare_large(body: bytes, references: References) -> Prepared:
    """Have a child process check, resolve and estimate the job that a JSON body specifies.

    Raises
    ------
    BodyRefusedError, SpecInvalidError
        The body is not JSON, or specifies no job that can be done here; or it took the child down.
    NotStartedError
        There is no child now.
    """
    with ExitStack() as opened:
        with starting():
            complaints = opened.enter_context(tempfile.TemporaryFile())
        try:
            return _ask(body, references, complaints)
        except (EOFError, BrokenPipeError, ValidationError) as failure:
            complaints.seek(0)
            said = complaints.read()[-2000:].decode(errors="replace")
            LOG.warning("a body took its reader down: %r: %r", failure, said)
            detail = "The body could not be read: its reader ran out of memory or time, or failed."
            raise BodyRefusedError(ErrorCode.INVALID_REQUEST, detail) from None


def _ask(body: bytes, references: References, complaints: IO[bytes]) -> Prepared:
    with starting():
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "service.jobs.planning"],  # -P: not whatever lies in the working directory
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment_of_a_child(),
        )
    with process as child:
        late = threading.Timer(LONGEST_S, child.kill)
        late.start()
        try:
            assert child.stdin is not None  # noqa: S101 - for mypy: both are pipes
            assert child.stdout is not None  # noqa: S101
            return _converse(child.stdin, child.stdout, body, references)
        finally:
            late.cancel()
            child.kill()


def _converse(sink: IO[bytes], source: IO[bytes], body: bytes, references: References) -> Prepared:
    send(sink, references.limits.model_dump_json().encode())
    send(sink, body)
    jobs: dict[str, JobRecord] = {}
    while isinstance(said := SAID.validate_json(receive(source)), Question):
        send(sink, _answer(said, references, jobs))
    return _settled(said, source)


def _answer(question: Question, references: References, jobs: dict[str, JobRecord]) -> bytes:
    if question.what == "results":
        return json.dumps(references.results(jobs[question.id])).encode()
    if question.what == "dataset":
        dataset = references.dataset(question.id)
        return b"" if dataset is None else dataset.model_dump_json().encode()
    job = references.job(question.id)
    if job is None:
        return b""
    jobs[question.id] = job
    return job.model_dump_json().encode()


def _settled(verdict: Verdict, source: IO[bytes]) -> Prepared:
    match verdict:
        case Refused(code=code, detail=detail):
            raise BodyRefusedError(code, detail)
        case Invalid(errors=errors):
            raise SpecInvalidError(errors)
        case Ready():
            spec = receive(source).decode()
            return Prepared(
                kind=verdict.kind,
                name=verdict.name,
                external_id=verdict.external_id,
                metadata=verdict.metadata,
                spec=spec,
                spec_sha256=verdict.spec_sha256,
                estimate=verdict.estimate,
                given={**verdict.copied, **{key: receive(source) for key in verdict.written}},
                cuda_at=verdict.cuda_at,
            )
