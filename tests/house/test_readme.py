"""The README against the code: settings, specifications, commands. Its blocks of code are run in tests/docs."""

import json
import re
from typing import Any

import pytest
import typer

from service.cli import app
from service.config import PREFIX, Settings
from service.contract.data.dataset import MEDIA_TYPES
from service.contract.kinds import parse
from service.contract.plots.index import PlotName
from tests.support.markdown import ROOT, Page, code_of, tracked

PAGE = Page(ROOT / "README.md")
README = PAGE.path.read_text()
OPENAPI: dict[str, Any] = json.loads((ROOT / "openapi" / "openapi.json").read_text())


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
    assert {name.lower() for name in named} <= set(Settings.model_fields) | {"url"}, "the last is the client's"


def test_make_targets_named_in_the_text_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make (\w+)", README)) | set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= targets


def test_commands_named_in_the_text_exist() -> None:
    named = set(re.findall(r"(?:`|^|bin/)deeplimit ([a-z]+)", README, re.MULTILINE))
    assert {"serve", "submit", "results", "worker", "upload", "datasets"} <= named <= set(commands())


def commands() -> dict[str, Any]:
    """Every command of the command line, those of a group by both words."""
    top: Any = typer.main.get_command(app)
    found = dict(top.commands)
    for name, command in top.commands.items():
        found |= {f"{name} {below}": inner for below, inner in getattr(command, "commands", {}).items()}
    return found


def test_the_command_line_is_as_the_text_has_it() -> None:
    known = commands()
    summary = re.search(r"## From the command line\n.*?```sh\n(.*?)```", README, re.DOTALL)
    assert summary is not None
    lines = [line for line in summary[1].splitlines() if line.startswith("deeplimit ")]
    assert len(lines) > 8
    for line in lines:
        words = line.split("#")[0].split()[1:]
        command = known.get(" ".join(words[:2])) or known[words[0]]
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        named = set(re.findall(r"--[a-z-]+", line.split("#")[0]))
        assert named == options - {"--url", "--json", "--digits"}, line


def operation(method: str, path: str) -> dict[str, Any]:
    """What the OpenAPI document says of a call; an id stands for any."""
    for template, methods in OPENAPI["paths"].items():
        named = template.replace("plots/{name}", f"plots/({'|'.join(PlotName)})")
        if re.fullmatch(re.sub(r"\{\w+\}", "ID", named), path) and method.lower() in methods:
            found: dict[str, Any] = methods[method.lower()]
            return found
    raise AssertionError(f"{method} {path}")


def test_paths_and_parameters_in_the_prose_exist() -> None:
    calls = set(re.findall(r"(?<=`)(?:([A-Z]+) )?(/v1/[\w/-]+)", README))
    assert {("GET", "/v1/capabilities"), ("POST", "/v1/jobs/plan")} <= calls
    for method, path in calls:
        operation(method or "GET", path)
    names = {
        parameter["name"]
        for methods in OPENAPI["paths"].values()
        for found in methods.values()
        for parameter in found.get("parameters", ())
    }
    named = set(re.findall(r"`\??([a-z_]+)=\w*`", README))
    assert {"targets", "inputs_only", "dry_run"} <= named <= names


def test_media_types_of_uploads_are_in_the_text() -> None:
    named = {code_of(row[1])[0] for row in PAGE.rows("file")}
    assert named == set(MEDIA_TYPES) - {"application/x-parquet"}


@pytest.mark.parametrize("text", re.findall(r'`("[a-z]+": .+?)`', README))
def test_parts_of_specifications_in_the_text_are_valid(text: str) -> None:
    body: dict[str, Any] = {"kind": "train", "data": {"source": "builtin", "name": "iris"}}
    for name, part in json.loads(f"{{{text.replace(', …', '')}}}").items():
        body[name] = body["data"] | part if name == "data" and "source" not in part else part
    parse(body)


def layout() -> str:
    (block,) = re.findall(r"## Layout\n.*?```text\n(.*?)```", README, re.DOTALL)
    return str(block)


def test_places_of_the_layout_exist() -> None:
    places: list[str] = []
    for line in layout().splitlines():
        level = (len(line) - len(line.lstrip())) // 2
        places[level:] = [line.split()[0]]
        assert (ROOT / "".join(places)).exists(), line


def test_what_stands_at_the_top_has_its_reason_in_the_layout() -> None:
    top = {path.parts[0] for path in tracked()}
    usual = {"LICENSE", "Makefile", "README.md", "pyproject.toml"}
    assert [name for name in top - usual if not name.startswith(".") and name not in layout()] == []
    dotted = {name for name in top if name.startswith(".")}
    assert {name for name in dotted if f"`{name}" not in README} == {".dockerignore", ".gitignore"}


def test_no_placeholder_is_left() -> None:
    assert not [line for line in README.splitlines() if "SAMPLE" in line or "<!--" in line or "to be completed" in line]
