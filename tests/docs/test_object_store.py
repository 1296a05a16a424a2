"""The variables that docs/operating.md names for a bucket reach it: its address, its path, the key that signs."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

from service.artifacts import ArtifactStore
from tests.support.markdown import ROOT

if TYPE_CHECKING:
    import pytest


class Bucket(BaseHTTPRequestHandler):
    """Takes one object and remembers how it was asked."""

    asked: tuple[str, bytes, str] | None = None

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        Bucket.asked = (self.path, content, self.headers["Authorization"])
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_bucket_is_found_by_the_documented_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    named = set(re.findall(r"\bAWS_[A-Z_]+", (ROOT / "docs" / "operating.md").read_text()))
    with HTTPServer(("127.0.0.1", 0), Bucket) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        given = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "the-key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        assert named == set(given)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        ArtifactStore("s3://bucket/deeplimit").put("jobs/a/results", b"content", "text/plain")
        server.shutdown()
    assert Bucket.asked is not None
    path, content, signed = Bucket.asked
    assert (path, content) == ("/bucket/deeplimit/jobs/a/results", b"content")
    assert "Credential=the-key/" in signed
    assert "/eu-central-1/s3/" in signed
