"""A server that answers from a script, for what the real service does only when it is in trouble."""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Answer:
    """One answer; without a status the connection is cut instead, and with `cut` in the middle of the body."""

    status: int | None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class ScriptedServer:
    """Gives `answers` in turn, and keeps what was asked."""

    url: str = ""
    answers: deque[Answer] = field(default_factory=deque)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def say(self, status: int | None, body: Any = None, *, cut: bool = False, **headers: str) -> None:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append(Answer(status, body, names, cut))


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    script = ScriptedServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append((f"{self.command} {self.path}", dict(self.headers), body))
            answer = script.answers.popleft()
            if answer.status is None:
                self.close_connection = True
                return
            text = (
                answer.body
                if isinstance(answer.body, str)
                else ""
                if isinstance(answer.body, bytes)
                else json.dumps(answer.body)
            )
            content = answer.body if isinstance(answer.body, bytes) else b"" if answer.body is None else text.encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if answer.cut else content)
            self.close_connection |= answer.cut

        do_GET = do_POST = do_DELETE = handle_any

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of http.server
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        script.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield script
        http.shutdown()
        thread.join()
