"""The kinds of job. A new kind is a room beside `train`, `evaluate` and `diagnose`, an executor, and an entry here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, get_args

from pydantic import ValidationError

from service.contract.diagnose.plan import plan_diagnose
from service.contract.diagnose.request import DiagnoseSpec
from service.contract.diagnose.resolved import ResolvedDiagnoseSpec
from service.contract.diagnose.results import DiagnosisResults
from service.contract.evaluate.plan import plan_evaluate
from service.contract.evaluate.request import EvaluateSpec
from service.contract.evaluate.resolved import ResolvedEvaluateSpec
from service.contract.evaluate.results import EvaluationResults
from service.contract.request import JobRequest, ResolvedRequest
from service.contract.train.diagnostics import Diagnostics
from service.contract.train.plan import plan_train
from service.contract.train.request import TrainSpec
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.train.results import Losses, Results
from service.contract.values.errors import FieldError, SpecInvalidError
from service.contract.values.limits import LIMITS, Limits
from service.contract.values.pointers import field_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from service.contract.plan import Plan, References
    from service.contract.values.answer import Answer

Spec = TypeVar("Spec", bound=JobRequest)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Spec]):
    """All that the service has to know of one kind of job.

    Attributes
    ----------
    request, resolved
        Specification as a client writes it, whose field ``kind`` holds the kind's name, and with nothing left open.
    plan
        Resolves a specification against what it refers to; raises SpecInvalidError with every broken rule.
    results
        Answer of ``GET /v1/jobs/{id}/results``.
    executor
        Function that does such a job in the trainer, as ``module:name``.
    models
        Field of the results that lists models, if one does.
    arrays
        What can be read of each of these models, below ``results/``.
    documents
        What can be read of the whole job below ``results/``, with its answer.
    exported
        Whether its models can be taken away.
    """

    request: type[Spec]
    resolved: type[ResolvedRequest]
    plan: Callable[[Spec, References], Plan]
    results: type[Answer]
    executor: str
    models: str | None = None
    arrays: tuple[str, ...] = ()
    documents: Mapping[str, type[Answer]] = field(default_factory=dict)
    exported: bool = False

    @property
    def name(self) -> str:
        """Value of ``kind`` in a specification."""
        (name,) = get_args(self.request.model_fields["kind"].annotation)
        return str(name)


def by_name(kinds: Iterable[Kind[Any]]) -> dict[str, Kind[Any]]:
    """Return kinds by the names that specifications have for them."""
    return {kind.name: kind for kind in kinds}


KINDS: Final = by_name(
    (
        Kind(
            request=TrainSpec,
            resolved=ResolvedTrainSpec,
            plan=plan_train,
            results=Results,
            executor="worker.execution.train:execute",
            models="models",
            arrays=("parameters",),
            documents={"losses": Losses, "diagnostics": Diagnostics},
            exported=True,
        ),
        Kind(
            request=EvaluateSpec,
            resolved=ResolvedEvaluateSpec,
            plan=plan_evaluate,
            results=EvaluationResults,
            executor="worker.execution.evaluate:execute",
            models="evaluations",
            arrays=("predictions", "states"),
        ),
        Kind(
            request=DiagnoseSpec,
            resolved=ResolvedDiagnoseSpec,
            plan=plan_diagnose,
            results=DiagnosisResults,
            executor="worker.execution.diagnose:execute",
        ),
    )
)
"""Every kind of job."""


def parse(body: object, limits: Limits = LIMITS) -> JobRequest:
    """Read a specification of any kind; without ``kind`` it would be a train specification.

    Returns
    -------
    JobRequest
        The kind's request, every field well-formed by itself.

    Raises
    ------
    SpecInvalidError
        With a pointer for each thing wrong.
    """
    if not isinstance(body, dict):
        raise SpecInvalidError((FieldError("", "not_an_object", "must be an object"),))
    kind = body.get("kind", "train")
    if not isinstance(kind, str) or kind not in KINDS:
        detail = f"must be one of {', '.join(repr(name) for name in KINDS)}"
        raise SpecInvalidError((FieldError("/kind", "invalid_choice", detail),))
    try:
        request: JobRequest = KINDS[kind].request.model_validate(body, context=limits)
    except ValidationError as error:
        raise SpecInvalidError(field_errors(error)) from None
    return request
