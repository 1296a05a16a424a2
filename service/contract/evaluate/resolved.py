"""An evaluate specification with nothing left open: what a job record holds, and what the worker is given."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from service.contract.data.sources import BuiltinName
from service.contract.evaluate.request import Noise, OutputKind, Solvers
from service.contract.request import Device, JobLimits, ResolvedRequest, Strict
from service.contract.train.resolved import ResolvedTrainSpec


class ResolvedInlineEvaluation(Strict):
    """Inline data, kept as an artifact of the job."""

    source: Literal["inline"]
    sha256: str
    samples: int
    features: int
    targets: bool


class ResolvedBuiltinEvaluation(Strict):
    """A built-in data set; ``samples``, ``noise`` and ``seed`` appear for the generated ones."""

    source: Literal["builtin"]
    name: BuiltinName
    samples: int | None = None
    noise: float | None = None
    seed: int | None = None

    @model_serializer(mode="wrap")
    def _leave_out_what_does_not_apply(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class ResolvedDatasetEvaluation(Strict):
    """An uploaded data set, kept as an artifact of the job."""

    source: Literal["dataset"]
    id: str
    samples: int
    features: int
    targets: bool
    classes: list[int] | None = Field(
        default=None, description="The training's class of each class of the upload; null where they are the same."
    )


class ResolvedOwnData(Strict):
    """The data that the models were trained and validated on, in their order."""

    source: Literal["job"]
    samples: int


ResolvedEvaluationData = Annotated[
    ResolvedInlineEvaluation | ResolvedBuiltinEvaluation | ResolvedDatasetEvaluation | ResolvedOwnData,
    Field(discriminator="source"),
]


class ResolvedEvaluateSpec(ResolvedRequest):
    """An evaluate specification with nothing left open; ``trained`` is the resolved specification of the train job."""

    kind: Literal["evaluate"]
    job_id: str
    trained: ResolvedTrainSpec
    models: list[str]
    depths: list[int]
    data: ResolvedEvaluationData
    outputs: list[OutputKind]
    solvers: Solvers
    noise: Noise
    device: Device
    limits: JobLimits
