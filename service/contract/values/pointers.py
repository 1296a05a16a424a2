"""From pydantic's validation errors to ours: a JSON pointer, a stable code, and a detail that repeats no input."""

from __future__ import annotations

from itertools import chain, islice
from types import MappingProxyType
from typing import TYPE_CHECKING

from service.contract.values.arrays import NESTED
from service.contract.values.errors import FieldError, token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

MOST_ERRORS = 50
LONGEST_TOKEN = 200

_OBJECT = ("not_an_object", "must be an object")
_OURS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "missing": ("required", "is required"),
        "extra_forbidden": ("unknown_field", "is not a known field"),
        "model_type": _OBJECT,
        "model_attributes_type": _OBJECT,
        "dict_type": _OBJECT,
        "bool_type": ("not_a_boolean", "must be true or false"),
        "list_type": ("not_an_array", "must be an array"),
        "string_type": ("not_a_string", "must be a string"),
    }
)
_TAGGED: Mapping[tuple[int | str, ...], str] = MappingProxyType({("data",): "source", ("discrete", "depths"): ""})
"""Fields that hold one of several things, and the field that says which, if any: pydantic puts it into the path."""


def field_errors(error: ValidationError, at: str = "") -> tuple[FieldError, ...]:
    """Translate what pydantic found wrong with the object at a pointer: at most `MOST_ERRORS`, in pydantic's order."""
    details = error.errors(include_url=False, include_input=False)
    return tuple(islice(chain.from_iterable(_translate(item, at) for item in details), MOST_ERRORS))


def _translate(item: ErrorDetails, at: str) -> Iterator[FieldError]:
    location, kind = item["loc"], item["type"]
    pointer = at + _pointer(location)
    context = item.get("ctx", {})
    if kind == NESTED:
        for error in context["errors"]:
            yield FieldError(pointer + error.pointer, error.code, error.detail)
    elif kind in {"union_tag_invalid", "union_tag_not_found"}:
        tag = token(_TAGGED.get(location, ""))
        if kind == "union_tag_not_found":
            yield FieldError(pointer + tag, "required", "is required")
        else:
            yield FieldError(pointer + tag, "invalid_choice", f"must be one of {context['expected_tags']}")
    elif kind in {"enum", "literal_error"}:
        yield FieldError(pointer, "invalid_choice", f"must be {context['expected']}")
    elif kind in _OURS:
        yield FieldError(pointer, *_OURS[kind])
    else:
        yield FieldError(pointer, kind, item["msg"])


def _pointer(location: tuple[int | str, ...]) -> str:
    """Return the pointer of a location, tags left out, stopping above a key that is too long to repeat."""
    pointer = ""
    for index, part in enumerate(location):
        if location[:index] in _TAGGED:
            continue
        if isinstance(part, str) and len(part) > LONGEST_TOKEN:
            break
        pointer += token(part)
    return pointer
