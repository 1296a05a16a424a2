"""The Kubernetes example against the code, the images and compose. No cluster is needed: the file is read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
import yaml

from service.cli import app
from service.config import PREFIX, Settings
from tests.support.markdown import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "examples" / "kubernetes.yaml").read_text()))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
BY_NAME: dict[tuple[str, str], dict[str, Any]] = {(one["kind"], one["metadata"]["name"]): one for one in DOCUMENTS}
LOADS = [one for one in DOCUMENTS if one["kind"] in {"Deployment", "StatefulSet"}]
OURS = [one for one in LOADS if one["metadata"]["name"] != "redis"]
each_load = pytest.mark.parametrize("load", LOADS, ids=lambda load: load["metadata"]["name"])
each_of_ours = pytest.mark.parametrize("load", OURS, ids=lambda load: load["metadata"]["name"])


def pod(load: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = load["spec"]["template"]["spec"]
    return spec


def container(load: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod(load)["containers"]
    found: dict[str, Any] = only
    return found


def environment(load: dict[str, Any]) -> dict[str, str]:
    """What the container is given, from wherever."""
    found: dict[str, str] = {}
    for source in container(load).get("envFrom", ()):
        if "configMapRef" in source:
            found |= BY_NAME["ConfigMap", source["configMapRef"]["name"]]["data"]
        else:
            found |= BY_NAME["Secret", source["secretRef"]["name"]]["stringData"]
    for variable in container(load).get("env", ()):
        if "value" in variable:
            found[variable["name"]] = variable["value"]
        else:
            reference = variable["valueFrom"]["secretKeyRef"]
            found[variable["name"]] = BY_NAME["Secret", reference["name"]]["stringData"][reference["key"]]
    return found


def labels() -> list[dict[str, str]]:
    return [load["spec"]["template"]["metadata"]["labels"] for load in LOADS]


def selectors() -> Iterator[dict[str, str]]:
    for one in DOCUMENTS:
        if one["kind"] == "Service":
            yield one["spec"]["selector"]
        if one["kind"] == "NetworkPolicy":
            yield one["spec"]["podSelector"]["matchLabels"]
            for rule in one["spec"]["ingress"]:
                yield from (
                    peer["podSelector"]["matchLabels"] for peer in rule["from"] if "namespaceSelector" not in peer
                )


def test_every_object_is_whole_and_in_one_namespace() -> None:
    assert len(BY_NAME) == len(DOCUMENTS) == 11
    assert all({"apiVersion", "kind", "metadata"} <= set(one) for one in DOCUMENTS)
    places = {one["metadata"].get("namespace") for one in DOCUMENTS if one["kind"] != "Namespace"}
    assert places == {"deeplimit"}
    assert ("Namespace", "deeplimit") in BY_NAME


@each_load
def test_a_load_selects_its_own_pods_and_mounts_what_it_has(load: dict[str, Any]) -> None:
    assert load["spec"]["selector"]["matchLabels"] == load["spec"]["template"]["metadata"]["labels"]
    volumes = {volume["name"] for volume in pod(load).get("volumes", ())}
    volumes |= {claim["metadata"]["name"] for claim in load["spec"].get("volumeClaimTemplates", ())}
    assert {mount["name"] for mount in container(load)["volumeMounts"]} == volumes


def test_every_selector_finds_pods() -> None:
    assert all(selector in labels() for selector in selectors())


@each_of_ours
def test_settings_exist_are_valid_and_share_redis_and_results(load: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        name.removeprefix(PREFIX).lower(): value for name, value in environment(load).items() if name.startswith(PREFIX)
    }
    assert set(given) <= set(Settings.model_fields)
    settings = Settings(**given)
    password = BY_NAME["Secret", "deeplimit"]["stringData"]["REDIS_PASSWORD"]
    assert settings.redis_url == f"redis://:{password}@redis:6379/0"
    assert settings.artifacts_location.startswith("s3://")
    assert settings.allow_unauthenticated is (load["metadata"]["name"] == "api")


@each_of_ours
def test_images_are_those_of_compose_and_run_as_their_user(load: dict[str, Any]) -> None:
    assert container(load)["image"] == COMPOSE[load["metadata"]["name"]]["image"]
    user = re.search(r"useradd .*--uid (\d+)", (ROOT / "Dockerfile").read_text())
    assert user is not None
    assert pod(load)["securityContext"]["runAsUser"] == int(user[1])


@each_of_ours
def test_commands_exist_with_their_options(load: dict[str, Any]) -> None:
    program, name, *arguments = container(load)["command"]
    assert program == "deeplimit"
    group: Any = typer.main.get_command(app)
    subcommand = group.get_command(group.make_context("deeplimit", [name]), name)
    subcommand.make_context(name, list(arguments))


def test_probes_ask_what_the_api_answers_where_it_listens() -> None:
    api = BY_NAME["Deployment", "api"]
    port = Settings.model_fields["port"].default
    paths = json.loads((ROOT / "openapi" / "openapi.json").read_text())["paths"]
    for probe in ("readinessProbe", "livenessProbe"):
        asked = container(api)[probe]["httpGet"]
        assert (asked["path"] in paths, asked["port"]) == (True, port)
    assert container(api)["ports"] == [{"containerPort": port}]
    assert BY_NAME["Service", "api"]["spec"]["ports"][0]["targetPort"] == port
    assert BY_NAME["NetworkPolicy", "api"]["spec"]["ingress"][0]["ports"] == [{"port": port}]


def test_redis_keeps_what_it_has_answered_for_and_wants_the_password() -> None:
    redis = BY_NAME["StatefulSet", "redis"]
    *kept, option, password = container(redis)["args"]
    assert kept == COMPOSE["redis"]["command"]
    assert (option, password) == ("--requirepass", "$(REDIS_PASSWORD)")
    assert "REDIS_PASSWORD" in environment(redis)
    assert container(redis)["image"] == COMPOSE["redis"]["image"]
    assert redis["spec"]["replicas"] == 1


def test_a_gpu_worker_has_one_gpu() -> None:
    assert container(BY_NAME["Deployment", "worker-gpu"])["resources"]["limits"]["nvidia.com/gpu"] == 1
