"""The HTTP protocol of the API: uvicorn's, which waits for no client without end.

uvicorn closes a connection that is idle after a request, but neither one that sends no request, nor one whose request
comes a byte at a time; and it takes connections until there are no descriptors left, which stops all service.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.api.problems import MEDIA_TYPE, RETRY_AFTER_S, Problem
from service.contract.values.errors import ErrorCode

if TYPE_CHECKING:
    import asyncio

HEADERS_S: Final = 10.0
"""Time for the headers of a request, from its first byte; for the first one from the connection on."""
BODY_BYTES_PER_S: Final = 1000
"""Bytes a second that a body has to come in with, on average over `BODY_S`."""
BODY_S: Final = 10.0


class PatientProtocol(H11Protocol):
    """One connection, which is closed when its client takes too long.

    Where there are as many as may be, the one that has been idle for the longest makes room for a new one; the new one
    is told to come back where all are busy.

    Attributes
    ----------
    most
        Connections at once; None for any number.
    """

    most: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._awaited: object = None
        self._received = 0
        self._ours = False  # whether at the last weighing it was we who did not read
        self._idle_since = 0.0

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a connection, if there is room or one that is idle."""
        self._idle_since = self.loop.time()
        full = self.most is not None and len(self.connections) >= self.most
        room = not full or self._make_room()
        super().connection_made(transport)
        if room:
            self._await(h11.IDLE)
        else:
            detail = "There are too many connections; come back in a moment."
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.TOO_MANY_CONNECTIONS, detail)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        self._received += len(data)
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._idle_since = self.loop.time()
        if self.conn.trailing_data[0]:  # the next request came behind the last one, and as yet in part
            self._unset_keepalive_if_required()
        self._look()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, which say no more
        """Refuse what cannot be read as a request in the form of every other refusal."""
        detail = "This is no HTTP/1.1 request that can be read; its first line and headers may be 64 KiB long together."
        self._refuse(HTTPStatus.BAD_REQUEST, ErrorCode.INVALID_REQUEST, detail)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._await(None)
        super().connection_lost(exc)

    def _look(self) -> None:
        """See what the client is to send now, if anything."""
        state = self.conn.their_state
        if state is h11.SEND_BODY or (state is h11.IDLE and self.timeout_keep_alive_task is None and not self.busy):
            self._await(state)
        else:
            self._await(None)

    def _await(self, state: object) -> None:
        """Give the client its time for headers (IDLE) or a body (SEND_BODY), once for each."""
        if state is self._awaited:
            return
        self._awaited = state
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if state is h11.IDLE:
            self._timer = self.loop.call_later(HEADERS_S, self._headers_are_late)
        elif state is h11.SEND_BODY:
            self._received, self._ours = 0, False
            self._timer = self.loop.call_later(BODY_S, self._weigh_body)

    def _headers_are_late(self) -> None:
        if self.conn.trailing_data[0]:
            detail = f"The headers took more than {HEADERS_S:g} s."
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, ErrorCode.REQUEST_TIMEOUT, detail)
        else:
            self.transport.close()  # a browser's spare connection, as a rule: nothing was asked, so nothing is answered

    def _weigh_body(self) -> None:
        """Close the connection where the body comes too slowly; not where it is, or was, we who do not read."""
        ours = self.flow.read_paused or (self.cycle is not None and self.cycle.waiting_for_100_continue)
        if not (ours or self._ours) and self._received < BODY_BYTES_PER_S * BODY_S:
            self.transport.close()
            return
        self._received, self._ours = 0, ours
        self._timer = self.loop.call_later(BODY_S, self._weigh_body)

    def _make_room(self) -> bool:
        """Close the connection that has been idle for the longest; False where every one is busy."""
        idle = [
            other
            for other in self.connections
            if isinstance(other, PatientProtocol) and not other.busy and not other.transport.is_closing()
        ]
        if not idle:
            return False
        min(idle, key=lambda other: other._idle_since).transport.close()  # noqa: SLF001 - of the same class
        return True

    def _refuse(self, status: HTTPStatus, code: ErrorCode, detail: str) -> None:
        """Answer what is no request yet, and close the connection."""
        problem = Problem(title=status.phrase, status=status, detail=detail, code=code, request_id="")
        body = problem.model_dump_json(exclude_none=True).encode()
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Content-Length": f"{len(body)}",
            "Connection": "close",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = f"{RETRY_AFTER_S}"
        answer = h11.Response(status_code=status, headers=[*headers.items()], reason=status.phrase)
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
