"""From a specification to a resolved one: defaults that depend on other fields, and the rules between fields."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from service.contract.data.dataset import SampleFacts
from service.contract.data.sources import (
    BUILTINS,
    BuiltinData,
    DatasetData,
    InlineData,
    TargetKind,
    sha256_of,
    validation_sizes,
)
from service.contract.estimate import Estimate, Sizes, check_cost, check_memory
from service.contract.train.estimate import estimate_train, memory_of
from service.contract.train.request import Dtype, Fixed, Loss, Output, TrainSpec
from service.contract.train.resolved import KeptArray, ResolvedFixed, ResolvedTrainSpec
from service.contract.train.rules import has_continuum, resolved_width, rule_errors
from service.contract.train.samples import SampleSizes, Source, generated_options, sizes_for, uploaded_samples
from service.contract.values.arrays import Table
from service.contract.values.errors import FieldError, SpecInvalidError
from service.contract.values.limits import LIMITS, Limits
from service.contract.values.pointers import field_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.contract.data.dataset import DatasetRecord

PAIRS: Mapping[Output, Loss] = MappingProxyType(
    {
        Output.SOFTMAX: Loss.CROSS_ENTROPY,
        Output.IDENTITY: Loss.SQUARED_ERROR,
        Output.LOGISTIC: Loss.LOGISTIC,
    }
)
"""The only pairs of output and loss."""

GRADIENT_TOLERANCES: Mapping[Dtype, float] = MappingProxyType({Dtype.FLOAT64: 1e-7, Dtype.FLOAT32: 1e-4})


NAMES = ("class_names", "columns", "target_columns")
"""What a resolved specification keeps of an upload's names, as far as it has them."""


LARGEST_SHOWN: Final = 64
"""Numbers of a fixed array that is kept in the specification; a larger one becomes an object of the job."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """A specification with every default filled in, the sizes of its data, which it need not hold, and its cost.

    `fixed` are the arrays of the body's ``network.fixed`` that the specification names by their digests alone.
    """

    spec: ResolvedTrainSpec
    sizes: Sizes
    estimate: Estimate
    fixed: Mapping[str, Table]


def resolve_train(spec: TrainSpec, limits: Limits = LIMITS, dataset: DatasetRecord | None = None) -> Resolution:
    """Fill in every default and check the rules between fields, with the data set that the specification names.

    Raises
    ------
    SpecInvalidError
        With every broken rule; one over the whole body points at ``""``.
    """
    source = uploaded_samples(dataset) if isinstance(spec.data, DatasetData) else spec.data
    if isinstance(source, SampleFacts) and source.outputs is None:
        detail = "is a data set without targets, which there is nothing to learn from"
        raise SpecInvalidError((FieldError("/data/id", "no_targets", detail),))
    output, loss = _output_and_loss(spec, source)
    errors: list[FieldError] = []
    if PAIRS[output] is not loss:
        pairs = ", ".join(f"{one} with {other}" for one, other in PAIRS.items())
        errors.append(FieldError("/network/output", "output_loss_mismatch", f"does not go with the loss; use {pairs}"))
    sizes = sizes_for(loss, source, errors)
    data = _data_defaults(spec, source, sizes, loss, errors)
    d = spec.network.state_dim or sizes.features
    if d < sizes.features:
        detail = f"must be at least the input dimension, {sizes.features}"
        errors.append(FieldError("/network/state_dim", "state_dim_too_small", detail))
    elif d > limits.state_dim:
        detail = f"the input dimension, {sizes.features}, is over the limit of {limits.state_dim} for the state"
        errors.append(FieldError("/network/state_dim", "too_large", detail))
    errors.extend(rule_errors(spec))
    _check_fixed(spec, d, sizes.outputs, errors)
    if errors:
        raise SpecInvalidError(tuple(errors))
    if dataset is not None and dataset.name is not None:
        data["name"] = dataset.name
    kept = _large(spec.network.fixed)
    fixed = {name: KeptArray(shape=list(table.shape), sha256=sha256_of([table])) for name, table in kept.items()}
    defaults = {
        "data": data,
        "network": {
            "state_dim": d,
            "output": output,
            "width": resolved_width(spec, d),
            "fixed": ResolvedFixed(**{**vars(spec.network.fixed), **fixed}),
        },
        "objective": {"loss": loss},
        "training": {
            "gradient_tolerance": spec.training.gradient_tolerance or GRADIENT_TOLERANCES[spec.training.dtype]
        },
    }
    resolved = _resolved(spec, defaults, limits)
    memory = memory_of(resolved, sizes, resolved.depths)
    check_memory(
        memory.least(), resolved.limits.memory_bytes, "train shallower networks, fewer depths or a smaller state"
    )
    cost = estimate_train(resolved, sizes, limits, memory)
    check_cost(cost, limits)
    return Resolution(resolved, sizes, cost, kept)


def _large(fixed: Fixed) -> dict[str, Table]:
    """Return the fixed arrays that are not kept in the specification."""
    found = {}
    for name, value in vars(fixed).items():
        if isinstance(value, list):
            rows = isinstance(value[0], list)
            numbers = array("d", chain.from_iterable(value) if rows else value)
            if len(numbers) > LARGEST_SHOWN:
                found[name] = Table((len(value), len(value[0])) if rows else (len(value),), numbers)
    return found


def _output_and_loss(spec: TrainSpec, source: Source) -> tuple[Output, Loss]:
    """Return both: one that is given brings its partner, and without either the targets decide."""
    output, loss = spec.network.output, spec.objective.loss
    if output is None and loss is None:
        output = Output.SOFTMAX if _are_classes(source) else Output.IDENTITY
    if output is None:
        output = next(one for one, other in PAIRS.items() if other is loss)
    return output, loss or PAIRS[output]


def _are_classes(source: Source) -> bool:
    """Whether targets are taken for classes where neither output nor loss is given."""
    match source:
        case InlineData(targets=targets):
            # -1 and 1 are the logistic loss's where it is asked for, and numbers where nothing is.
            signs = {-1.0, 1.0}.issuperset(targets.values) and -1.0 in targets.values
            return len(targets.shape) == 1 and not signs and all(map(float.is_integer, targets.values))
        case BuiltinData(name=name):
            return BUILTINS[name].targets is TargetKind.CLASSES
        case SampleFacts(integers=integers):
            return integers


def _data_defaults(
    spec: TrainSpec, source: Source, sizes: SampleSizes, loss: Loss, errors: list[FieldError]
) -> dict[str, Any]:
    """Return what the data's own fields leave open."""
    data, squared = spec.data, loss is Loss.SQUARED_ERROR
    if data.standardise_targets and not squared:
        detail = "may be true for squared_error only"
        errors.append(FieldError("/data/standardise_targets", "not_applicable", detail))
    held_out = validation_sizes(data.validation_fraction, sizes.classes or (sizes.samples,))
    if data.validation_fraction > 0 and sum(held_out) == 0:
        detail = "leaves no sample for validation without taking the last of a class or of all"
        errors.append(FieldError("/data/validation_fraction", "no_validation_samples", detail))
    defaults: dict[str, Any] = {
        "standardise_targets": squared if data.standardise_targets is None else data.standardise_targets
    }
    match source:
        case InlineData():
            names = source.targets.class_names
            told = {} if names is None else {"class_names": list(names)}
            return (
                defaults
                | told
                | {
                    "sha256": source.sha256(),
                    "samples": sizes.samples,
                    "features": sizes.features,
                }
            )
        case BuiltinData():
            return defaults | generated_options(source.name, vars(source), errors)
        case SampleFacts():
            return defaults | source.model_dump(include={"samples", "features", "encoded", *NAMES})


def _check_fixed(spec: TrainSpec, d: int, m: int, errors: list[FieldError]) -> None:
    fixed, width = spec.network.fixed, spec.network.width or d
    shapes: dict[str, tuple[int, ...]] = {"K": (d, d), "b": (width,), "W": (m, d), "c": (m,)}
    for name, wanted in shapes.items():
        value = getattr(fixed, name)
        if not isinstance(value, list):
            continue
        shape = (len(value), len(value[0])) if isinstance(value[0], list) else (len(value),)
        if shape != wanted:
            detail = f"must be {' by '.join(map(str, wanted))}"
            errors.append(FieldError(f"/network/fixed/{name}", "wrong_shape", detail))
    if all(getattr(fixed, name) is not None for name in shapes):
        errors.append(FieldError("/network/fixed", "nothing_to_train", "at least one of K, b, W and c must be trained"))


def _resolved(spec: TrainSpec, defaults: Mapping[str, dict[str, Any]], limits: Limits) -> ResolvedTrainSpec:
    """Put defaults, by part of the specification, in the place of what was left open.

    The parts are checked again as they are, defaults of theirs included, but not what was checked further inside.
    """
    body: dict[str, Any] = {
        name: dict(vars(part)) if isinstance(part, BaseModel) else part for name, part in vars(spec).items()
    }
    if not has_continuum(spec):
        body["continuum"] = None
    for name in ("inputs", "targets"):
        body["data"].pop(name, None)
    for part, values in defaults.items():
        body[part] |= values
    try:
        return ResolvedTrainSpec.model_validate(body, context=limits)
    except ValidationError as error:  # a default is over a limit that was lowered
        raise SpecInvalidError(field_errors(error)) from None
