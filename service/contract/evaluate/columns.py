"""Which column of an upload is which of those that the models were trained on, encoded ones by their texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.contract.train.resolved import ResolvedDataset
from service.contract.values.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.contract.data.dataset import EncodedColumn, SampleFacts
    from service.contract.train.resolved import ResolvedData

_SHOWN = 60
"""Characters of a column's name that an error repeats."""
_MOST_SHOWN = 5
_AT = "/data/id"


def match_columns(facts: SampleFacts, trained: ResolvedData, errors: list[FieldError]) -> list[int | None] | None:
    """Return for each column that the models take the column of an upload, or ``None`` for all where they are the same.

    A column is None where it belongs to a text that does not occur in the upload: zeros. The names are compared, in
    their order, where both have any; of an encoded column it is that of the column it came from.
    """
    if not isinstance(trained, ResolvedDataset) or not trained.columns or not facts.columns:
        return None
    if facts.columns == trained.columns:
        return None
    new, old = _origins(facts.encoded), _origins(trained.encoded)
    pairs = zip(_bases(facts.columns, new), _bases(trained.columns, old), strict=False)
    differs = next(((k, *pair) for k, pair in enumerate(pairs, 1) if pair[0] != pair[1]), None)
    if differs is not None or len(_bases(facts.columns, new)) != len(_bases(trained.columns, old)):
        detail = "its input columns are not those that the models were trained on, in their order"
        if differs is not None:
            place, (this, here), (that, there) = differs
            detail += (
                f": column {place} is {_shown(this)}, not {_shown(that)}"
                if this != that
                else f": the column {_shown(this)} {_encoding(encoded=here)}, and that of the training"
                f" {_encoding(encoded=there)}; upload it with categorical=encode as well"
            )
        errors.append(FieldError(_AT, "columns_differ", detail))
        return None
    unknown = _unknown_levels(facts, trained)
    if unknown:
        errors.extend(unknown)
        return None
    places = {name: place for place, name in enumerate(facts.columns)}
    return [places.get(name) for name in trained.columns]


def _origins(encoded: Sequence[EncodedColumn] | None) -> dict[str, str]:
    """Return the column that each encoded one came from."""
    return {name: column.column for column in encoded or () for name in column.columns}


def _bases(columns: Sequence[str], origins: Mapping[str, str]) -> list[tuple[str, bool]]:
    """Return the columns before they were encoded, in their order, and whether each was."""
    bases: list[tuple[str, bool]] = []
    for name in columns:
        base = origins.get(name, name), name in origins
        if not (base[1] and bases and bases[-1] == base):
            bases.append(base)
    return bases


def _unknown_levels(facts: SampleFacts, trained: ResolvedDataset) -> list[FieldError]:
    known = {column.column: set(column.levels) for column in trained.encoded or ()}
    errors = []
    for column in facts.encoded or ():
        unknown = [level for level in column.levels if level not in known[column.column]]
        if unknown:
            some = ", ".join(map(_shown, unknown[:_MOST_SHOWN]))
            more = f" and {len(unknown) - _MOST_SHOWN} more" if len(unknown) > _MOST_SHOWN else ""
            detail = f"its column {_shown(column.column)} has texts that the models were not trained on: {some}{more}"
            errors.append(FieldError(_AT, "unknown_level", detail))
    return errors


def _encoding(*, encoded: bool) -> str:
    return "is encoded" if encoded else "holds numbers"


def _shown(name: str) -> str:
    """Return a name in quotes, with its beginning and end where it is long, and control characters escaped."""
    return repr(name if len(name) <= _SHOWN else f"{name[: _SHOWN // 2]}…{name[-_SHOWN // 2 :]}")
