"""Commands that the tests cannot run: whether their targets, subcommands, options and variables exist."""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import Any, Final

import typer.main

from service.cli import app
from service.config import PREFIX, Settings
from tests.support.markdown import ROOT

KNOWN: Final = {
    *("cd", "cp", "curl", "deeplimit", "docker", "export", "git", "kubectl", "make", "mkdir"),
    *("openapi-python-client", "npx", "pip", "pytest", "python", "rsync", "unzip", "valkey-cli"),
}
"""Programs that a reader has or is told to have."""


def check_commands(text: str) -> None:
    """Refuse what is not there.

    Raises
    ------
    AssertionError
        A program that no page has introduced, a make target, a subcommand, an option or a setting that does not exist.
    """
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            _check_setting(words.pop(0))
        if not words:
            continue
        program = words[0].rpartition("/")[2]
        assert program in KNOWN, f"{program} is none of the known programs"
        if program == "make":
            targets = {word for word in words[1:] if "=" not in word}
            assert targets <= set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)), line
        if program == "export":
            for word in words[1:]:
                _check_setting(word)
        if program == "deeplimit":
            _check_subcommand(words[1:], line)


def _check_setting(assignment: str) -> None:
    name = assignment.partition("=")[0]
    if name.startswith(PREFIX) and name != f"{PREFIX}URL":
        assert name.removeprefix(PREFIX).lower() in Settings.model_fields, f"{name} is no setting"


@cache
def subcommands() -> dict[str, Any]:
    """Every command of the command line, those of a group by both words."""
    top: Any = typer.main.get_command(app)
    found = dict(top.commands)
    for name, command in top.commands.items():
        found |= {f"{name} {below}": inner for below, inner in getattr(command, "commands", {}).items()}
    return found


def _check_subcommand(words: list[str], line: str) -> None:
    if words and words[0].startswith("-"):
        return  # of the program itself
    known = subcommands()
    command = known.get(" ".join(words[:2])) or known.get(words[0])
    assert command is not None, f"{line}: no such command"
    options = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
    named = set(re.findall(r"(?<![\w-])--[a-z-]+", line.partition("#")[0]))
    assert named <= options | {"--help"}, f"{line}: {named - options} are no options"
