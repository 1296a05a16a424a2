"""Error codes, and the errors of a body that has been read but does not hold up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """The ``code`` of a problem: stable, for programs; the ``detail`` beside it is for people."""

    NOT_JSON = "not_json"
    WRONG_ENCODING = "wrong_encoding"
    DUPLICATE_KEY = "duplicate_key"
    NESTING_TOO_DEEP = "nesting_too_deep"
    EMPTY_BODY = "empty_body"
    INVALID_REQUEST = "invalid_request"
    WRONG_HOST = "wrong_host"
    FOREIGN_ORIGIN = "foreign_origin"
    NOT_FOUND = "not_found"
    JOB_NOT_FOUND = "job_not_found"
    MODEL_NOT_FOUND = "model_not_found"
    DATASET_NOT_FOUND = "dataset_not_found"
    NO_PREVIEW = "no_preview"
    PLOT_NOT_FOUND = "plot_not_found"
    RESULTS_UNAVAILABLE = "results_unavailable"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    JOB_FINISHED = "job_finished"
    JOB_ACTIVE = "job_active"
    RECORD_NOT_UNDERSTOOD = "record_not_understood"
    RESULTS_NOT_READY = "results_not_ready"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INVALID_SPEC = "invalid_spec"
    INVALID_DATASET = "invalid_dataset"
    INVALID_PARAMETER = "invalid_parameter"
    TOO_MANY_DATASETS = "too_many_datasets"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    DEVICE_UNAVAILABLE = "device_unavailable"
    QUEUE_FULL = "queue_full"
    REQUEST_TIMEOUT = "request_timeout"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    STORE_UNAVAILABLE = "store_unavailable"
    OBJECTS_UNAVAILABLE = "objects_unavailable"
    RENDERING_FAILED = "rendering_failed"
    SERVICE_UNAVAILABLE = "service_unavailable"
    INTERNAL_ERROR = "internal_error"
    HTTP_ERROR = "http_error"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a body, and where.

    Parameters
    ----------
    pointer
        JSON pointer (RFC 6901) into the body; ``""`` for a rule over the whole of it.
    code
        Stable name of the rule.
    detail
        What the rule asks for. It never repeats the value that was sent.
    """

    pointer: str
    code: str
    detail: str


class SpecInvalidError(Exception):
    """A body that is JSON but breaks the contract, with what is wrong, never nothing, in the order of the checks."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__(f"{len(errors)} error(s), the first at {errors[0].pointer!r}: {errors[0].detail}")
        self.errors = errors


def token(key: str | int) -> str:
    """Reference token of a JSON pointer for an object's key or an array's index, with the ``/`` that leads to it."""
    return "/" + str(key).replace("~", "~0").replace("/", "~1")
