"""Whether this version can read what a job asks for; API and workers of several versions may run beside each other."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from service.contract.kinds import KINDS
from service.contract.train.resolved import spec_sha256


class NotUnderstoodError(Exception):
    """A specification is whole, and this version cannot read it: the job is for workers of the one that wrote it."""


def check_understood(spec: Mapping[str, Any], sha256: str) -> None:
    """Find out whether a resolved specification can be read.

    One that has not the digest `sha256` is damaged and nobody's: it is for the executor to fail over.

    Raises
    ------
    NotUnderstoodError
        It is whole, and its kind or a field of it is not known here.
    """
    if spec_sha256(spec) != sha256:
        return
    kind = KINDS.get(spec.get("kind", ""))
    if kind is None:
        raise NotUnderstoodError("its kind is not known here")
    try:
        kind.resolved.model_validate(spec)
    except ValidationError as failure:
        places = {"/".join(map(str, error["loc"])) for error in failure.errors(include_input=False)}
        raise NotUnderstoodError(f"not read here: {', '.join(sorted(places))}") from failure
