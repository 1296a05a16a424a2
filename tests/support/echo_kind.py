"""A kind of job made up for tests: it says a word back as often as it is asked to. All of it is in this module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from service.contract.estimate import Estimate, check_cost
from service.contract.job import Progress
from service.contract.kinds import Kind
from service.contract.names import RESULTS
from service.contract.plan import Plan
from service.contract.request import JobLimits, JobRequest, ResolvedRequest
from service.contract.results import to_json
from service.contract.values.answer import Answer
from service.contract.values.media_types import JSON
from service.contract.values.numbers import TextOf, Whole
from worker.executor import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.contract.plan import References
    from worker.executor import JobInput


class EchoSpec(JobRequest):
    """Say a word back."""

    kind: Literal["echo"]
    word: Annotated[str, TextOf(max_length=20)]
    times: Annotated[int, Whole(ge=1, le=10)] | None = None
    limits: JobLimits = JobLimits()


class ResolvedEchoSpec(ResolvedRequest):
    """The same with nothing left open."""

    kind: Literal["echo"]
    word: str
    times: int
    limits: JobLimits


class EchoResults(Answer):
    """What was said."""

    words: list[str]


def plan_echo(spec: EchoSpec, references: References) -> Plan:
    resolved = ResolvedEchoSpec.model_validate(spec.model_dump() | {"times": spec.times or 2})
    estimate = Estimate(parameters=0, memory_bytes=0, work_flops=float(resolved.times))
    check_cost(estimate, references.limits)
    return Plan(resolved, estimate, {})


def execute(job: JobInput, report: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Outcome:
    assert not should_stop()
    spec = ResolvedEchoSpec.model_validate(job.spec)
    report(Progress(phase="echo", fraction=1.0))
    content = to_json(EchoResults(words=[spec.word] * spec.times))
    return Outcome({RESULTS: job.write(RESULTS, content, JSON)})


ECHO = Kind(
    request=EchoSpec,
    resolved=ResolvedEchoSpec,
    plan=plan_echo,
    results=EchoResults,
    executor="tests.support.echo_kind:execute",
)
