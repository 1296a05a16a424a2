"""Scalar types of every specification: what JSON calls a number, a whole number and a text.

Pydantic offers two modes and neither is JSON's: strict refuses ``490.0`` as an integer, lax takes ``true`` and ``"8"``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from service.contract.values.labels import PLAIN, is_plain
from service.contract.values.limits import Limits

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
    from pydantic.json_schema import JsonSchemaValue


def limits_of(info: ValidationInfo | None) -> Limits | None:
    """Return the limits to check against: those the validation was given, or none.

    A resolved specification is read back without any, since another process with other limits has accepted it.
    """
    limits = info.context if info is not None else None
    return limits if isinstance(limits, Limits) else None


@dataclass(frozen=True, slots=True)
class Parsed:
    """Annotation of a field that `parse` reads and `schema` describes."""

    def parse(self, value: object, info: ValidationInfo | None = None) -> Any:
        """Return the field's value, or raise PydanticCustomError; the limits are in the validation's context."""
        raise NotImplementedError

    def schema(self) -> JsonSchemaValue:
        """Return the JSON Schema of the field."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return self.schema()


@dataclass(frozen=True, slots=True)
class Bounded(Parsed):
    """Annotation of a number within bounds; ``most`` names the published limit that bounds it above as well.

    What is outside is ``too_small`` or ``too_large``.
    """

    json_type: ClassVar[str]

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    most: str | None = None

    def check(self, value: float, info: ValidationInfo | None) -> None:
        """Refuse a value outside the bounds."""
        if self.gt is not None and value <= self.gt:
            raise PydanticCustomError("too_small", "must be greater than {bound}", {"bound": self.gt})
        if self.ge is not None and value < self.ge:
            raise PydanticCustomError("too_small", "must be at least {bound}", {"bound": self.ge})
        if self.lt is not None and value >= self.lt:
            raise PydanticCustomError("too_large", "must be less than {bound}", {"bound": self.lt})
        most = self.le
        if self.most is not None and (limits := limits_of(info)) is not None:
            most = min(getattr(limits, self.most), math.inf if most is None else most)
        if most is not None and value > most:
            raise PydanticCustomError("too_large", "must be at most {bound}", {"bound": most})

    def schema(self) -> JsonSchemaValue:
        """Return the type and the bounds, but not the published limit, which the capabilities state."""
        bounds = {
            "exclusiveMinimum": self.gt,
            "minimum": self.ge,
            "exclusiveMaximum": self.lt,
            "maximum": self.le,
        }
        return {"type": self.json_type, **{keyword: bound for keyword, bound in bounds.items() if bound is not None}}


class Real(Bounded):
    """A finite JSON number, kept as a float; what is none is ``not_a_number`` or ``not_finite``."""

    json_type = "number"

    def parse(self, value: object, info: ValidationInfo | None = None) -> float:
        """Return the number as a float."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PydanticCustomError("not_a_number", "must be a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise PydanticCustomError("not_finite", "must be a finite number")
        self.check(number, info)
        return number


class Whole(Bounded):
    """A JSON number without a fractional part, kept as an int; else ``not_an_integer`` or ``not_finite``."""

    json_type = "integer"

    def parse(self, value: object, info: ValidationInfo | None = None) -> int:
        """Return the number as an int."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PydanticCustomError("not_an_integer", "must be an integer")
        if isinstance(value, float):
            if not math.isfinite(value):
                raise PydanticCustomError("not_finite", "must be a finite number")
            if not value.is_integer():
                raise PydanticCustomError("not_an_integer", "must be an integer")
            value = int(value)
        self.check(value, info)
        return value


@dataclass(frozen=True, slots=True)
class TextOf(Parsed):
    """A JSON string of bounded length; else ``not_a_string``, ``too_short`` or ``too_long``.

    Whoever decodes the JSON vouches for well-formed Unicode, as the API does of every body.
    """

    max_length: int
    min_length: int = 0
    plain: bool = False
    """Whether it is ``control_character`` with one, line breaks and tabs included."""

    def parse(self, value: object, _info: ValidationInfo | None = None) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise PydanticCustomError("not_a_string", "must be a string")
        if len(value) < self.min_length:
            raise PydanticCustomError("too_short", "must have at least {n} character(s)", {"n": self.min_length})
        if len(value) > self.max_length:
            raise PydanticCustomError("too_long", "must have at most {n} characters", {"n": self.max_length})
        if self.plain and not is_plain(value, breaks=False):
            raise PydanticCustomError("control_character", "must not hold control characters")
        return value

    def schema(self) -> JsonSchemaValue:
        """Return the bounds of the length, and what may not be in it."""
        least = {"minLength": self.min_length} if self.min_length else {}
        plain = {"pattern": PLAIN} if self.plain else {}
        return {"type": "string", "maxLength": self.max_length, **least, **plain}


Finding = Annotated[
    float,
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}]}),
]
"""A number in an answer. It need not be finite, and goes out as a string then, as the model is configured."""
