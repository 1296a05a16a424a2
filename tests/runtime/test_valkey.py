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
from service.runtime.valkey import LONGEST_SOCKET, SHORT, ValkeyError, ValkeyServer


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
        settings = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "save", "port", "unixsocketperm")
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "port": "0",
        "unixsocketperm": "700",
    }


def test_strangers_are_refused(valkey: ValkeyServer) -> None:
    with (
        redis.Redis(unix_socket_path=str(valkey.socket), retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()
    for place in (valkey.configuration, valkey.socket, valkey.directory):
        assert place.stat().st_mode & 0o077 == 0


def test_a_directory_that_was_open_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    server = ValkeyServer.prepare(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert server.socket.parent == tmp_path


def test_the_place_of_a_socket_whose_server_was_killed_is_swept_at_the_next_start(tmp_path: Path) -> None:
    directory = tmp_path / ("a" * 60) / ("b" * 60)
    killed = ValkeyServer.prepare(directory)
    killed.socket.touch()
    following = ValkeyServer.prepare(directory)
    assert not killed.socket.parent.exists()
    assert following.socket.parent.is_dir()
    following.tidy()


def test_a_directory_that_is_called_like_such_a_place_is_not_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server = ValkeyServer.prepare(tmp_path / f"{SHORT}data")
    ValkeyServer.prepare(server.directory)
    assert server.directory.is_dir()


def test_a_path_too_long_for_a_socket_is_left_for_a_short_one(tmp_path: Path) -> None:
    server = ValkeyServer.prepare(tmp_path / ("a" * 60) / ("ä" * 30))
    place = server.socket.parent
    assert place != server.directory
    assert len(bytes(server.socket)) <= LONGEST_SOCKET
    assert place.stat().st_mode & 0o777 == 0o700
    with subprocess.Popen(server.command) as process, connect(server.url) as client:
        server.wait_ready(process)
        assert client.ping()
        process.terminate()
    server.tidy()
    assert not place.exists()
    ValkeyServer.prepare(tmp_path).tidy()
    assert tmp_path.exists()


def test_a_server_that_cannot_start_is_told(tmp_path: Path) -> None:
    server = ValkeyServer.prepare(tmp_path)
    server.configuration.write_text("no such setting\n")
    with (
        subprocess.Popen(server.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
        pytest.raises(ValkeyError),
    ):
        server.wait_ready(process)
