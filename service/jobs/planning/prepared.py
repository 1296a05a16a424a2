"""A job that is ready to be queued, its specification and its data as they are kept."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from service.contract.data.sources import TargetKind
from service.contract.job import ArtifactRef, NewJob
from service.contract.kinds import KINDS, parse
from service.contract.plan import InlineArrays
from service.contract.train.resolved import spec_sha256
from service.contract.values.strict_json import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from service.contract.plan import InlineSamples, References
    from service.contract.values.arrays import Table


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a specification comes to. Nothing in it grows with the body but texts and bytes, which are passed on whole.

    Attributes
    ----------
    kind, name, external_id, metadata
        As the specification has them.
    spec, spec_sha256
        The resolved specification as JSON, and the digest that names it.
    estimate
        What the job will cost, as JSON.
    given
        What the job is given, by its keys in the job's record: objects that exist, or new ones in safetensors.
    cuda_at
        Pointer of the field that asks for a CUDA device; None where none does.
    """

    kind: str
    name: str | None
    external_id: str | None
    metadata: Mapping[str, Any]
    spec: str
    spec_sha256: str
    estimate: str
    given: Mapping[str, ArtifactRef | bytes]
    cuda_at: str | None

    def job(self, job_id: str | None = None, artifacts: Mapping[str, ArtifactRef] | None = None) -> NewJob:
        """Return the job, under a new id unless one was given its objects already."""
        return NewJob(
            id=job_id or secrets.token_hex(16),
            kind=self.kind,
            spec=self.spec,
            spec_sha256=self.spec_sha256,
            name=self.name,
            external_id=self.external_id,
            metadata=dict(self.metadata),
            artifacts=dict(artifacts or {}),
        )


def prepare(body: bytes, references: References) -> Prepared:
    """Check, resolve and estimate the job that a JSON body specifies.

    Raises
    ------
    BodyRefusedError, SpecInvalidError
        The body is not JSON, or specifies no job that can be done here.
    """
    request = parse(decode(body), references.limits)
    plan = KINDS[request.kind].plan(request, references)
    return Prepared(
        kind=plan.spec.kind,
        name=plan.spec.name,
        external_id=plan.spec.external_id,
        metadata=plan.spec.metadata,
        spec=plan.spec.model_dump_json(),
        spec_sha256=spec_sha256(plan.spec.model_dump(mode="json")),
        estimate=plan.estimate.model_dump_json(),
        given={
            key: source if isinstance(source, ArtifactRef) else encode(source) for key, source in plan.given.items()
        },
        cuda_at=plan.cuda_at,
    )


def encode(given: InlineSamples | InlineArrays) -> bytes:
    """Write arrays of a body as a safetensors file, in float64.

    Of samples it has ``inputs`` (S, features) and ``targets``, if any, (S,) int64 for classes, else (S, m) float64.
    """
    if isinstance(given, InlineArrays):
        return safetensors.numpy.save({name: _array(table) for name, table in given.arrays.items()})
    samples, targets = given, given.targets
    arrays: dict[str, NDArray[np.generic]] = {"inputs": _array(samples.inputs)}
    if targets is not None:
        values = _array(targets)
        if samples.target_kind is TargetKind.CLASSES:
            arrays["targets"] = values.astype(np.int64)
        else:
            arrays["targets"] = values[:, None] if values.ndim == 1 else values
    return safetensors.numpy.save(arrays)


def _array(table: Table) -> NDArray[np.float64]:
    return np.frombuffer(table.values).reshape(table.shape)
