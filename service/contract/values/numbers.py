"""Scalar types of every specification: what JSON calls a number, a whole number and a text.

Pydantic offers two modes and neither is JSON's: strict refuses ``490.0`` as an integer, lax takes ``true`` and ``"8"``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

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
class Bounds:
    """Bounds of a number; ``None`` where there is none. ``most`` names the published limit that bounds it above."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    most: str | None = None

    def check(self, value: float, info: ValidationInfo | None) -> None:
        """Refuse a value outside the bounds.

        Parameters
        ----------
        value
            A finite number.
        info
            Of the validation, with the limits.

        Raises
        ------
        PydanticCustomError
            ``too_small`` or ``too_large``.
        """
        if self.gt is not None and not value > self.gt:
            raise PydanticCustomError("too_small", "must be greater than {bound}", {"bound": self.gt})
        if self.ge is not None and not value >= self.ge:
            raise PydanticCustomError("too_small", "must be at least {bound}", {"bound": self.ge})
        if self.lt is not None and not value < self.lt:
            raise PydanticCustomError("too_large", "must be less than {bound}", {"bound": self.lt})
        if self.le is not None and not value <= self.le:
            raise PydanticCustomError("too_large", "must be at most {bound}", {"bound": self.le})
        limits = limits_of(info)
        if self.most is not None and limits is not None and not value <= getattr(limits, self.most):
            bound = getattr(limits, self.most)
            raise PydanticCustomError("too_large", "must be at most {bound}", {"bound": bound})

    def schema(self) -> dict[str, float]:
        """Return the bounds as JSON Schema keywords."""
        names = {"exclusiveMinimum": self.gt, "minimum": self.ge, "exclusiveMaximum": self.lt, "maximum": self.le}
        return {name: bound for name, bound in names.items() if bound is not None}


@dataclass(frozen=True, slots=True)
class Real(Bounds):
    """Annotation: a finite JSON number within bounds, kept as a float."""

    def parse(self, value: object, info: ValidationInfo | None = None) -> float:
        """Return the number as a float.

        Parameters
        ----------
        value
            What the JSON held.
        info
            Of the validation, with the limits.

        Returns
        -------
        float
            A finite number within the bounds.

        Raises
        ------
        PydanticCustomError
            ``not_a_number``, ``not_finite``, ``too_small`` or ``too_large``.
        """
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

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "number", **self.schema()}


@dataclass(frozen=True, slots=True)
class Whole(Bounds):
    """Annotation: a JSON number without a fractional part within bounds, kept as an int."""

    def parse(self, value: object, info: ValidationInfo | None = None) -> int:
        """Return the number as an int.

        Parameters
        ----------
        value
            What the JSON held.
        info
            Of the validation, with the limits.

        Returns
        -------
        int
            A whole number within the bounds.

        Raises
        ------
        PydanticCustomError
            ``not_an_integer``, ``not_finite``, ``too_small`` or ``too_large``.
        """
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

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "integer", **self.schema()}


@dataclass(frozen=True, slots=True)
class TextOf:
    """Annotation: a JSON string of well-formed Unicode, of bounded length."""

    max_length: int
    min_length: int = 0

    def parse(self, value: object) -> str:
        """Return the text.

        Parameters
        ----------
        value
            What the JSON held.

        Returns
        -------
        str
            A string that every encoding can carry.

        Raises
        ------
        PydanticCustomError
            ``not_a_string``, ``lone_surrogate``, ``too_short`` or ``too_long``.
        """
        if not isinstance(value, str):
            raise PydanticCustomError("not_a_string", "must be a string")
        if not is_well_formed(value):
            raise PydanticCustomError("lone_surrogate", "must not hold a lone surrogate")
        if len(value) < self.min_length:
            raise PydanticCustomError("too_short", "must have at least {n} character(s)", {"n": self.min_length})
        if len(value) > self.max_length:
            raise PydanticCustomError("too_long", "must have at most {n} characters", {"n": self.max_length})
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema_of_text: JsonSchemaValue = {"type": "string", "maxLength": self.max_length}
        if self.min_length:
            schema_of_text["minLength"] = self.min_length
        return schema_of_text


def is_well_formed(text: str) -> bool:
    r"""Tell whether a text is free of lone surrogates, which JSON's ``\ud800`` can smuggle in."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


Finding = Annotated[
    float,
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}]}),
]
"""A number in an answer. It need not be finite, and goes out as a string then, as the model is configured."""

Number = Annotated[float, Real()]
Integer = Annotated[int, Whole()]
