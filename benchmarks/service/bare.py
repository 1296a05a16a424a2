"""The least that a POST costs under the same server: a route of FastAPI that parses JSON and answers it.

``python -m benchmarks.service.bare`` serves it on a free port, which it prints.
"""

import socket
from typing import Any

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.post("/v1/jobs")
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    """Answer what was sent."""
    return body


if __name__ == "__main__":
    bound = socket.create_server(("127.0.0.1", 0))
    print(bound.getsockname()[1], flush=True)
    with socket.socket(fileno=bound.detach()) as listening:  # asyncio sends at once on what it knows to be TCP
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listening])
