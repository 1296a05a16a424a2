"""From an evaluate specification to a resolved one: does the data fit the models, and what will it cost."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.contract.data.dataset import class_text
from service.contract.data.sources import BUILTINS, sha256_of
from service.contract.estimate import Estimate, Sizes, check_cost, check_memory
from service.contract.evaluate.columns import match_columns
from service.contract.evaluate.estimate import estimate_evaluate, largest_output
from service.contract.evaluate.request import (
    BuiltinEvaluationData,
    DatasetEvaluationData,
    EvaluateSpec,
    InlineEvaluationData,
    OutputKind,
)
from service.contract.evaluate.resolved import (
    ResolvedBuiltinEvaluation,
    ResolvedDatasetEvaluation,
    ResolvedEvaluateSpec,
    ResolvedInlineEvaluation,
    ResolvedOwnData,
)
from service.contract.model_name import CONTINUUM
from service.contract.train.request import Loss
from service.contract.train.resolved import ChosenBuiltin, ResolvedTrainSpec
from service.contract.train.samples import PAIR, generated_options, length_errors, targets_for, uploaded_samples
from service.contract.values.arrays import MOST_ERRORS, Table
from service.contract.values.errors import FieldError, SpecInvalidError
from service.contract.values.limits import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.contract.data.dataset import DatasetRecord, SampleFacts
    from service.contract.evaluate.resolved import ResolvedEvaluationData
    from service.contract.train.resolved import ResolvedData

OPTIONS = {"solvers": OutputKind.SOLVERS, "noise": OutputKind.ROBUSTNESS}
"""Options, and the output that each is for."""
MOST_LABELS = 20
"""Labels of the training that an error names."""
UNLIKE_TRAINING = "its targets are not of the kind that the models were trained on"


@dataclass(frozen=True, slots=True)
class TrainedJob:
    """What is evaluated: a train job's resolved specification, its models by name, and the outputs m of each."""

    spec: ResolvedTrainSpec
    models: tuple[str, ...]
    outputs: int

    @property
    def class_names(self) -> list[str] | None:
        """Labels that the models were trained on, in the order of their classes."""
        data = self.spec.data
        return None if isinstance(data, ChosenBuiltin) else data.class_names


def resolve_evaluate(
    spec: EvaluateSpec, trained: TrainedJob, dataset: DatasetRecord | None = None, limits: Limits = LIMITS
) -> tuple[ResolvedEvaluateSpec, Estimate]:
    """Fill in every default and check the rules between fields, with the data set that the specification names.

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
    errors += _unused(spec)
    data = _resolve_data(spec, trained, dataset, errors)
    features = trained.spec.data.features
    if not isinstance(data, ResolvedOwnData) and data.features != features:
        pointer = {"inline": "/data/inputs", "dataset": "/data/id"}.get(data.source, "/data")
        errors.append(FieldError(pointer, "wrong_shape", f"the models take {features} numbers per sample"))
    if errors:
        raise SpecInvalidError(tuple(errors))
    body = spec.model_dump(exclude={"data", "models"})
    resolved = ResolvedEvaluateSpec.model_validate(body | {"models": models, "data": data, "trained": trained.spec})
    sizes = Sizes(_samples_in(data), trained.outputs)
    _check_output(resolved, sizes, limits)
    cost = estimate_evaluate(resolved, sizes)
    check_memory(
        cost.memory_bytes, resolved.limits.memory_bytes, "ask for fewer samples, shallower models or no states"
    )
    check_cost(cost, limits)
    return resolved, cost


def _unused(spec: EvaluateSpec) -> list[FieldError]:
    """Return an error for each option that was given for an output that was not asked for."""
    detail = "is for the output {}; add it to outputs, or leave {} out"
    return [
        FieldError(f"/{field}", "not_applicable", detail.format(output, field))
        for field, output in OPTIONS.items()
        if field in spec.model_fields_set and output not in spec.outputs
    ]


def _resolve_data(
    spec: EvaluateSpec, trained: TrainedJob, dataset: DatasetRecord | None, errors: list[FieldError]
) -> ResolvedEvaluationData:
    match spec.data:
        case None:
            return ResolvedOwnData(source="job", samples=_samples_in(trained.spec.data))
        case InlineEvaluationData() as inline:
            return _resolve_inline(inline, trained, errors)
        case BuiltinEvaluationData() as builtin:
            return _resolve_builtin(builtin, trained, errors)
        case DatasetEvaluationData(id=dataset_id):
            return _resolve_upload(dataset_id, uploaded_samples(dataset), trained, errors)


def _samples_in(data: ResolvedData | ResolvedEvaluationData) -> int:
    if isinstance(data, ChosenBuiltin):
        return data.samples or BUILTINS[data.name].samples or 0
    return data.samples


def _resolve_inline(
    data: InlineEvaluationData, trained: TrainedJob, errors: list[FieldError]
) -> ResolvedInlineEvaluation:
    (samples, features), tables = data.inputs.shape, [data.inputs]
    if data.targets is not None:
        tables.append(data.targets)
        errors.extend(length_errors(*tables) or _inline_errors(data.targets, trained))
        if not errors:
            tables[1] = inline_targets(data.targets, trained)
    digest = sha256_of(tables)
    return ResolvedInlineEvaluation(
        source="inline", sha256=digest, samples=samples, features=features, targets=data.targets is not None
    )


def inline_targets(targets: Table, trained: TrainedJob) -> Table:
    """Return targets of a body as the models take them: labels, which hold up, as the classes of the training."""
    if targets.class_names is None:
        return targets
    places = {name: float(place) for place, name in enumerate(trained.class_names or ())}
    classes = [places[name] for name in targets.class_names]
    aligned = Table(targets.shape, array("d", (classes[int(y)] for y in targets.values)), targets.class_names)
    return targets_for(trained.spec.objective.loss, aligned)


def _label_errors(names: tuple[str, ...], targets: Table, trained: TrainedJob) -> list[FieldError]:
    """Point at the first labels that the models were not trained on."""
    if trained.spec.objective.loss is Loss.SQUARED_ERROR or trained.class_names is None:
        what = "numbers" if trained.spec.objective.loss is Loss.SQUARED_ERROR else "classes by number"
        return [FieldError("/data/targets", "targets_do_not_fit", f"the models were trained on {what}, not on labels")]
    known = trained.class_names
    wrong = [index for index, y in enumerate(targets.values) if names[int(y)] not in known]
    some = ", ".join(map(repr, known[:MOST_LABELS])) + (", …" if len(known) > MOST_LABELS else "")
    detail = f"is none of the labels that the models were trained on: {some}"
    return [FieldError(f"/data/targets/{index}", "targets_do_not_fit", detail) for index in wrong[:MOST_ERRORS]]


def _inline_errors(targets: Table, trained: TrainedJob) -> list[FieldError]:
    if targets.class_names is not None:
        return _label_errors(targets.class_names, targets, trained)
    one_each, m, loss = len(targets.shape) == 1, trained.outputs, trained.spec.objective.loss
    if loss is Loss.SQUARED_ERROR:
        fits, detail = math.prod(targets.shape[1:]) == m, f"the models predict {m} numbers per sample"
    elif loss is Loss.CROSS_ENTROPY:
        fits = one_each and all(y.is_integer() and 0 <= y < m for y in targets.values)
        detail = f"must be integers 0..{m - 1}, one number per sample"
    else:
        signs = set(targets.values)  # 1 is the same class in both ways to write it: no list can be read in two
        fits = one_each and (signs <= {-1.0, 1.0} or signs <= {0.0, 1.0})
        detail = "must be -1 and 1, or 0 and 1, one number per sample"
    return [] if fits else [FieldError("/data/targets", "targets_do_not_fit", detail)]


def _resolve_builtin(
    data: BuiltinEvaluationData, trained: TrainedJob, errors: list[FieldError]
) -> ResolvedBuiltinEvaluation:
    options = generated_options(data.name, data.model_dump(), errors)
    resolved = ResolvedBuiltinEvaluation.model_validate({"source": "builtin", "name": data.name} | options)
    if not _targets_fit(trained, 1, len(BUILTINS[data.name].counts(_samples_in(resolved)))):
        errors.append(FieldError("/data/name", "targets_do_not_fit", UNLIKE_TRAINING))
    return resolved


def _targets_fit(trained: TrainedJob, outputs: int | None, classes: int) -> bool:
    """Tell whether the loss takes targets of so many numbers, or of so many classes, which need not all occur."""
    loss = trained.spec.objective.loss
    if loss is Loss.SQUARED_ERROR:
        return outputs == trained.outputs
    return 0 < classes <= (PAIR if loss is Loss.LOGISTIC else trained.outputs)


def _resolve_upload(
    dataset_id: str, facts: SampleFacts, trained: TrainedJob, errors: list[FieldError]
) -> ResolvedDatasetEvaluation:
    has_targets = facts.outputs is not None
    classes = _classes(facts, trained.class_names, trained, errors) if has_targets else None
    columns = match_columns(facts, trained.spec.data, errors)
    features = facts.features if columns is None else len(columns)
    return ResolvedDatasetEvaluation(
        source="dataset",
        id=dataset_id,
        samples=facts.samples,
        features=features,
        targets=has_targets,
        classes=classes,
        columns=columns,
    )


def _classes(
    facts: SampleFacts, trained_names: list[str] | None, trained: TrainedJob, errors: list[FieldError]
) -> list[int] | None:
    """Return the training's class of each class of an upload, or ``None`` where they are the same.

    An upload's labels became classes by their order in its own file, so that those of another file, or of a part of
    one, may have become others: they are found again by their names.
    """
    loss = trained.spec.objective.loss
    labels = facts.class_names or (_written(facts, trained_names) if trained_names else None)
    signs = loss is Loss.LOGISTIC and facts.sign_counts is not None
    are_classes = signs or (loss is not Loss.SQUARED_ERROR and (labels is not None or trained_names is not None))
    if not are_classes and not _targets_fit(trained, facts.outputs, len(facts.class_counts or ())):
        detail = UNLIKE_TRAINING
    elif labels == trained_names:
        return None
    elif labels is None:
        detail = (
            "its targets are numbers, and the models were trained on labels, which have names; only labels that are"
            " whole numbers, fewer than a set may have classes, and of one text each, are found again"
        )
    else:
        places = {name: place for place, name in enumerate(trained_names or ())}
        unknown = sum(label not in places for label in labels)
        if not unknown:
            return [places[label] for label in labels]
        detail = f"{unknown} of its {len(labels)} labels are not among those that the models were trained on"
    errors.append(FieldError("/data/id", "targets_do_not_fit", detail))
    return None


def _written(facts: SampleFacts, trained_names: Sequence[str]) -> list[str] | None:
    """Return the label of each class 0..m-1 by number, or ``None`` where one is unsure or none of the training's.

    A part of a file may hold only those of its labels that are numbers. Without a text of its own an integer is
    written as such, and any other number as Python does.
    """
    if facts.rows or not facts.class_counts:
        return None
    numbers = [number for number, count in enumerate(facts.class_counts) if count]
    texts = facts.number_labels or [class_text(number, integers=facts.integers) for number in numbers]
    if len(texts) != len(numbers) or not set(texts) <= set(trained_names):
        return None  # two texts for one number, such as 1 and 01, can no longer be told apart
    written = dict(zip(numbers, texts, strict=True))
    absent = trained_names[0]  # what does not occur may be any
    return [written.get(number, absent) for number in range(len(facts.class_counts))]


def _check_output(spec: ResolvedEvaluateSpec, sizes: Sizes, limits: Limits) -> None:
    if largest_output(spec, sizes) > limits.output_numbers:
        detail = (
            f"gives more than {limits.output_numbers} numbers; ask for fewer samples, shallower models or no states"
        )
        pointer = f"/outputs/{spec.outputs.index(OutputKind.STATES)}" if OutputKind.STATES in spec.outputs else "/data"
        raise SpecInvalidError((FieldError(pointer, "too_large", detail),))
