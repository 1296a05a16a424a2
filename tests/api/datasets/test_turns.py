"""Whose turn it is: small tables wait for nothing that takes long, and nobody is read for whose client is gone."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.api.main import create_app
from service.datasets.uploads.child import AT_ONCE, read_upload
from tests.support.api import serving
from tests.support.http.published import checked
from tests.support.uploads import CSV, NPZ, npz

if TYPE_CHECKING:
    import httpx

    from service.config import Settings
    from service.datasets.uploads.request import UploadRequest


def upload(api: httpx.Client, content: bytes, media_type: str) -> httpx.Response:
    return api.post("/v1/datasets", content=content, headers={"Content-Type": media_type})


LARGE = b"x,y\n" + b"0.25252525252525252525252525252525252525,1\n" * 30_000


class SlowReader:
    """Reads uploads whose content holds a mark when it is told to, and others at once."""

    def __init__(self, mark: bytes, patch: pytest.MonkeyPatch) -> None:
        self.begun, self.done = threading.Semaphore(0), threading.Event()
        self._mark = mark
        patch.setattr("service.datasets.datasets.read_upload", self._read)

    def _read(self, request: UploadRequest) -> Any:
        if self._mark in Path(request.source).read_bytes():
            self.begun.release()
            assert self.done.wait(60)
        return read_upload(request)


FEW_BYTES = npz(inputs=np.zeros((1000, 70)), targets=np.arange(1000))
"""As it is compressed; another such takes seconds."""


@pytest.mark.parametrize(("content", "media_type"), [(LARGE, CSV), (FEW_BYTES, NPZ)], ids=["large", "compressed"])
def test_small_tables_do_not_wait_for_what_takes_long(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, content: bytes, media_type: str
) -> None:
    reader = SlowReader(content[-100:], monkeypatch)
    begun, done = reader.begun, reader.done
    with ThreadPoolExecutor(AT_ONCE + 2) as pool:
        waiting = [pool.submit(upload, api, content, media_type) for _ in range(AT_ONCE + 2)]
        try:
            for _ in range(AT_ONCE):
                assert begun.acquire(timeout=30)
            assert upload(api, b"a,y\n1,0\n2,1\n", CSV).status_code == 201
            assert upload(api, b"a,y\n\n\n", CSV).status_code == 422
            assert not any(answer.done() for answer in waiting)
            assert not begun.acquire(blocking=False)
        finally:
            done.set()
        assert {answer.result().status_code for answer in waiting} == {200, 201}


def test_a_small_table_waits_for_no_other_alone(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = SlowReader(b"0.375", monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(upload, api, b"a,y\n0.375,0\n2,1\n", CSV)
        try:
            assert reader.begun.acquire(timeout=30)
            assert upload(api, b"a,y\n4,0\n2,1\n", CSV).status_code == 201
            assert not waiting.done()
        finally:
            reader.done.set()
        assert waiting.result().status_code == 201


@pytest.mark.usefixtures("store")
def test_an_upload_whose_client_is_gone_is_not_read(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, app = SlowReader(FEW_BYTES[-100:], monkeypatch), create_app(settings)
    with serving(app) as url, checked(url, timeout=40) as api, ThreadPoolExecutor(AT_ONCE) as pool:
        host, port = url.removeprefix("http://").split(":")
        waiting = [pool.submit(upload, api, FEW_BYTES, NPZ) for _ in range(AT_ONCE)]
        try:
            for _ in range(AT_ONCE):
                assert reader.begun.acquire(timeout=30)
            with socket.create_connection((host, int(port)), timeout=30) as connection:
                head = f"POST /v1/datasets HTTP/1.1\r\nHost: {host}\r\nContent-Type: {NPZ}\r\n"
                connection.sendall(f"{head}Content-Length: {len(FEW_BYTES)}\r\n\r\n".encode() + FEW_BYTES)
                turns = app.state.service.upload_turns.large
                while turns.statistics().tasks_waiting == 0:
                    time.sleep(0.01)  # nobody tells when it waits
            assert api.get("/livez").status_code == 200  # served after the end of the connection was seen
        finally:
            reader.done.set()
        assert {answer.result().status_code for answer in waiting} == {200, 201}
        while turns.statistics().tasks_waiting or turns.borrowed_tokens:
            time.sleep(0.01)  # likewise when it has had its turn
        assert not reader.begun.acquire(blocking=False)
