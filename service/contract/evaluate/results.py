"""What a finished evaluation answers; as in `service.contract.results`, a field with a default may be absent."""

from typing import Literal

from pydantic import Field

from service.contract.results import Metrics, Provenance
from service.contract.values.answer import Answer, Withheld
from service.contract.values.numbers import Finding


class OutputArray(Answer):
    """Shape and type of one array."""

    shape: list[int]
    dtype: Literal["float64", "int64"]


class OutputArrays(Answer):
    """Where arrays are; the API adds ``href``."""

    href: str | None = None
    arrays: dict[str, OutputArray]
    sha256: str = Field(description="Of the safetensors file.")


class PredictionChange(Answer):
    """How far predictions are from those of the model as it was trained."""

    prediction_change: Finding = Field(description="Largest, in the user's units.")
    relative_change: Finding | None = Field(
        default=None, description="Largest over outputs, each in units of its spread."
    )
    output: int | None = Field(default=None, description="Which output that is of, from 0.")


class SolverRow(PredictionChange):
    """One solver with one number of steps."""

    solver: str
    steps: int
    state_error: Finding = Field(description="Largest ‖X(1) − reference‖ over samples.")
    state_order: Finding | None = Field(description="Observed, from the row of fewer steps; null at rounding level.")
    changed_labels: Finding | None = Field(description="Share of samples whose class changes; null for numbers.")
    agrees: bool = Field(description="Whether every output's change is within the tolerance of its spread.")
    withheld: Withheld = Field(default={})


class SolverReference(PredictionChange):
    """The solver that all are compared with, which resolves the flow: Dormand–Prince 8(5,3) with error control."""

    solver: Literal["dop853"]
    tolerance: float
    evaluations: int
    terminal_loss: Finding | None = Field(default=None, description="Mean over the table's samples.")
    withheld: Withheld = Field(default={})


class OwnSolver(Answer):
    """What the model was trained with: the integrator and depth of a network, the continuum's method and steps."""

    solver: str
    steps: int
    terminal_loss: Finding | None = Field(default=None, description="Mean over the table's samples.")
    withheld: Withheld = Field(default={})


class SolverConsistency(Answer):
    """Whether the model as it was trained is what the flow of its weights is, integrated by better solvers."""

    samples: int
    spread: Finding = Field(description="The largest of `spreads`.")
    spreads: list[Finding] = Field(
        default=[],
        description="Of each output, what the tolerance is of: 1 for probabilities, else its range over the samples;"
        " where it does not vary, the training target's deviation if targets are standardised, else its size.",
    )
    tolerance: float
    own: OwnSolver
    reference: SolverReference
    table: list[SolverRow]
    loss_scale: Finding | None = Field(
        default=None,
        description="What the tolerance of the terminal loss is of: the model's own, or if that is more the loss of"
        " giving every sample the same: the targets' variance, or log m for classes.",
    )
    consistent: bool | None = Field(
        description="Whether predictions and terminal loss of the reference are the model's own, and predictions of"
        " every row whose solver has at least the order of the model's own and at least its number of steps; coarser"
        " rows decide nothing, and without a row the reference does alone."
    )
    advice: str | None = Field(default=None, description="Of an inconsistent model: what changes, and what to change.")
    withheld: Withheld = Field(default={})


class NoiseRow(Answer):
    """One level of noise on the inputs."""

    noise: float = Field(description="Standard deviation, in units of each input column's own.")
    rms_change: Finding = Field(description="Of predictions, over samples, outputs and draws, in the user's units.")
    sup_change: Finding
    changed_labels: Finding | None
    metrics: Metrics | None = Field(description="Mean over draws.")
    deviations: Metrics | None = Field(description="Population standard deviation over draws.")
    withheld: Withheld = Field(default={})


class Robustness(Answer):
    """Changes against noise on the inputs."""

    seed: int
    repeats: int
    levels: list[NoiseRow]


class EvaluatedModel(Answer):
    """One model on the data; parts that were not asked for are absent."""

    model: str
    kind: Literal["discrete", "continuum", "sampled"]
    depth: int | None = Field(description="Null for the continuum.")
    steps: int | None = Field(description="Runge–Kutta steps that resolve the continuum; null for networks.")
    integration_error: Finding | None = Field(description="Estimated, of the continuum's last states.")
    metrics: Metrics | None = Field(description="In the model's own units; null without targets, or if not asked for.")
    withheld: Withheld = Field(default={})
    predictions: OutputArrays | None = None
    states: OutputArrays | None = None
    solvers: SolverConsistency | None = None
    robustness: Robustness | None = None


class SampledErrors(Answer):
    """One quantity's deviation from the continuum at one depth."""

    sup_error: Finding
    order: Finding | None


class SampledRow(Answer):
    """A depth that was never trained: the continuum sampled at its nodes, against the continuum."""

    depth: int
    states: SampledErrors
    predictions: SampledErrors
    withheld: Withheld = Field(default={})


class Sampled(Answer):
    """Convergence of sampled networks to the continuum."""

    depths: list[SampledRow]


class EvaluatedData(Answer):
    """What the models were evaluated on."""

    source: str
    samples: int
    targets: bool
    inputs: list[str] | None = Field(default=None, description="Names of the models' input columns.")
    classes: list[str] | None = Field(
        default=None, description="What the models call the classes 0..m-1, or -1 and 1, in this order."
    )


class EvaluationResultsFile(Answer):
    """Content of the artifact ``results`` of an evaluation."""

    evaluated_job_id: str
    data: EvaluatedData
    evaluations: list[EvaluatedModel]
    sampled: Sampled | None = None
    provenance: Provenance


class EvaluationResults(EvaluationResultsFile):
    """Answer of ``GET /v1/jobs/{id}/results`` for an evaluation."""

    job_id: str
    links: dict[str, str]


class ModelPredictions(Answer):
    """Predictions h of one model, in the user's units."""

    model: str
    predictions: list[list[Finding]] = Field(description="(S, m)")
    labels: list[int] | None = Field(default=None, description="(S,): the most probable class; -1 and 1 for logistic.")
    class_names: list[str] | None = Field(
        default=None,
        description="What the training data call the classes 0..m-1, or -1 and 1, in this order; null where they are"
        " numbers. In JSON only.",
    )
    label_names: list[str] | None = Field(
        default=None, description="(S,): what the labels are called; null where they have no names. In JSON only."
    )


class ModelStates(Answer):
    """Trajectories of one model, in its own units."""

    model: str
    t: list[Finding] = Field(description="(T,) in [0, 1].")
    states: list[list[list[Finding]]] = Field(description="(T, S, d)")
