"""A train specification as a client writes it. Defaults that hang on other fields are filled in by `resolve`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, StrictBool, ValidationInfo
from pydantic_core import PydanticCustomError

from service.contract.data.sources import DataSource, TargetKind
from service.contract.request import Device, JobLimits, JobRequest, Strict
from service.contract.train.depths import Depths
from service.contract.train.regimes import Block, Coarse, DepthStart, Follow, Integrator, Scaling, Weights
from service.contract.values.arrays import ArrayOf, nested
from service.contract.values.errors import FieldError
from service.contract.values.limits import LEAST_POSITIVE, LIMITS
from service.contract.values.numbers import Real, Whole

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue

AUTO: Final = "auto"
"""As many starts as it takes."""


class Activation(StrEnum):
    """σ, applied componentwise."""

    IDENTITY = "identity"
    TANH = "tanh"
    SIN = "sin"
    RELU = "relu"
    LEAKY_RELU = "leaky_relu"
    SOFTPLUS = "softplus"
    SILU = "silu"
    GELU = "gelu"
    SIGMOID = "sigmoid"


class Output(StrEnum):
    """The map h from the last state to a prediction."""

    IDENTITY = "identity"
    SOFTMAX = "softmax"
    LOGISTIC = "logistic"


class Loss(StrEnum):
    """The terminal loss L."""

    SQUARED_ERROR = "squared_error"
    CROSS_ENTROPY = "cross_entropy"
    LOGISTIC = "logistic"

    @property
    def target_kind(self) -> TargetKind:
        """What a target is to it; the logistic loss takes the numbers -1 and 1."""
        return TargetKind.CLASSES if self is Loss.CROSS_ENTROPY else TargetKind.NUMBERS


class BasisChoice(StrEnum):
    """How the continuum's parameters are expanded."""

    AUTO = "auto"
    LEGENDRE = "legendre"
    PIECEWISE_LINEAR = "piecewise_linear"


class Dtype(StrEnum):
    """Floating-point type of the computation."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"


class KernelChoice(StrEnum):
    """What goes through the layers."""

    AUTO = "auto"
    TORCH = "torch"
    FUSED = "fused"


class _FixedArray(ArrayOf):
    """Annotation: one matrix or vector, or a word for it, kept as nested lists or the word."""

    __slots__ = ()

    def words(self) -> tuple[str, ...]:
        return ("identity", "zero") if self.dimensions == (2,) else ("zero",)

    def parse(self, value: object, info: ValidationInfo | None = None) -> Any:
        if isinstance(value, str):
            if value not in self.words():
                words = " or ".join(f"'{word}'" for word in self.words())
                raise nested([FieldError("", "invalid_choice", f"must be an array or {words}")])
            return value
        table = super().parse(value, info)
        return table.rows() if self.dimensions == (2,) else table.values.tolist()

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"enum": list(self.words())}, super().schema()]}


FixedMatrix = Annotated[
    list[list[float]] | Literal["identity", "zero"], _FixedArray((2,), rows="fixed_rows", columns="state_dim")
]
FixedVector = Annotated[list[float] | Literal["zero"], _FixedArray((1,), rows="fixed_rows")]
Positive = Annotated[float, Real(gt=0, ge=LEAST_POSITIVE)]
"""A finite number greater than 0, and not so small that digits of it are lost."""


class Fixed(Strict):
    """Parameters held constant; they add nothing to the objective. ``null`` is trained."""

    K: FixedMatrix | None = Field(default=None, description="(d, d), one for all layers; or a word.")
    b: FixedVector | None = Field(default=None, description="(d,), one for all layers; or 'zero'.")
    W: FixedMatrix | None = Field(default=None, description="(m, d); 'identity' has ones on its main diagonal.")
    c: FixedVector | None = Field(default=None, description="(m,); or 'zero'.")


class Network(Strict):
    """The residual network and its limit."""

    state_dim: Annotated[int, Whole(ge=1, most="state_dim")] | None = Field(
        default=None, description="d; the input dimension unless said. Larger pads with zeros, smaller is refused."
    )
    activation: Activation = Activation.TANH
    output: Output | None = Field(default=None, description="softmax for integer targets, else identity, unless said.")
    fixed: Fixed = Fixed()
    weights: Weights = Field(
        default=Weights.VARYING, description="constant: one K and b for all layers, regularised by τ‖A‖²."
    )
    integrator: Integrator = Field(
        default=Integrator.EULER,
        description="What a layer is a step of; stages off the nodes read the piecewise-linear lift of K and b.",
    )
    block: Block = Field(
        default=Block.SINGLE, description="two_layer: V σ(K x + b), V regularised as K is, with K's weights."
    )
    width: Annotated[int, Whole(ge=1, most="state_dim")] | None = Field(
        default=None, description="Rows of K in a two_layer block; d unless said."
    )
    horizon: Annotated[float, Real(gt=0, ge=LEAST_POSITIVE, le=1000)] = Field(
        default=1.0, description="T: layers are steps of length T/n over [0, T]. Times are reported as parts of T."
    )


class Alpha(Strict):
    """Weights of the regularisers, each greater than 0."""

    K: Positive = 1e-2
    b: Positive = 1e-2
    W: Positive = 1e-2
    c: Positive = 1e-2


class Tau(Strict):
    """Weights of ‖K(0)‖² and ‖b(0)‖² within their regularisers, each greater than 0."""

    K: Positive = 1.0
    b: Positive = 1.0


class Objective(Strict):
    """What is minimised: the mean terminal loss plus regularisation."""

    loss: Loss | None = Field(
        default=None, description="cross_entropy for integer targets, else squared_error, unless said."
    )
    alpha: Alpha = Alpha()
    tau: Tau = Tau()
    scaling: Scaling = Field(
        default=Scaling.H1,
        description="Of K and b: h1 n Σ‖ΔA‖² + τ‖A_0‖²; l2 (1/n) Σ‖A‖²; unscaled Σ‖ΔA‖² + τ‖A_0‖²; none 0."
        " Without h1 there is no continuum problem.",
    )
    running_cost: Annotated[float, Real(ge=0)] = Field(
        default=0.0, description="γ of γ ∫‖X(t)‖² dt over [0, T], mean over samples."
    )


class Discrete(Strict):
    """The depths to train."""

    depths: Depths = Field(
        default=[8, 16, 32, 64], description="Strictly increasing; or a wanted gap or prediction error."
    )


class Continuum(Strict):
    """The limit."""

    basis: BasisChoice = BasisChoice.AUTO
    tolerance: Annotated[float, Real(gt=0, lt=1)] = Field(
        default=1e-8, description="Of E_∞: estimated |error| ≤ tolerance·max(|E_∞|, 1e-3)."
    )


class _Starts(Whole):
    """A whole number, or ``auto``; another text is ``invalid_choice``."""

    __slots__ = ()

    def parse(self, value: object, info: ValidationInfo | None = None) -> Any:
        """Return the number as an int, or the word."""
        if isinstance(value, str):
            if value != AUTO:
                raise PydanticCustomError("invalid_choice", "must be an integer or 'auto'")
            return value
        return super().parse(value, info)

    def schema(self) -> JsonSchemaValue:
        """Return both forms."""
        return {"anyOf": [super().schema(), {"type": "string", "enum": [AUTO]}]}  # generators misread a const here


class Training(Strict):
    """How it is minimised."""

    gradient_tolerance: Annotated[float, Real(gt=0, lt=1)] | None = Field(
        default=None, description="Relative to max(1, |E|); 1e-7 in float64 and 1e-4 in float32 unless said."
    )
    max_iterations: Annotated[int, Whole(ge=1, most="iterations")] = Field(default=2000, description="Of each model.")
    starts: Annotated[int | Literal["auto"], _Starts(ge=1, most="starts")] = Field(
        default=4, description="auto: until the chance of a minimum that was not found is below most_unseen."
    )
    most_unseen: Annotated[float, Real(gt=0, lt=1)] = Field(
        default=0.1,
        description="Chance of a minimum that was not found, its upper 95 % limit: where it is larger, the lowest"
        " minimum is called the lowest found.",
    )
    seed: Annotated[int, Whole(ge=0, le=LIMITS.seed)] = 0
    start_scale: Annotated[float, Real(gt=0, le=100)] = 0.5
    depth_start: DepthStart = Field(
        default=DepthStart.PROLONG,
        description="prolong: the depth before; independent: random starts at every depth;"
        " recovery: the continuum, trained first.",
    )
    follow: Follow = Field(
        default=Follow.BEST, description="best: minima within 10 % of the lowest, four at most; all: every one found."
    )
    sharpen: bool = Field(
        default=True,
        description="Minimise on, to smaller tolerances, where the errors on the finest depths hide the orders there.",
    )
    coarse: Coarse = Field(
        default=Coarse.TOLERANCE,
        description="How sharply depths before the finest are minimised: tolerance, as it; discretisation, as their own"
        " distance from the limit is worth, where only the finest is asked for.",
    )
    carry_curvature: bool = Field(
        default=True,
        description="Begin each model with what was learnt of the Hessian, and with the trend, of those before; false"
        " takes more evaluations to the same minima.",
    )
    dtype: Dtype = Dtype.FLOAT64
    device: Device = Device.AUTO
    kernel: KernelChoice = Field(
        default=KernelChoice.AUTO,
        description="torch, or fused: all layers in one loop of machine code on the CPU, in float64; auto: fused where"
        " the worker has it and it is faster. The numbers agree to rounding.",
    )


class TrainSpec(JobRequest):
    """Train a study: networks of growing depth, their continuum limit, and whether they converge to it."""

    kind: Literal["train"]
    data: DataSource
    network: Network = Network()
    objective: Objective = Objective()
    discrete: Discrete | None = Field(
        default=Discrete(), description="With its defaults unless said; null trains none."
    )
    continuum: Continuum | None = Field(
        default=Continuum(), description="With its defaults unless said; null trains none."
    )
    training: Training = Training()
    limits: JobLimits = JobLimits()
    plots: StrictBool = Field(default=True, description="Draw plots of the study when it is trained.")
