"""The Lua scripts of a package, loaded with what they share."""

from importlib import resources
from typing import Final

import redis
from redis.commands.core import Script

from service.contract.job import SCHEMA_VERSION, TRANSITIONS
from service.jobstore import keys

COMMON: Final = "common.lua"


def _prelude() -> str:
    """The keys under their names in Python, and the contract's table of moves and version of the record."""
    moves = ", ".join(
        f"{status.value} = {{ {', '.join(f'{to.value} = true' for to in sorted(after))} }}"
        for status, after in TRANSITIONS.items()
    )
    spelt = (f"local {name} = '{key}'\n" for name, key in vars(keys).items() if name.isupper())
    return f"local SCHEMA, LEGAL = {SCHEMA_VERSION}, {{ {moves} }}\n{''.join(spelt)}"


def load(client: redis.Redis, package: str) -> dict[str, Script]:
    """Scripts beside the modules of a package, by name, each after the prelude and ``common.lua``.

    They are sent by their hash, and in full where the server does not know them yet.
    """
    shared = _prelude() + resources.files(__package__).joinpath(COMMON).read_text(encoding="utf-8")
    files = (file for file in resources.files(package).iterdir() if file.name.endswith(".lua") and file.name != COMMON)
    texts = {file.name.removesuffix(".lua"): shared + file.read_text(encoding="utf-8") for file in files}
    return {name: client.register_script(text) for name, text in texts.items()}
