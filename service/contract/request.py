"""What the specifications of every kind of job share, as they are sent and resolved."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from service.contract.values.arrays import nested
from service.contract.values.errors import FieldError, token
from service.contract.values.labels import PLAIN
from service.contract.values.limits import LIMITS
from service.contract.values.numbers import Real, TextOf, Whole, limits_of


class Strict(BaseModel):
    """A part of a specification: frozen, and without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return itself, as nobody changes it: pydantic copies a default for every specification that leaves it."""
        return self


class Device(StrEnum):
    """Where the computation runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class JobLimits(Strict):
    """What the job may spend."""

    wall_time_s: Annotated[float, Real(gt=0, most="wall_time_s")] = 3600.0
    memory_mb: Annotated[int, Whole(ge=1, le=2**24)] | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="MiB that the job may add to its process; training goes through samples and layers in parts so that"
        " it fits. As much as makes it fast unless said.",
    )

    @property
    def memory_bytes(self) -> int | None:
        """The same in bytes."""
        return None if self.memory_mb is None else 2**20 * self.memory_mb


def entries(most: str = "", *, some: bool = True) -> BeforeValidator:
    """Check how many entries a list has, before any is looked at; ``most`` names a published limit, if there is one."""

    def check(value: object, info: ValidationInfo) -> object:
        limits = limits_of(info)
        if some and value == []:
            raise nested([FieldError("", "empty", "must have at least one entry")])
        if most and limits is not None and isinstance(value, list) and len(value) > getattr(limits, most):
            raise nested([FieldError("", "too_many", f"must have at most {getattr(limits, most)} entries")])
        return value

    return BeforeValidator(check)


def distinct_schema(items: dict[str, Any], least: int = 1) -> WithJsonSchema:
    """Describe a list whose entries are all different."""
    return WithJsonSchema({"type": "array", "items": items, "uniqueItems": True, "minItems": least})


def _metadata(value: object, info: ValidationInfo) -> dict[str, Any]:
    # one that was accepted by an earlier version is read back as it is
    text = TextOf(max_length=LIMITS.metadata_length, plain=limits_of(info) is not None)
    if not isinstance(value, dict):
        raise nested([FieldError("", "not_an_object", "must be an object")])
    if len(value) > LIMITS.metadata_entries:
        raise nested([FieldError("", "too_many", f"must have at most {LIMITS.metadata_entries} entries")])
    errors: list[FieldError] = []
    for key, entry in value.items():
        try:
            text.parse(key)
        except PydanticCustomError:
            detail = f"keys are text of at most {LIMITS.metadata_length} characters, none of them control characters"
            errors.append(FieldError("", "bad_key", detail))
            continue
        try:
            _metadata_entry(entry, text)
        except PydanticCustomError as error:
            errors.append(FieldError(token(key), error.type, error.message()))
    if errors:
        raise nested(errors)
    return value


def _metadata_entry(entry: object, text: TextOf) -> None:
    if entry is None or isinstance(entry, bool):
        return
    if isinstance(entry, str):
        text.parse(entry)
    elif isinstance(entry, int | float):
        Real().parse(entry)
    else:
        raise PydanticCustomError("not_a_scalar", "must be text, a number, true, false or null")


Name = Annotated[str, TextOf(min_length=1, max_length=LIMITS.name_length, plain=True)]
MetadataValue = str | int | float | bool | None
Metadata = Annotated[
    dict[str, MetadataValue],
    BeforeValidator(_metadata),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": LIMITS.metadata_entries,
            "propertyNames": {"pattern": PLAIN},
            "additionalProperties": {"type": ["string", "number", "boolean", "null"], "pattern": PLAIN},
        }
    ),
]


class JobRequest(Strict):
    """A specification as a client writes it; each kind of job adds what it is about."""

    kind: str
    name: Name | None = None
    metadata: Metadata = Field(default={}, description="Kept with the job as it came.")
    external_id: Name | None = None


class ResolvedRequest(Strict):
    """A specification with nothing left open: what a job record holds, and what the worker is given."""

    kind: str
    name: str | None
    metadata: Metadata
    external_id: str | None
