"""An evaluate specification with nothing left open: what a job record holds, and what the worker is given."""

from typing import Annotated, Literal

from pydantic import Field

from service.contract.evaluate.request import Noise, OutputKind, Solvers
from service.contract.request import Device, JobLimits, ResolvedRequest, Strict
from service.contract.train.resolved import ChosenBuiltin, ResolvedTrainSpec


class ResolvedInlineEvaluation(Strict):
    """Inline data, kept as an artifact of the job."""

    source: Literal["inline"]
    sha256: str
    samples: int
    features: int
    targets: bool


class ResolvedBuiltinEvaluation(ChosenBuiltin):
    """A built-in data set; ``samples``, ``noise`` and ``seed`` appear for the generated ones."""


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
    columns: list[int | None] | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="For each column that the models take, the upload's column, from 0, or null for zeros where a text"
        " does not occur in it. Absent where the columns are the same.",
    )


class ResolvedOwnData(Strict):
    """The data that the models were trained and validated on, in their order."""

    source: Literal["job"]
    samples: int


ResolvedEvaluationData = (
    ResolvedInlineEvaluation | ResolvedBuiltinEvaluation | ResolvedDatasetEvaluation | ResolvedOwnData
)


class ResolvedEvaluateSpec(ResolvedRequest):
    """An evaluate specification with nothing left open; ``trained`` is the resolved specification of the train job."""

    kind: Literal["evaluate"]
    job_id: str
    trained: ResolvedTrainSpec
    models: list[str]
    depths: list[int]
    data: Annotated[ResolvedEvaluationData, Field(discriminator="source")]
    outputs: list[OutputKind]
    solvers: Solvers
    noise: Noise
    device: Device
    limits: JobLimits
