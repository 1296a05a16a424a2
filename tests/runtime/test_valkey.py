"""The server of our own keeps what it was told, and tells nobody else."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.jobstore import connect
from service.runtime.valkey import ValkeyError, ValkeyServer


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    server = ValkeyServer.prepare(tmp_path / "a rather 'odd' directory")
    for expected in (None, "1"):
        with subprocess.Popen(server.command) as process, connect(server.url) as client:
            server.wait_ready(process)
            assert client.get("key") == expected
            client.set("key", "1")
            os.kill(process.pid, signal.SIGKILL)


def test_its_settings_are_those_that_keep_jobs(redis_url: str) -> None:
    with connect(redis_url) as client:
        settings = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "save", "bind")
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "bind": "127.0.0.1",
    }


def test_strangers_are_refused(valkey: ValkeyServer) -> None:
    with (
        redis.Redis(port=valkey.port, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()
    assert valkey.configuration.stat().st_mode & 0o077 == 0


def test_a_server_that_cannot_start_is_told(tmp_path: Path) -> None:
    server = ValkeyServer.prepare(tmp_path)
    server.configuration.write_text("no such setting\n")
    with (
        subprocess.Popen(server.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
        pytest.raises(ValkeyError),
    ):
        server.wait_ready(process)
