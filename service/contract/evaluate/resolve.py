"""From an evaluate specification to a resolved one: does the data fit the models, and what will it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.contract.data.sources import BUILTINS, GENERATED_DEFAULTS, TargetKind, sha256_of
from service.contract.estimate import Estimate, Sizes, check_cost
from service.contract.evaluate.estimate import estimate_evaluate, largest_output
from service.contract.evaluate.request import (
    BuiltinEvaluationData,
    DatasetEvaluationData,
    EvaluateSpec,
    InlineEvaluationData,
    OutputKind,
)
from service.contract.evaluate.resolved import ResolvedEvaluateSpec
from service.contract.model_name import CONTINUUM
from service.contract.train.request import Loss
from service.contract.train.resolve import samples_of
from service.contract.train.resolved import ResolvedBuiltin, ResolvedDataset, ResolvedTrainSpec
from service.contract.values.errors import FieldError, SpecInvalidError
from service.contract.values.limits import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.contract.data.dataset import DatasetRecord, SampleFacts


@dataclass(frozen=True, slots=True)
class TrainedJob:
    """What a specification that refers to a train job needs of it.

    Parameters
    ----------
    spec
        Resolved.
    models
        Names of its models.
    outputs
        Numbers of one prediction, m.
    """

    spec: ResolvedTrainSpec
    models: tuple[str, ...]
    outputs: int


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is known of the data."""

    samples: int
    features: int
    targets: bool


def resolve_evaluate(
    spec: EvaluateSpec, trained: TrainedJob, dataset: DatasetRecord | None = None, limits: Limits = LIMITS
) -> tuple[ResolvedEvaluateSpec, Estimate]:
    """Fill in every default and check the rules between fields.

    Parameters
    ----------
    spec
        Well-formed field by field.
    trained
        The job whose models are evaluated.
    dataset
        The data set that the specification names; ``None`` where there is none.
    limits
        The published limits.

    Returns
    -------
    tuple[ResolvedEvaluateSpec, Estimate]
        With every default filled in, and what it costs.

    Raises
    ------
    SpecInvalidError
        With every broken rule.
    """
    errors: list[FieldError] = []
    models = list(trained.models) if spec.models is None else spec.models
    for index, model in enumerate(models):
        if model not in trained.models:
            errors.append(FieldError(f"/models/{index}", "model_not_found", "the job has no such model"))
    if spec.depths and CONTINUUM not in trained.models:
        errors.append(FieldError("/depths", "no_continuum", "takes a job with a continuum, which is what is sampled"))
    if not models and not spec.depths:
        errors.append(FieldError("", "nothing_to_evaluate", "models and depths cannot both be empty"))
    data, shape = _data(spec, trained, dataset, errors)
    features = _trained_features(trained)
    if shape.features != features:
        pointer = {"inline": "/data/inputs", "dataset": "/data/id"}.get(data["source"], "/data")
        errors.append(FieldError(pointer, "wrong_shape", f"the models take {features} numbers per sample"))
    if errors:
        raise SpecInvalidError(tuple(errors))
    body = spec.model_dump(exclude={"data", "models"})
    resolved = ResolvedEvaluateSpec.model_validate(
        body | {"models": models, "data": data, "trained": trained.spec.model_dump(mode="json")}
    )
    sizes = Sizes(shape.samples, trained.outputs)
    _check_output(resolved, sizes, limits)
    cost = estimate_evaluate(resolved, sizes)
    check_cost(cost, limits)
    return resolved, cost


def _trained_features(trained: TrainedJob) -> int:
    data = trained.spec.data
    return BUILTINS[data.name].features if isinstance(data, ResolvedBuiltin) else data.features


def _data(
    spec: EvaluateSpec, trained: TrainedJob, dataset: DatasetRecord | None, errors: list[FieldError]
) -> tuple[dict[str, Any], _Shape]:
    match spec.data:
        case None:
            own = trained.spec.data
            if isinstance(own, ResolvedBuiltin):
                samples = own.samples or BUILTINS[own.name].samples or 0
            else:
                samples = own.samples
            return {"source": "job", "samples": samples}, _Shape(samples, _trained_features(trained), targets=True)
        case InlineEvaluationData() as inline:
            return _inline(inline, trained, errors)
        case BuiltinEvaluationData() as builtin:
            return _builtin(builtin, trained, errors)
        case DatasetEvaluationData() as named:
            known = samples_of(dataset, "/data/id")
            classes = _classes(known, trained, errors) if known.outputs is not None else None
            columns = own.columns if isinstance(own := trained.spec.data, ResolvedDataset) else None
            if known.columns and columns and known.columns != columns:
                detail = "its input columns are not those that the models were trained on, in their order"
                errors.append(FieldError("/data/id", "columns_differ", detail))
            shape = _Shape(known.samples, known.features, targets=known.outputs is not None)
            found = {"source": "dataset", "id": named.id, "samples": known.samples, "features": known.features}
            return found | {"targets": shape.targets, "classes": classes}, shape


def _inline(data: InlineEvaluationData, trained: TrainedJob, errors: list[FieldError]) -> tuple[dict[str, Any], _Shape]:
    samples, features = data.inputs.shape
    tables = [data.inputs] if data.targets is None else [data.inputs, data.targets]
    found = {
        "source": "inline",
        "sha256": sha256_of(tables),
        "samples": samples,
        "features": features,
        "targets": data.targets is not None,
    }
    if data.targets is not None:
        shape, loss = data.targets.shape, trained.spec.objective.loss
        outputs = shape[1] if len(shape) > 1 else 1
        if shape[0] != samples:
            errors.append(
                FieldError("/data/targets", "length_mismatch", f"must have as many entries as inputs, {samples}")
            )
        elif loss is Loss.SQUARED_ERROR and outputs != trained.outputs:
            detail = f"the models predict {trained.outputs} numbers per sample"
            errors.append(FieldError("/data/targets", "targets_do_not_fit", detail))
        elif loss is not Loss.SQUARED_ERROR and (len(shape) > 1 or not _labels(data.targets.values, trained)):
            classes = f"integers 0..{trained.outputs - 1}" if loss is Loss.CROSS_ENTROPY else "-1 and 1, or 0 and 1"
            detail = f"must be {classes}, one number per sample"
            errors.append(FieldError("/data/targets", "targets_do_not_fit", detail))
    return found, _Shape(samples, features, targets=data.targets is not None)


def _labels(values: Iterable[float], trained: TrainedJob) -> bool:
    if trained.spec.objective.loss is Loss.LOGISTIC:
        found = set(values)  # 1 is the same class in both ways to write it, so that no list can be read in two
        return found <= {-1.0, 1.0} or found <= {0.0, 1.0}
    return all(value.is_integer() and 0 <= value < trained.outputs for value in values)


def _builtin(
    data: BuiltinEvaluationData, trained: TrainedJob, errors: list[FieldError]
) -> tuple[dict[str, Any], _Shape]:
    known, loss = BUILTINS[data.name], trained.spec.objective.loss
    found: dict[str, Any] = {"source": "builtin", "name": data.name}
    for name, default in GENERATED_DEFAULTS.items():
        given = getattr(data, name)
        if known.samples is None:
            found[name] = default if given is None else given
        elif given is not None:
            errors.append(FieldError(f"/data/{name}", "not_applicable", f"{data.name} is a fixed data set"))
    samples = known.samples or int(found["samples"])
    classes = len(known.counts(samples))
    if loss is Loss.SQUARED_ERROR:
        fits = trained.outputs == 1
    else:
        most = 2 if loss is Loss.LOGISTIC else trained.outputs
        fits = known.targets is TargetKind.CLASSES and classes <= most
    if not fits:
        detail = "its targets are not of the kind that the models were trained on"
        errors.append(FieldError("/data/name", "targets_do_not_fit", detail))
    return found, _Shape(samples, known.features, targets=True)


def _classes(known: SampleFacts, trained: TrainedJob, errors: list[FieldError]) -> list[int] | None:
    """Return the training's class of each class of an upload, or ``None`` where they are the same.

    An upload's labels became classes by their order in its own file, so that those of another file, or of a part of
    one, may have become others: they are found again by their names.
    """
    own = trained.spec.data
    names = own.class_names if isinstance(own, ResolvedDataset) else None
    labels = known.class_names
    if not _fits(known, trained):
        detail = "its targets are not of the kind that the models were trained on"
    elif labels == names:
        return None
    elif labels is None:
        detail = "its targets are numbers, and the models were trained on labels, which have names"
    else:
        places = {name: place for place, name in enumerate(names or ())}
        unknown = sum(label not in places for label in labels)
        if not unknown:
            return [places[label] for label in labels]
        detail = f"{unknown} of its {len(labels)} labels are not among those that the models were trained on"
    errors.append(FieldError("/data/id", "targets_do_not_fit", detail))
    return None


def _fits(known: SampleFacts, trained: TrainedJob) -> bool:
    match trained.spec.objective.loss:
        case Loss.SQUARED_ERROR:
            return known.outputs == trained.outputs
        case Loss.CROSS_ENTROPY:
            return known.class_names is not None or 0 < len(known.class_counts or ()) <= trained.outputs
        case Loss.LOGISTIC:
            binary = 0 < len(known.class_counts or ()) <= 2  # noqa: PLR2004 - 0 and 1
            return known.class_names is not None or known.sign_counts is not None or binary


def _check_output(spec: ResolvedEvaluateSpec, sizes: Sizes, limits: Limits) -> None:
    if largest_output(spec, sizes) > limits.output_numbers:
        detail = (
            f"gives more than {limits.output_numbers} numbers; ask for fewer samples, shallower models or no states"
        )
        pointer = f"/outputs/{spec.outputs.index(OutputKind.STATES)}" if OutputKind.STATES in spec.outputs else "/data"
        raise SpecInvalidError((FieldError(pointer, "too_large", detail),))
