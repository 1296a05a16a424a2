"""The README against the code: settings, specifications, commands."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.cli import app
from service.config import PREFIX, Settings
from service.contract.kinds import parse

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def shown(default: Any) -> str:
    if default is None:
        return "unset"
    if isinstance(default, bool):
        return f"`{int(default)}`"
    return f"`{default}`"


def test_the_table_of_settings_is_the_settings() -> None:
    """Paste the left side of the comparison where the README differs."""
    expected = [
        f"| `{PREFIX}{name.upper()}` | {shown(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    assert expected == [line for line in README.splitlines() if line.startswith(f"| `{PREFIX}")]


def test_settings_named_in_the_text_exist() -> None:
    named = set(re.findall(rf"{PREFIX}(\w+)", README))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_make_targets_named_in_the_text_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make (\w+)", README)) | set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= targets


def test_commands_named_in_the_text_exist() -> None:
    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    named = set(re.findall(r"(?:`|^|bin/)deeplimit ([a-z]+)", README, re.MULTILINE))
    assert {"serve", "submit", "results", "worker"} <= named <= known


@pytest.mark.parametrize("text", re.findall(r"<<'JSON'[^\n]*\n(.*?)\nJSON$", README, re.DOTALL | re.MULTILINE))
def test_specifications_in_the_text_are_valid(text: str) -> None:
    parse(json.loads(text))


def test_folders_of_the_layout_exist() -> None:
    layout = re.search(r"## Layout\n.*?```\n(.*?)```", README, re.DOTALL)
    assert layout is not None
    names = [line.split()[0] for line in layout[1].splitlines() if line.strip() and not line.startswith(" ")]
    assert names
    assert all((ROOT / name).exists() for name in names)


def test_no_placeholder_is_left() -> None:
    assert not [line for line in README.splitlines() if "SAMPLE" in line or "<!--" in line or "to be completed" in line]


def test_the_script_runs_as_it_stands() -> None:
    (script,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "The minima and minimisers converge" in done.stdout
