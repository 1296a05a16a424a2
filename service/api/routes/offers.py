"""What this service offers, as it is sent: written once, and again only when other workers live."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from service.api.negotiate import matches, takes_gzip
from service.api.views import BuiltinSet, Capabilities, Worker
from service.contract.data.dataset import MEDIA_TYPES
from service.contract.data.sources import BUILTINS
from service.contract.kinds import KINDS
from service.contract.train.request import Activation, BasisChoice
from service.contract.train.resolve import PAIRS
from service.contract.values.media_types import BYTES
from service.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.api.routes.finished import Finished
    from service.contract.job import WorkerInfo
    from service.contract.kinds import Kind
    from service.contract.values.limits import Limits


@dataclass(frozen=True, slots=True)
class _Offer:
    """What is offered while these workers live, and the answers that say so, by whether they are compressed."""

    kinds: Sequence[Kind[Any]]
    workers: Sequence[WorkerInfo]
    content: bytes
    answers: dict[bool, Response] = field(default_factory=dict)


class Offers:
    """The capabilities. All but the workers and their devices stays the same as long as the process lives."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lasting = ""
        self._latest: _Offer | None = None

    def answer(self, workers: Sequence[WorkerInfo], finished: Finished) -> Response:
        """Answer with what is offered while these workers live, as a client wants it."""
        offer, kinds = self._latest, tuple(KINDS.values())
        if offer is None or offer.kinds != kinds:
            self._lasting = _lasting(self._limits)
        if offer is None or (offer.kinds, offer.workers) != (kinds, workers):
            self._latest = offer = _Offer(kinds, workers, self._written(workers))
        compress = takes_gzip(finished.accept_encoding)
        answer = offer.answers.get(compress)
        if answer is None:
            answer = offer.answers[compress] = replace(finished, if_none_match=None).answer(offer.content)
        if matches(finished.if_none_match, answer.headers["ETag"]):
            kept = {name: answer.headers[name] for name in ("ETag", "Cache-Control", "Vary")}
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
        return answer

    def _written(self, workers: Sequence[WorkerInfo]) -> bytes:
        said = {
            "devices": sorted({device for worker in workers for device in worker.devices}),
            "workers": [Worker(id=worker.id, devices=list(worker.devices)).model_dump() for worker in workers],
        }
        return f"{self._lasting.removesuffix('}')},{json.dumps(said).removeprefix('{')}".encode()


def _lasting(limits: Limits) -> str:
    """Return all but the workers and their devices as JSON; describing the kinds of job takes some 40 ms."""
    sets = {
        str(name): BuiltinSet(
            features=known.features,
            samples=known.samples,
            targets=known.targets,
            classes=len(known.counts(known.samples or 0)) or None,
        )
        for name, known in BUILTINS.items()
    }
    capabilities = Capabilities(
        version=VERSION,
        kinds={name: kind.request.model_json_schema() for name, kind in KINDS.items()},
        activations=list(Activation),
        losses={str(loss): output for output, loss in PAIRS.items()},
        bases=list(BasisChoice),
        datasets=sets,
        upload_media_types=[*MEDIA_TYPES, BYTES],
        limits=limits,
        devices=[],
        workers=[],
    )
    return capabilities.model_dump_json(exclude={"devices", "workers"})
