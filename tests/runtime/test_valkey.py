"""The server of our own keeps what it was told, and tells nobody else."""

import os
import shlex
import signal
import subprocess
from collections.abc import Callable
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


def test_nor_is_a_long_place_for_temporary_files_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("b" * 90)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    server = ValkeyServer.prepare(long / "data")
    assert len(bytes(server.socket)) <= LONGEST_SOCKET
    server.tidy()
    assert not server.socket.parent.exists()


def started(server: ValkeyServer) -> Exception | int:
    """Start a server; return what is said where it does not start, and else how many keys it holds."""
    with (
        subprocess.Popen(server.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
        connect(server.url) as client,
    ):
        try:
            server.wait_ready(process)
            return int(client.dbsize())
        except ValkeyError as error:
            return error
        finally:
            process.kill()


def test_a_server_that_cannot_start_is_told(tmp_path: Path) -> None:
    server = ValkeyServer.prepare(tmp_path)
    server.configuration.write_text("no such setting\n")
    said = started(server)
    assert isinstance(said, ValkeyError)
    assert "rebuild" not in str(said), "nothing is damaged"


def torn(log: bytes) -> bytes:
    return log[: len(log) // 2] + log[len(log) // 2 + 100 :]


def flipped(log: bytes) -> bytes:
    place = log.index(b"*4", len(log) // 2)
    return log[:place] + bytes([log[place] ^ 1]) + log[place + 1 :]


def with_nulls(log: bytes) -> bytes:
    return log + bytes(4096)


@pytest.fixture
def written(tmp_path: Path) -> ValkeyServer:
    """A server that holds twenty keys and was killed, in a directory with a name to be quoted."""
    server = ValkeyServer.prepare(tmp_path / "a data 'directory'" / "valkey")
    with subprocess.Popen(server.command) as process, connect(server.url) as client:
        server.wait_ready(process)
        for number in range(20):
            client.hset(f"key-{number}", "field", "text")
        process.kill()
    return server


def log_of(server: ValkeyServer) -> Path:
    (log,) = server.directory.glob("appendonlydir/*.incr.aof")
    return log


@pytest.mark.parametrize(("damage", "left"), [(torn, 8), (flipped, 8), (with_nulls, 20)])
def test_a_damaged_log_is_told_with_two_ways_on_that_work(
    written: ValkeyServer, damage: Callable[[bytes], bytes], left: int
) -> None:
    log = log_of(written)
    log.write_bytes(damage(log.read_bytes()))
    said = str(started(written))
    assert "Bad file format reading the append only file" in said
    assert said.startswith(f"the Valkey server in {written.directory} did not start: ")
    away, rebuild, keep, again = [line.strip() for line in said.splitlines() if line.startswith("    ")]
    assert rebuild == again == f"deeplimit rebuild --data-dir {shlex.quote(str(written.directory.parent))}"
    subprocess.run(keep, shell=True, check=True, capture_output=True)  # noqa: S602 - what a user is told to type
    kept = started(written)
    assert isinstance(kept, int)
    assert left <= kept <= 20
    subprocess.run(away, shell=True, check=True)  # noqa: S602 - likewise
    assert started(written) == 0


def test_a_log_whose_file_is_gone_is_told(written: ValkeyServer) -> None:
    log_of(written).unlink()
    said = str(started(written))
    assert "No such file" in said
    assert "deeplimit rebuild" in said
    assert "--fix" not in said, "there is nothing to mend"


def test_a_log_that_only_ends_early_is_loaded(written: ValkeyServer) -> None:
    log = log_of(written)
    log.write_bytes(log.read_bytes()[:-3])
    assert started(written) == 19
