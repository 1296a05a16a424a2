"""An evaluate specification as a client writes it: which trained models, on which data, and what to compute."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from service.contract.data.sources import BuiltinName
from service.contract.request import Device, JobLimits, JobRequest, Strict, distinct_schema, entries
from service.contract.values.arrays import ArrayOf, Table, nested, one_column_flat
from service.contract.values.errors import FieldError
from service.contract.values.limits import LIMITS
from service.contract.values.numbers import Real, TextOf, Whole
from service.contract.values.pointers import tagged

STATE_STEPS = 128
"""Steps between the states of the continuum that an evaluation gives out."""
DEFAULT_STEPS = (8, 16, 32, 64, 128, 256)
DEFAULT_LEVELS = (0.01, 0.03, 0.1, 0.3, 1.0)


class OutputKind(StrEnum):
    """What an evaluation computes."""

    PREDICTIONS = "predictions"
    STATES = "states"
    METRICS = "metrics"
    SOLVERS = "solvers"
    ROBUSTNESS = "robustness"


def _all_different(values: list[Any]) -> list[Any]:
    errors = [
        FieldError(f"/{index}", "twice", "is there twice")
        for index, value in enumerate(values)
        if value in values[:index]
    ]
    if errors:
        raise nested(errors)
    return values


_Distinct = AfterValidator(_all_different)
_ModelName = Annotated[str, TextOf(max_length=100)]
_ModelNames = Annotated[
    list[_ModelName], entries("models", some=False), _Distinct, distinct_schema({"type": "string"}, 0)
]
_Depth = Annotated[int, Whole(ge=2, most="depth")]
_Steps = Annotated[int, Whole(ge=1, most="depth")]
_Level = Annotated[float, Real(gt=0, le=1e6)]


class InlineEvaluationData(Strict):
    """Samples in the body itself; without targets there are predictions and no metrics."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    source: Literal["inline"]
    inputs: Annotated[Table, ArrayOf((2,), rows="samples", columns="features")]
    targets: (
        Annotated[
            Table, ArrayOf((1, 2), rows="samples", columns="outputs", labels=True), AfterValidator(one_column_flat)
        ]
        | None
    ) = Field(
        default=None,
        description="As for training; classes are integers in the training's order, or their labels as texts, and need"
        " not all occur. For logistic -1 and 1, or 0 and 1, in which 0 is -1.",
    )


class BuiltinEvaluationData(Strict):
    """A data set that every worker has; as for training."""

    source: Literal["builtin"]
    name: BuiltinName
    samples: Annotated[int, Whole(ge=4, most="samples")] | None = None
    noise: Annotated[float, Real(ge=0, le=10)] | None = None
    seed: Annotated[int, Whole(ge=0, le=LIMITS.seed)] | None = None


class DatasetEvaluationData(Strict):
    """An uploaded data set. Labels are found by their names among the training's; they need not all occur."""

    source: Literal["dataset"]
    id: Annotated[str, TextOf(max_length=200)]


EvaluationData = Annotated[
    InlineEvaluationData | BuiltinEvaluationData | DatasetEvaluationData,
    Field(discriminator="source"),
    tagged("source", InlineEvaluationData, BuiltinEvaluationData, DatasetEvaluationData),
]


class Solvers(Strict):
    """How the table of solvers is made: each of them with each number of steps."""

    steps: Annotated[list[_Steps], entries("depths"), _Distinct, distinct_schema({"type": "integer", "minimum": 1})] = (
        Field(default=list(DEFAULT_STEPS), description="Steps over [0, 1].")
    )
    tolerance: Annotated[float, Real(gt=0, lt=1)] = Field(
        default=0.01, description="Change of predictions, relative to their spread, below which a solver agrees."
    )


class Noise(Strict):
    """Normal noise on the inputs, in units of each column's standard deviation, or of 1 where a column does not vary.

    It is that of the training data where the model standardises them, else that of the data evaluated on.
    """

    levels: Annotated[
        list[_Level], entries("noise_levels"), _Distinct, distinct_schema({"type": "number", "exclusiveMinimum": 0})
    ] = Field(default=list(DEFAULT_LEVELS), description="Standard deviations.")
    repeats: Annotated[int, Whole(ge=1, most="repeats")] = Field(default=8, description="Draws at each level.")
    seed: Annotated[int, Whole(ge=0, le=LIMITS.seed)] = 0


class EvaluateSpec(JobRequest):
    """Evaluate trained models on data: predictions, metrics, states; other depths, other solvers, noisy inputs."""

    kind: Literal["evaluate"]
    job_id: Annotated[str, TextOf(max_length=200)] = Field(description="A train job that succeeded.")
    models: _ModelNames | None = Field(
        default=None, description="`discrete-64`, `continuum`; all of the job's unless said."
    )
    depths: Annotated[
        list[_Depth],
        entries("depths", some=False),
        _Distinct,
        distinct_schema({"type": "integer", "minimum": 2}, 0),
    ] = Field(default=[], description="Depths to sample the continuum at, without training; named `sampled-256`.")
    data: EvaluationData | None = Field(default=None, description="The job's own data, all of it, unless said.")
    outputs: Annotated[
        list[OutputKind], entries(), _Distinct, distinct_schema({"enum": [str(kind) for kind in OutputKind]})
    ] = Field(default=[OutputKind.PREDICTIONS, OutputKind.METRICS])
    solvers: Solvers = Solvers()
    noise: Noise = Noise()
    device: Device = Device.AUTO
    limits: JobLimits = JobLimits()
