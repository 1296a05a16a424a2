"""What both clients are given: where the service is, and how the connection to it is set up."""

from __future__ import annotations

import os
from typing import Any, Final

DEFAULT_URL: Final = "http://127.0.0.1:8000"
URL_VARIABLE: Final = "DEEPLIMIT_URL"


def address(url: str | None) -> str:
    """Address of the service: as given, or of the environment, or on this machine."""
    return (url or os.environ.get(URL_VARIABLE) or DEFAULT_URL).rstrip("/")


def settings(url: str, key: str | None) -> dict[str, Any]:
    """Return the arguments of httpx's clients."""
    headers = {"Accept": "application/json"} | ({} if key is None else {"Authorization": f"Bearer {key}"})
    return {"base_url": url, "headers": headers}
