"""The container files against the code they run. No engine is needed: the files are read."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from service.cli import app
from service.config import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(set(SERVICES) - {"redis"})


def stages() -> dict[str, list[tuple[str, str]]]:
    """Instructions of the Dockerfile by stage, those of the stages it is built on first."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            current = found[name] = list(found.get(base, []))
        current.append((instruction, rest.strip()))
    return found


STAGES = stages()


def values(stage: str, instruction: str) -> list[str]:
    return [rest for name, rest in STAGES[stage] if name == instruction]


def environment(service: str) -> dict[str, str]:
    target = SERVICES[service]["build"]["target"]
    image = [pair.partition("=") for line in values(target, "ENV") for pair in shlex.split(line)]
    given: dict[str, str] = SERVICES[service].get("environment", {})
    return {name: value for name, _, value in image} | given


def settings(service: str) -> Settings:
    given: dict[str, Any] = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment(service).items()
        if name.startswith(PREFIX)
    }
    assert set(given) <= set(Settings.model_fields)
    return Settings(**given)


def command(service: str) -> list[str]:
    default: list[str] = json.loads(values(SERVICES[service]["build"]["target"], "CMD")[-1])
    own: list[str] | None = SERVICES[service].get("command")
    return own or default


@pytest.mark.parametrize("service", OURS)
def test_settings_exist_and_are_valid(service: str) -> None:
    found = settings(service)
    assert found.redis_url is not None
    assert found.redis_url.startswith("redis://redis:6379")
    assert "redis" in SERVICES[service]["depends_on"]


@pytest.mark.parametrize("service", OURS)
def test_commands_exist_with_their_options(service: str) -> None:
    program, name, *arguments = command(service)
    assert program == "deeplimit"
    group = typer.main.get_command(app)
    subcommand = group.get_command(group.make_context("deeplimit", [name]), name)  # type: ignore[attr-defined]  # a group
    assert subcommand is not None
    subcommand.make_context(name, list(arguments))


@pytest.mark.parametrize("service", OURS)
def test_build_targets_and_arguments_are_the_dockerfiles(service: str) -> None:
    build = SERVICES[service]["build"]
    assert build["target"] in STAGES
    declared = {line.partition("=")[0] for stage in STAGES for line in values(stage, "ARG")}
    assert set(build.get("args", {})) <= declared


def test_a_name_of_an_image_stands_for_one_build() -> None:
    builds: dict[str, dict[str, object]] = {}
    for service in OURS:
        build = builds.setdefault(SERVICES[service]["image"], SERVICES[service]["build"])
        assert build == SERVICES[service]["build"]
    assert set(builds) == {"deeplimit-api", "deeplimit-worker"}


@pytest.mark.parametrize("service", OURS)
def test_images_run_as_an_ordinary_user_who_owns_the_data(service: str) -> None:
    target = SERVICES[service]["build"]["target"]
    assert values(target, "USER") == ["deeplimit"]
    assert any("useradd" in line and str(settings(service).data_dir) in line for line in values(target, "RUN"))


@pytest.mark.parametrize("service", OURS)
def test_results_are_shared(service: str) -> None:
    assert f"data:{settings(service).data_dir}" in SERVICES[service]["volumes"]
    assert "data" in COMPOSE["volumes"]


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for stage in STAGES
        for line in values(stage, "COPY")
        if not line.startswith("--from")
        for source in line.split()[:-1]
    }
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)


def test_the_port_is_published_on_loopback_only_and_is_the_one_that_is_served() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    port = Settings.model_fields["port"].default
    assert published == [f"127.0.0.1:{port}:{port}"]
    assert values("api", "EXPOSE") == [str(port)]
    assert settings("api").allow_unauthenticated


def test_the_health_check_asks_what_the_api_answers() -> None:
    (check,) = values("api", "HEALTHCHECK")
    (port, path) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", check)[0]
    assert int(port) == Settings.model_fields["port"].default
    assert path in json.loads((ROOT / "openapi" / "openapi.json").read_text())["paths"]


def test_redis_keeps_what_it_has_answered_for() -> None:
    redis = SERVICES["redis"]
    program, *flags = redis["command"]
    assert program == "valkey-server"
    options = dict(zip(flags[::2], flags[1::2], strict=True))
    assert options == {"--appendonly": "yes", "--appendfsync": "always", "--maxmemory-policy": "noeviction"}
    assert redis["volumes"] == ["redis:/data"]
    assert "redis" in COMPOSE["volumes"]


def test_the_gpu_profile_reserves_one_gpu_for_a_worker() -> None:
    profiled = {name: service for name, service in SERVICES.items() if "profiles" in service}
    assert set(profiled) == {"worker-gpu"}
    gpu = profiled["worker-gpu"]
    assert gpu["profiles"] == ["gpu"]
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert command("worker-gpu") == command("worker") == ["deeplimit", "worker"]
    assert gpu["build"] == SERVICES["worker"]["build"], "one image serves both: the GPU build of torch runs on the CPU"
    assert "TORCH_INDEX" in gpu["build"]["args"]
    assert "TORCH_INDEX" in values("build-worker", "ARG")
