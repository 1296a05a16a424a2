"""The Lua scripts beside this module, loaded with what they share."""

from importlib import resources

import redis
from redis.commands.core import Script

from service.contract.job import TRANSITIONS
from service.contract.names import REVISIONS_CHANNEL

NAMES = (
    "create",
    "replayed",
    "claim",
    "renew",
    "progress",
    "cancel",
    "requeue",
    "finish",
    "delete",
    "reconcile",
)


def _prelude() -> str:
    moves = ", ".join(
        f"{status.value} = {{ {', '.join(f'{to.value} = true' for to in sorted(after))} }}"
        for status, after in TRANSITIONS.items()
    )
    return f"local LEGAL = {{ {moves} }}\nlocal CHANNEL = '{REVISIONS_CHANNEL}'\n"


def load(client: redis.Redis) -> dict[str, Script]:
    """Scripts by name. They are sent by their hash, and in full where the server does not know them yet."""
    here = resources.files(__package__)
    shared = _prelude() + here.joinpath("common.lua").read_text(encoding="utf-8")
    texts = {name: here.joinpath(f"{name}.lua").read_text(encoding="utf-8") for name in NAMES}
    return {name: client.register_script(shared + text) for name, text in texts.items()}
