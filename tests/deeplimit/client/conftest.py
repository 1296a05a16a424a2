"""Both clients as one, so that what is said of the one is tested of the other."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from deeplimit import AsyncClient, Client

if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[[Any], Any]
    Drive = Callable[..., Any]


def plainly(url: str, *steps: Step, **options: Any) -> Any:
    with Client(url, **options) as client:
        value: Any = client
        for step in steps:
            value = step(value)
            if inspect.isgenerator(value):
                value = list(value)
        return value


def in_a_loop(url: str, *steps: Step, **options: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(url, **options) as client:
            value: Any = client
            for step in steps:
                value = step(value)
                if inspect.isasyncgen(value):
                    value = [one async for one in value]
                elif inspect.isawaitable(value):
                    value = await value
            return value

    return asyncio.run(run())


@pytest.fixture(params=[plainly, in_a_loop], ids=["Client", "AsyncClient"])
def drive(request: pytest.FixtureRequest) -> Drive:
    """Take a client of an address through steps, each on what the one before returned, and return the last's."""
    found: Drive = request.param
    return found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between repetitions that nobody waits for."""
    monkeypatch.setattr("deeplimit.client.exchange.FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("deeplimit.client.following.BETWEEN_S", 0.001)
