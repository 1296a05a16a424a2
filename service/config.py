"""Settings of every process of the service, from ``DEEPLIMIT_*``. Nothing else reads the environment."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "DEEPLIMIT_"

OWN_PATHS = ("v1", "livez", "metrics", "openapi.json", "page", "readyz")
"""What the paths of the service start with."""


def _beside_own_paths(prefix: str) -> str:
    """Refuse a prefix below which a path could mean two things: itself, and what is left without the prefix."""
    first = prefix.split("/")[1]
    if first in OWN_PATHS:
        raise ValueError(f"must not start with /{first}, which is a path of the service itself; take another name")
    return prefix


_REQUIRED: Final = frozenset({"required", "cert_required"})
_TRUE: Final = frozenset({"true", "1", "yes"})


def _verified(url: str) -> str:
    """Refuse an address that asks for TLS and for not looking who is at the other end."""
    parts = urlsplit(url)
    if parts.scheme == "rediss":
        said = parse_qsl(parts.query.lower())  # pairs: who reads them may take the first of a name or the last
        careless = {"ssl_cert_reqs": _REQUIRED, "ssl_check_hostname": _TRUE}
        if any(value not in careless.get(name, {value}) for name, value in said):
            raise ValueError("certificates of rediss:// are always verified; ssl_ca_certs=FILE names who is trusted")
    return url


Prefix = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+$"), AfterValidator(_beside_own_paths)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """Settings of API, worker and ``deeplimit serve``; each is set by ``DEEPLIMIT_`` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    # where things are
    host: str = Field(default="127.0.0.1", description="Address the API listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    data_dir: Path = Field(
        default=Path("deeplimit-data"), description="Directory of the embedded Valkey and of the results."
    )
    redis_url: Annotated[str, AfterValidator(_verified)] | None = Field(
        default=None,
        description="Redis or Valkey server to use, such as redis://host:6379/0; unset: `serve` starts its own.",
    )
    artifacts_url: str | None = Field(
        default=None,
        description="Object store of data and results, such as s3://bucket/prefix; unset: in the data directory.",
    )
    allow_unauthenticated: bool = Field(
        default=False, description="Let the API listen on other addresses than loopback although it has no keys."
    )
    root_path: Prefix | None = Field(
        default=None,
        description="Path that a proxy has the service below, such as /deeplimit; links start with it.",
    )
    hosts: str | None = Field(
        default=None,
        pattern=r"^(\*|[^\s,/:*@]+(,[^\s,/:*@]+)*)$",
        description="Names that the API may be asked by beside localhost and its address, with commas between them,"
        " such as those that a proxy passes on; or *.",
    )
    cors_origins: str | None = Field(
        default=None,
        pattern=r"^(\*|https?://[^\s,/]+(,https?://[^\s,/]+)*)$",
        description="Origins whose pages may call the API from a browser, with commas between them, or *; unset: none.",
    )
    page: bool = Field(default=True, description="Serve the page for people at `/`; 0 leaves the API alone.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")

    # jobs
    workers: int = Field(default=1, ge=0, description="Workers that `serve` starts.")
    worker_name: str | None = Field(
        default=None,
        description="What nobody else's worker is called; `serve` and `deeplimit worker` choose it for theirs.",
    )
    lease_s: Seconds = Field(default=30.0, description="Time after which a silent worker counts as lost.")
    renew_s: Seconds = Field(default=5.0, description="Interval at which a worker renews the lease of its job.")
    reconcile_s: Seconds = Field(
        default=1.0, description="Interval at which lost hints and expired leases are looked for."
    )
    max_crashes: Count = Field(default=3, description="Crashes of its trainer of which a job fails.")
    max_outages: Count = Field(
        default=25, description="Losses of its worker or machine, in a row and without progress, of which a job fails."
    )
    max_queued: Count = Field(default=10_000, description="Jobs that may wait; one more is refused.")

    # who hangs
    tick_s: Seconds = Field(default=60.0, description="Time after which a silent trainer is replaced.")
    start_s: Seconds = Field(default=120.0, description="Time in which a process has to start.")
    probe_s: Seconds = Field(
        default=10.0,
        description="Interval at which `serve` asks its processes for a sign of life; without it they are replaced.",
    )
    pulse_fd: int | None = Field(
        default=None, description="Descriptor that a worker writes to while it lives; `serve` chooses it."
    )

    # training
    executor: str = Field(
        default="worker.execution:execute", description="Function a trainer runs jobs with, as module:name."
    )
    torch_threads: int | None = Field(
        default=None, ge=1, description="Threads of one trainer; unset: the cores of the machine over its workers."
    )
    jobs_per_trainer: Count = Field(default=100, description="Jobs after which a trainer process is replaced.")
    cancel_grace_s: Seconds = Field(
        default=1.0, description="Time a cancelled fit has to stop by itself before its process is ended."
    )
    kill_grace_s: Seconds = Field(
        default=0.5, description="Time between asking a trainer process to end and killing it."
    )
    checkpoint_s: Seconds = Field(
        default=5.0, description="Interval at which a job is kept so that another attempt goes on from there."
    )
    checkpoint_mb: Count = Field(default=1024, description="Size of what is kept of one job that runs, at most.")
    leave_grace_s: Seconds = Field(
        default=3.0,
        description="Time a job of a worker that is told to stop has to be kept before its process is killed.",
    )
    wall_time_grace_s: Seconds = Field(
        default=30.0,
        description="Time a job may exceed its wall-time limit before it is stopped, and another attempt makes a result"
        " of what it has kept.",
    )

    @property
    def artifacts_location(self) -> str:
        """URL or directory of the object store."""
        return self.artifacts_url or str(self.data_dir.absolute() / "artifacts")

    def environment(self) -> dict[str, str]:
        """Variables that give a child process these same settings."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {f"{PREFIX}{name.upper()}": str(value) for name, value in values.items()}


def environment_of_a_child() -> dict[str, str]:
    """Return the environment of a child process of our own that has no business with the settings.

    They name a Redis server, and perhaps its password. The child imports from where this process does.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
