"""From a specification to a resolved one: defaults that depend on other fields, and the rules between fields."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from service.contract.data.dataset import SampleFacts
from service.contract.data.sources import (
    BUILTINS,
    GENERATED_DEFAULTS,
    BuiltinData,
    DatasetData,
    InlineData,
    TargetKind,
    validation_sizes,
)
from service.contract.estimate import Estimate, Sizes, check_cost
from service.contract.train.estimate import estimate_train
from service.contract.train.request import Dtype, Loss, Output, TrainSpec
from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.train.rules import has_continuum, regime_errors, resolved_width, wanted_errors
from service.contract.values.arrays import MOST_ERRORS
from service.contract.values.errors import FieldError, SpecInvalidError
from service.contract.values.limits import LEAST_POSITIVE_FLOAT32, LIMITS, Limits
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


@dataclass(frozen=True, slots=True)
class Resolution:
    """A resolved specification, with what only the data knows.

    Parameters
    ----------
    spec
        Every default filled in.
    sizes
        Samples S and outputs m.
    estimate
        Expected cost.
    targets
        Whether the loss takes classes or numbers.
    """

    spec: ResolvedTrainSpec
    sizes: Sizes
    estimate: Estimate
    targets: TargetKind


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the rules need to know of the data: ``classes`` counts samples by class where the loss takes classes."""

    samples: int
    features: int
    outputs: int = 1
    classes: tuple[int, ...] = ()
    class_names: list[str] | None = None
    columns: list[str] | None = None


def resolve_train(spec: TrainSpec, limits: Limits = LIMITS, dataset: DatasetRecord | None = None) -> Resolution:
    """Fill in every default and check the rules between fields.

    Parameters
    ----------
    spec
        Well-formed field by field.
    limits
        The published limits.
    dataset
        The data set that the specification names; ``None`` where there is none.

    Returns
    -------
    Resolution
        The resolved specification and its cost.

    Raises
    ------
    SpecInvalidError
        With every broken rule; one over the whole body points at ``""``.
    """
    uploaded = samples_of(dataset, "/data/id") if isinstance(spec.data, DatasetData) else None
    if uploaded is not None and uploaded.outputs is None:
        detail = "is a data set without targets, which there is nothing to learn from"
        raise SpecInvalidError((FieldError("/data/id", "no_targets", detail),))
    output, loss = _output_and_loss(spec, uploaded)
    errors: list[FieldError] = []
    if PAIRS[output] is not loss:
        pairs = ", ".join(f"{one} with {other}" for one, other in PAIRS.items())
        errors.append(FieldError("/network/output", "output_loss_mismatch", f"does not go with the loss; use {pairs}"))
    facts = _facts(spec.data, uploaded, loss, errors)
    data = _data(spec.data, facts, loss, errors)
    d = spec.network.state_dim or facts.features
    if d < facts.features:
        detail = f"must be at least the input dimension, {facts.features}"
        errors.append(FieldError("/network/state_dim", "state_dim_too_small", detail))
    elif d > limits.state_dim:
        detail = f"the input dimension, {facts.features}, is over the limit of {limits.state_dim} for the state"
        errors.append(FieldError("/network/state_dim", "too_large", detail))
    errors.extend(regime_errors(spec))
    errors.extend(wanted_errors(spec))
    errors.extend(_precision_errors(spec))
    if spec.discrete is None and (spec.continuum is None or not has_continuum(spec)):
        errors.append(FieldError("", "nothing_to_train", "discrete and continuum cannot both be null"))
    _check_fixed(spec, d, facts, errors)
    if errors:
        raise SpecInvalidError(tuple(errors))
    tolerance = spec.training.gradient_tolerance or GRADIENT_TOLERANCES[spec.training.dtype]
    found = {
        "data": data,
        "network": {"state_dim": d, "output": output, "width": resolved_width(spec, d)},
        "objective": {"loss": loss},
        "training": {"gradient_tolerance": tolerance},
    }
    resolved = _resolved(spec, found, limits)
    sizes = Sizes(facts.samples, facts.outputs)
    cost = estimate_train(resolved, sizes, limits)
    check_cost(cost, limits)
    targets = TargetKind.CLASSES if loss is Loss.CROSS_ENTROPY else TargetKind.NUMBERS
    return Resolution(resolved, sizes, cost, targets)


def samples_of(dataset: DatasetRecord | None, pointer: str) -> SampleFacts:
    """Return what is known of a data set of samples.

    Parameters
    ----------
    dataset
        As found, or ``None``.
    pointer
        Of the id in the body.

    Raises
    ------
    SpecInvalidError
        There is none, or it holds weights.
    """
    if dataset is None:
        detail = "there is no such data set; upload it to /v1/datasets"
        raise SpecInvalidError((FieldError(pointer, "dataset_not_found", detail),))
    if not isinstance(dataset.facts, SampleFacts):
        raise SpecInvalidError((FieldError(pointer, "wrong_dataset", "holds weights, not samples"),))
    return dataset.facts


def _output_and_loss(spec: TrainSpec, uploaded: SampleFacts | None) -> tuple[Output, Loss]:
    """Return both: one that is given brings its partner, and without either the targets decide."""
    output, loss = spec.network.output, spec.objective.loss
    if output is None and loss is None:
        classes = uploaded.integers if uploaded is not None else _has_integer_targets(spec.data)
        output = Output.SOFTMAX if classes else Output.IDENTITY
    if output is None:
        output = next(one for one, other in PAIRS.items() if other is loss)
    return output, loss or PAIRS[output]


def _has_integer_targets(data: InlineData | BuiltinData | DatasetData) -> bool:
    if isinstance(data, InlineData):
        return len(data.targets.shape) == 1 and all(map(float.is_integer, data.targets.values))
    return isinstance(data, BuiltinData) and BUILTINS[data.name].targets is TargetKind.CLASSES


def _facts(
    data: InlineData | BuiltinData | DatasetData, uploaded: SampleFacts | None, loss: Loss, errors: list[FieldError]
) -> _Facts:
    if uploaded is not None:
        facts = _uploaded_facts(uploaded, loss, errors)
        return replace(facts, class_names=uploaded.class_names, columns=uploaded.columns)
    if isinstance(data, InlineData):
        return _inline_facts(data, loss, errors)
    return _builtin_facts(data, loss, errors) if isinstance(data, BuiltinData) else _Facts(0, 0)


def _uploaded_facts(known: SampleFacts, loss: Loss, errors: list[FieldError]) -> _Facts:
    """Return what the rules need of an uploaded data set; two classes 0 and 1 do for the logistic loss as well."""
    samples, features, counts = known.samples, known.features, known.class_counts or []
    if loss is Loss.SQUARED_ERROR:
        if known.class_names:
            detail = "the set's targets are labels, not numbers; cross_entropy takes them"
            errors.append(FieldError("/objective/loss", "targets_do_not_fit", detail))
        return _Facts(samples, features, known.outputs or 1)
    if loss is Loss.LOGISTIC:
        pair = known.sign_counts or (counts if len(counts) == 2 else ())  # noqa: PLR2004  # ±1 are two classes
        if not pair:
            errors.append(
                FieldError("/data/id", "targets_do_not_fit", "logistic takes targets of -1 and 1, or 0 and 1")
            )
        return _Facts(samples, features, 1, tuple(count for count in pair if count))
    if len(counts) < 2:  # noqa: PLR2004  # one class leaves nothing to tell apart
        detail = f"cross_entropy takes classes: integers 0..m-1, 2 <= m <= {LIMITS.outputs}; numbers take squared_error"
        errors.append(FieldError("/data/id", "targets_do_not_fit", detail))
    elif 0 in counts:
        detail = f"every class 0..m-1 must be present; {counts.count(0)} of 0..{len(counts) - 1} are not"
        errors.append(FieldError("/data/id", "class_missing", detail))
    return _Facts(samples, features, max(len(counts), 1), tuple(count for count in counts if count))


def _builtin_facts(data: BuiltinData, loss: Loss, errors: list[FieldError]) -> _Facts:
    known = BUILTINS[data.name]
    samples = known.samples or data.samples or int(GENERATED_DEFAULTS["samples"])
    counts = known.counts(samples)
    if loss is Loss.SQUARED_ERROR:
        return _Facts(samples, known.features)
    if not counts:
        errors.append(FieldError("/objective/loss", "targets_do_not_fit", "the set's targets are numbers, not classes"))
    elif loss is Loss.LOGISTIC and len(counts) != 2:  # noqa: PLR2004  # ±1 are two classes
        errors.append(FieldError("/objective/loss", "targets_do_not_fit", "logistic takes a set of two classes"))
    outputs = len(counts) if loss is Loss.CROSS_ENTROPY else 1
    return _Facts(samples, known.features, max(outputs, 1), counts)


def _inline_facts(data: InlineData, loss: Loss, errors: list[FieldError]) -> _Facts:
    (samples, features), shape = data.inputs.shape, data.targets.shape
    if shape[0] != samples:
        detail = f"must have as many entries as inputs, {samples}"
        errors.append(FieldError("/data/targets", "length_mismatch", detail))
    outputs = shape[1] if len(shape) > 1 else 1
    if loss is Loss.SQUARED_ERROR:
        return _Facts(samples, features, outputs)
    name = "classes" if loss is Loss.CROSS_ENTROPY else "±1"
    if len(shape) > 1:
        detail = f"{loss} takes {name}: one number per sample, not rows"
        errors.append(FieldError("/data/targets", "targets_do_not_fit", detail))
        return _Facts(samples, features)
    if loss is Loss.LOGISTIC:
        _point_at(errors, data, lambda y: y in {-1.0, 1.0}, "logistic takes targets of -1 and 1")
        counts = Counter(data.targets.values)
        return _Facts(samples, features, 1, tuple(counts[y] for y in sorted(counts)))
    return _class_facts(data, errors)


def _class_facts(data: InlineData, errors: list[FieldError]) -> _Facts:
    samples, features = data.inputs.shape
    values = data.targets.values
    found = len(errors)
    detail = f"cross_entropy takes classes: integers 0..m-1, m at most {LIMITS.outputs}; numbers take squared_error"
    _point_at(errors, data, lambda y: y.is_integer() and 0 <= y < LIMITS.outputs, detail)
    if len(errors) > found:
        return _Facts(samples, features)
    counts = Counter(map(int, values))
    m = max(counts) + 1
    if m < 2:  # noqa: PLR2004  # one class leaves nothing to tell apart
        errors.append(FieldError("/data/targets", "targets_do_not_fit", "cross_entropy takes at least two classes"))
    elif len(counts) < m:
        detail = f"every class 0..m-1 must be present; {m - len(counts)} of 0..{m - 1} are not"
        errors.append(FieldError("/data/targets", "class_missing", detail))
    return _Facts(samples, features, m, tuple(counts[c] for c in range(m) if counts[c]))


def _point_at(errors: list[FieldError], data: InlineData, fits: Any, detail: str) -> None:
    bad = (index for index, y in enumerate(data.targets.values) if not fits(y))
    errors.extend(
        FieldError(f"/data/targets/{index}", "targets_do_not_fit", detail)
        for index, _ in zip(bad, range(MOST_ERRORS), strict=False)
    )


def _data(
    data: InlineData | BuiltinData | DatasetData, facts: _Facts, loss: Loss, errors: list[FieldError]
) -> dict[str, Any]:
    squared = loss is Loss.SQUARED_ERROR
    if data.standardise_targets and not squared:
        detail = "may be true for squared_error only"
        errors.append(FieldError("/data/standardise_targets", "not_applicable", detail))
    groups = facts.classes or (facts.samples,)
    if data.validation_fraction > 0 and sum(validation_sizes(data.validation_fraction, groups)) == 0:
        detail = "leaves no sample for validation without taking the last of a class or of all"
        errors.append(FieldError("/data/validation_fraction", "no_validation_samples", detail))
    options: dict[str, Any] = {
        "source": data.source,
        "standardise": data.standardise,
        "standardise_targets": squared if data.standardise_targets is None else data.standardise_targets,
        "validation_fraction": data.validation_fraction,
        "split_seed": data.split_seed,
    }
    sizes = {"samples": facts.samples, "features": facts.features}
    if isinstance(data, InlineData):
        return {**options, "sha256": data.sha256(), **sizes}
    if isinstance(data, DatasetData):
        return {**options, "id": data.id, **sizes, "class_names": facts.class_names, "columns": facts.columns}
    options["name"] = data.name
    generated = BUILTINS[data.name].samples is None
    for name, default in GENERATED_DEFAULTS.items():
        given = getattr(data, name)
        if generated:
            options[name] = default if given is None else given
        elif given is not None:
            errors.append(FieldError(f"/data/{name}", "not_applicable", f"{data.name} is a fixed data set"))
    return options


def _precision_errors(spec: TrainSpec) -> list[FieldError]:
    """Refuse weights that single precision would round, up to nothing at all."""
    if spec.training.dtype is not Dtype.FLOAT32:
        return []
    detail = f"must be at least {LEAST_POSITIVE_FLOAT32:.2g} in float32"
    return [
        FieldError(f"/objective/{part}/{name}", "too_small", detail)
        for part, weights in (("alpha", spec.objective.alpha), ("tau", spec.objective.tau))
        for name, weight in weights
        if weight < LEAST_POSITIVE_FLOAT32
    ]


def _check_fixed(spec: TrainSpec, d: int, facts: _Facts, errors: list[FieldError]) -> None:
    fixed, m = spec.network.fixed, facts.outputs
    width = spec.network.width or d
    shapes: dict[str, tuple[int, ...]] = {"K": (d, d), "b": (width,), "W": (m, d), "c": (m,)}
    for name, shape in shapes.items():
        value = getattr(fixed, name)
        if not isinstance(value, list):
            continue
        found = (len(value), len(value[0])) if isinstance(value[0], list) else (len(value),)
        if found != shape:
            wanted = " by ".join(map(str, shape))
            errors.append(FieldError(f"/network/fixed/{name}", "wrong_shape", f"must be {wanted}"))
    if all(getattr(fixed, name) is not None for name in shapes):
        errors.append(FieldError("/network/fixed", "nothing_to_train", "at least one of K, b, W and c must be trained"))


def _resolved(spec: TrainSpec, found: Mapping[str, dict[str, Any]], limits: Limits) -> ResolvedTrainSpec:
    """Put what was found, by part of the specification, in the place of what was left open."""
    body = spec.model_dump(exclude={"data"}) | {"data": {}}
    if not has_continuum(spec):
        body["continuum"] = None
    for part, values in found.items():
        body[part] |= values
    try:
        return ResolvedTrainSpec.model_validate(body, context=limits)
    except ValidationError as error:  # a default is over a limit that was lowered
        raise SpecInvalidError(field_errors(error)) from None
