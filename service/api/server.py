"""The API process: ``python -m service.api.server --fd N`` serves on a socket that its parent has bound.

So the port is taken before anything else starts, and a connection that arrives while the API restarts waits instead of
being refused.
"""

import argparse
import logging
import os
import socket
import sys

import uvicorn

from service.api.connections.capacity import AT_A_TIME, most_connections
from service.api.connections.protocol import PatientProtocol
from service.api.main import NotConfiguredError, create_app, open_stores
from service.artifacts import StorageError
from service.config import Settings
from service.jobstore import StoresApartError

LOG = logging.getLogger(__name__)

GRACE_S = 2
"""Seconds that open requests, such as long polls, get to end in."""
BACKLOG = 2048
"""Connections that the system keeps waiting, while the API restarts as well."""


def main() -> int:
    """Serve until SIGTERM; return the exit status, ``os.EX_UNAVAILABLE`` where the stores are none that can be used."""
    parser = argparse.ArgumentParser(prog="python -m service.api.server")
    parser.add_argument("--fd", type=int, required=True, help="descriptor of a bound socket")
    descriptor: int = parser.parse_args().fd
    settings = Settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        open_stores(settings)[1].close()
    except (NotConfiguredError, StorageError, StoresApartError) as refusal:
        LOG.critical("the API cannot start: %s", refusal)
        return os.EX_UNAVAILABLE
    PatientProtocol.most = most_connections()
    config = uvicorn.Config(
        create_app(settings),
        http=PatientProtocol,
        backlog=AT_A_TIME,
        log_config=None,
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    with socket.socket(fileno=descriptor) as listening:
        _Server(config, listening).run(sockets=[listening])
    return 0


class _Server(uvicorn.Server):
    """A server whose socket keeps more connections waiting than are taken at a time."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening.listen(BACKLOG)


if __name__ == "__main__":
    sys.exit(main())
