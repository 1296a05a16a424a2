"""Sizes of samples, whether they are inline, built in or uploaded, and whether their targets fit a loss."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from service.contract.data.dataset import SampleFacts
from service.contract.data.sources import BUILTINS, GENERATED_DEFAULTS, BuiltinData, BuiltinName, InlineData
from service.contract.estimate import Sizes
from service.contract.train.request import Loss
from service.contract.values.arrays import MOST_ERRORS, Table
from service.contract.values.errors import FieldError, SpecInvalidError
from service.contract.values.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from service.contract.data.dataset import DatasetRecord

Source = InlineData | BuiltinData | SampleFacts
"""Samples of a body, a built-in set, or what is known of an upload."""

PAIR: Final = 2
"""Classes of the logistic loss, and the fewest that leave something to tell apart."""


@dataclass(frozen=True, slots=True)
class SampleSizes(Sizes):
    """Sizes of samples; ``classes`` counts those of each class that occurs, where the loss takes classes."""

    features: int
    classes: tuple[int, ...] = ()


def uploaded_samples(dataset: DatasetRecord | None) -> SampleFacts:
    """Return what is known of the data set that ``/data/id`` names.

    Raises
    ------
    SpecInvalidError
        There is none, or it holds weights.
    """
    if dataset is None:
        detail = "there is no such data set; upload it to /v1/datasets"
        raise SpecInvalidError((FieldError("/data/id", "dataset_not_found", detail),))
    if not isinstance(dataset.facts, SampleFacts):
        raise SpecInvalidError((FieldError("/data/id", "wrong_dataset", "holds weights, not samples"),))
    return dataset.facts


def generated_options(
    name: BuiltinName, given: Mapping[str, float | None], errors: list[FieldError]
) -> dict[str, float]:
    """Fill in the number of samples, the noise and the seed of a generated set; a fixed set takes none of them."""
    said = {option: value for option in GENERATED_DEFAULTS if (value := given[option]) is not None}
    if BUILTINS[name].samples is None:
        return {**GENERATED_DEFAULTS, **said}
    errors.extend(FieldError(f"/data/{option}", "not_applicable", f"{name} is a fixed data set") for option in said)
    return {}


def length_errors(inputs: Table, targets: Table) -> list[FieldError]:
    """Check that a body has a target for each sample."""
    samples = inputs.shape[0]
    if targets.shape[0] == samples:
        return []
    return [FieldError("/data/targets", "length_mismatch", f"must have as many entries as inputs, {samples}")]


def sizes_for(loss: Loss, source: Source, errors: list[FieldError]) -> SampleSizes:
    """Return the sizes of samples, and add to the errors where their targets do not fit the loss."""
    match source:
        case InlineData():
            return _inline(loss, source, errors)
        case BuiltinData():
            return _builtin(loss, source, errors)
        case SampleFacts():
            return _uploaded(loss, source, errors)


def _inline(loss: Loss, data: InlineData, errors: list[FieldError]) -> SampleSizes:
    (samples, features), targets = data.inputs.shape, data.targets
    errors.extend(length_errors(data.inputs, targets))
    if targets.class_names is not None:
        return _labelled(loss, data, errors)
    if loss is Loss.SQUARED_ERROR:
        return SampleSizes(samples, math.prod(targets.shape[1:]), features)
    if len(targets.shape) > 1:
        detail = f"{loss} takes {'classes' if loss is Loss.CROSS_ENTROPY else '±1'}: one number per sample, not rows"
        errors.append(FieldError("/data/targets", "targets_do_not_fit", detail))
        return SampleSizes(samples, 1, features)
    if loss is Loss.LOGISTIC:
        errors.extend(_misfits(targets, {-1.0, 1.0}.__contains__, "logistic takes targets of -1 and 1"))
        return SampleSizes(samples, 1, features, tuple(Counter(targets.values).values()))
    detail = f"cross_entropy takes classes: integers 0..m-1, m at most {LIMITS.outputs}; numbers take squared_error"
    misfits = list(_misfits(targets, lambda y: y.is_integer() and 0 <= y < LIMITS.outputs, detail))
    if misfits:
        errors.extend(misfits)
        return SampleSizes(samples, 1, features)
    by_class = Counter(map(int, targets.values))
    counts = [by_class[k] for k in range(max(by_class) + 1)]
    if len(counts) < PAIR:
        errors.append(FieldError("/data/targets", "targets_do_not_fit", "cross_entropy takes at least two classes"))
    errors.extend(_absent_classes("/data/targets", counts))
    return SampleSizes(samples, len(counts), features, tuple(filter(None, counts)))


def _labelled(loss: Loss, data: InlineData, errors: list[FieldError]) -> SampleSizes:
    """Return the sizes of samples with labels, of which two do for the logistic loss as well."""
    (samples, features), by_class = data.inputs.shape, Counter(data.targets.values)
    detail = None
    if loss is Loss.SQUARED_ERROR:
        detail = "are labels, not numbers; cross_entropy takes them"
    elif loss is Loss.LOGISTIC and len(by_class) != PAIR:
        detail = "logistic takes two labels"
    elif not PAIR <= len(by_class) <= LIMITS.outputs:
        detail = f"cross_entropy takes from {PAIR} to {LIMITS.outputs} different labels"
    if detail is not None:
        errors.append(FieldError("/data/targets", "targets_do_not_fit", detail))
    outputs = len(by_class) if loss is Loss.CROSS_ENTROPY else 1
    return SampleSizes(samples, outputs, features, tuple(by_class[k] for k in sorted(by_class)))


def targets_for(loss: Loss, targets: Table) -> Table:
    """Return targets of a body as its loss takes them: of two labels logistic takes the first as -1, the other as 1."""
    if targets.class_names is None or loss is not Loss.LOGISTIC:
        return targets
    return Table(targets.shape, array("d", (2.0 * y - 1.0 for y in targets.values)), targets.class_names)


def _builtin(loss: Loss, data: BuiltinData, errors: list[FieldError]) -> SampleSizes:
    known = BUILTINS[data.name]
    samples = known.samples or data.samples or int(GENERATED_DEFAULTS["samples"])
    if loss is Loss.SQUARED_ERROR:
        return SampleSizes(samples, 1, known.features)
    counts = known.counts(samples)
    if not counts:
        errors.append(FieldError("/objective/loss", "targets_do_not_fit", "the set's targets are numbers, not classes"))
    elif loss is Loss.LOGISTIC and len(counts) != PAIR:
        errors.append(FieldError("/objective/loss", "targets_do_not_fit", "logistic takes a set of two classes"))
    outputs = len(counts) if counts and loss is Loss.CROSS_ENTROPY else 1
    return SampleSizes(samples, outputs, known.features, counts)


def _uploaded(loss: Loss, facts: SampleFacts, errors: list[FieldError]) -> SampleSizes:
    """Return the sizes of an upload, whose two classes 0 and 1 do for the logistic loss as well."""
    counts: Sequence[int] = facts.class_counts or ()
    outputs = 1
    if loss is Loss.SQUARED_ERROR:
        if facts.class_names:
            detail = "the set's targets are labels, not numbers; cross_entropy takes them"
            errors.append(FieldError("/objective/loss", "targets_do_not_fit", detail))
        counts, outputs = (), facts.outputs or 1
    elif loss is Loss.LOGISTIC:
        counts = facts.sign_counts or (counts if len(counts) == PAIR else ())
        if not counts:
            detail = "logistic takes targets of -1 and 1, or 0 and 1"
            errors.append(FieldError("/data/id", "targets_do_not_fit", detail))
    elif len(counts) < PAIR:
        detail = f"cross_entropy takes classes: integers 0..m-1, 2 <= m <= {LIMITS.outputs}; numbers take squared_error"
        errors.append(FieldError("/data/id", "targets_do_not_fit", detail))
    else:
        outputs = len(counts)
        errors.extend(_absent_classes("/data/id", counts))
    return SampleSizes(facts.samples, outputs, facts.features, tuple(filter(None, counts)))


def _misfits(targets: Table, fits: Callable[[float], bool], detail: str) -> Iterator[FieldError]:
    """Point at the first targets that do not fit."""
    places = (index for index, y in enumerate(targets.values) if not fits(y))
    for index in islice(places, MOST_ERRORS):
        yield FieldError(f"/data/targets/{index}", "targets_do_not_fit", detail)


def _absent_classes(pointer: str, counts: Sequence[int]) -> Iterator[FieldError]:
    if 0 in counts:
        detail = f"every class 0..m-1 must be present; {counts.count(0)} of 0..{len(counts) - 1} are not"
        yield FieldError(pointer, "class_missing", detail)
