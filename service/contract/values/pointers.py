"""From pydantic's validation errors to ours: a JSON pointer, a stable code, and a detail that repeats no input."""

from __future__ import annotations

from itertools import chain, islice
from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

from pydantic import BeforeValidator

from service.contract.values.arrays import NESTED, nested
from service.contract.values.errors import FieldError, token

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

MOST_ERRORS = 50
LONGEST_TOKEN = 200

_REQUIRED = ("required", "is required")
_UNKNOWN = ("unknown_field", "is not a known field")
_OBJECT = ("not_an_object", "must be an object")
_OURS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "missing": _REQUIRED,
        "extra_forbidden": _UNKNOWN,
        "model_type": _OBJECT,
        "model_attributes_type": _OBJECT,
        "dict_type": _OBJECT,
        "bool_type": ("not_a_boolean", "must be true or false"),
        "list_type": ("not_an_array", "must be an array"),
        "string_type": ("not_a_string", "must be a string"),
    }
)
_TAGGED = (("data",), ("discrete", "depths"))
"""Fields that hold one of several things: pydantic puts into the path which of them."""


def field_errors(error: ValidationError, at: str = "") -> tuple[FieldError, ...]:
    """Translate what pydantic found wrong with the object at a pointer: at most `MOST_ERRORS`, in pydantic's order."""
    details = error.errors(include_url=False, include_input=False)
    return tuple(islice(chain.from_iterable(_translate(item, at) for item in details), MOST_ERRORS))


def tagged(tag: str, *models: type[BaseModel]) -> BeforeValidator:
    """Check the field that says which of several models an object is, and with it the keys that none of them has.

    Pydantic would stop at that field, and a key that is misspelt, the field's own perhaps, would not be told.
    """
    names = [get_args(model.model_fields[tag].annotation)[0] for model in models]
    known = {name for model in models for name in model.model_fields}

    def check(value: object) -> object:
        if not isinstance(value, dict) or value.get(tag) in names:
            return value
        wrong = ("invalid_choice", f"must be one of {', '.join(map(repr, names))}") if tag in value else _REQUIRED
        raise nested([FieldError(token(tag), *wrong), *unknown_fields(value, known)])

    return BeforeValidator(check)


def unknown_fields(value: Mapping[str, object], known: Container[str]) -> list[FieldError]:
    """Return an error for each key of an object that is not known."""
    return [FieldError(_pointer((key,)), *_UNKNOWN) for key in value if key not in known]


def _translate(item: ErrorDetails, at: str) -> Iterator[FieldError]:
    location, kind = item["loc"], item["type"]
    pointer = at + _pointer(location)
    context = item.get("ctx", {})
    if kind == NESTED:
        for error in context["errors"]:
            yield FieldError(pointer + error.pointer, error.code, error.detail)
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
