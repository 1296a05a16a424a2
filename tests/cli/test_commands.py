"""The commands: arguments, output and exit status."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli import app
from tests.cli.conftest import ScriptedServer
from tests.cli.example import results

JOB: dict[str, Any] = {"id": "j1", "name": "moons", "status": "queued", "done": False, "attempt": 1, "revision": 1}
PROGRESS = {
    "phase": "discrete",
    "model": "discrete-64",
    "fraction": 0.42,
    "eta_s": 8.1,
    "objective": 0.0417,
    "gradient_norm": 3e-5,
}
RUNNING = JOB | {"status": "running", "revision": 2, "progress": PROGRESS}
SUCCEEDED = JOB | {"status": "succeeded", "done": True, "revision": 3}
FAILED = JOB | {
    "status": "failed",
    "done": True,
    "revision": 3,
    "attempt": 3,
    "error": {"code": "worker_lost", "detail": "the worker was lost", "retryable": True, "origin": "system"},
}

run = CliRunner().invoke


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.json"
    path.write_text('{"kind": "train", "data": {"source": "builtin", "name": "iris"}}')
    return path


@pytest.mark.parametrize("name", ["serve", "worker", "submit", "status", "results", "upload", "datasets", "demo"])
def test_every_command_explains_itself(name: str) -> None:
    told = run(app, [name, "--help"])
    assert told.exit_code == 0
    assert name in told.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["submit"], "SPEC.json"),
        (["submit", "nowhere.json"], "nowhere.json"),
        (["status"], "ID"),
        (["datasets", "show"], "ID"),
        (["datasets", "delete"], "ID"),
        (["datasets", "clear"], "clear"),
        (["upload", "nowhere.csv"], "nowhere.csv"),
        (["upload", "README.md"], ".csv, .npz, .parquet, .safetensors"),
        (["serve", "--port", "many"], "--port"),
        (["serve", "--port", "70000"], "--port: "),
        (["serve", "--workers", "-1"], "--workers: "),
        (["train"], "train"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str) -> None:
    refused = run(app, arguments)
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPLIMIT_LEASE_S", "soon")
    refused = run(app, ["serve"])
    assert refused.exit_code == 2
    assert "DEEPLIMIT_LEASE_S: " in refused.stderr


def test_submit_prints_the_id_alone(server: ScriptedServer, spec: Path) -> None:
    server.say(202, JOB)
    done = run(app, ["submit", str(spec), "--url", server.url])
    assert (done.exit_code, done.stdout) == (0, "j1\n")
    assert server.asked[0][2] == spec.read_bytes()


def test_submit_reads_standard_input(server: ScriptedServer) -> None:
    server.say(202, JOB)
    done = run(app, ["submit", "-", "--url", server.url, "--json"], input='{"kind": "train"}')
    assert json.loads(done.stdout) == JOB
    assert server.asked[0][2] == b'{"kind": "train"}'


def test_a_bad_specification_is_answered_error_by_error(server: ScriptedServer, spec: Path) -> None:
    errors = [
        {"pointer": "/objective/alpha/K", "code": "too_small", "detail": "must be greater than 0"},
        {"pointer": "", "code": "no_model", "detail": "discrete and continuum are not both null"},
    ]
    server.say(422, {"code": "invalid_spec", "detail": "2 errors", "errors": errors})
    refused = run(app, ["submit", str(spec), "--url", server.url])
    assert refused.exit_code == 2
    assert not refused.stdout
    assert refused.stderr.splitlines() == [
        "refused (422 invalid_spec): 2 errors",
        "  /objective/alpha/K: must be greater than 0",
        "  (the whole body): discrete and continuum are not both null",
    ]


def test_waiting_shows_progress_and_prints_results(server: ScriptedServer, spec: Path) -> None:
    server.say(202, JOB)
    server.say(200, JOB, ETag='"1"')
    server.say(200, RUNNING, ETag='"2"')
    server.say(200, SUCCEEDED, ETag='"3"')
    server.say(200, results())
    done = run(app, ["submit", str(spec), "--wait", "--url", server.url])
    assert done.exit_code == 0
    assert "discrete discrete-64  E 0.0417000  |g| 3.0e-05  eta 8 s" in done.stderr
    assert "Verdict: converges" in done.stdout


def test_waiting_for_a_job_that_fails(server: ScriptedServer, spec: Path) -> None:
    server.say(202, JOB)
    server.say(200, FAILED, ETag='"3"')
    failed = run(app, ["submit", str(spec), "--wait", "--url", server.url])
    assert failed.exit_code == 1
    assert "worker_lost: the worker was lost; submitting it again may help" in failed.stderr


@pytest.mark.parametrize(
    ("job", "code", "line"),
    [
        (JOB, 0, "job j1 (moons): queued, attempt 1"),
        (RUNNING, 0, "42%  discrete discrete-64  E 0.0417000  |g| 3.0e-05  eta 8 s"),
        (RUNNING | {"attempt": 2}, 0, "42%  discrete discrete-64 (attempt 2)  E 0.0417000  |g| 3.0e-05  eta 8 s"),
        (SUCCEEDED, 0, "job j1 (moons): succeeded, attempt 1"),
        (FAILED, 1, "worker_lost: the worker was lost; submitting it again may help"),
        (JOB | {"status": "cancelled", "done": True}, 1, "job j1 (moons): cancelled, attempt 1"),
    ],
)
def test_status(server: ScriptedServer, job: dict[str, Any], code: int, line: str) -> None:
    server.say(200, job)
    told = run(app, ["status", "j1", "--url", server.url])
    assert told.exit_code == code
    assert line in told.stdout.splitlines()


def test_results_that_are_not_there(server: ScriptedServer) -> None:
    server.say(409, {"code": "results_not_ready", "detail": "the job is running"})
    refused = run(app, ["results", "j1", "--url", server.url])
    assert refused.exit_code == 2
    assert "refused (409 results_not_ready): the job is running" in refused.stderr


def test_results_as_json(server: ScriptedServer) -> None:
    server.say(200, results())
    assert json.loads(run(app, ["results", "j1", "--json", "--url", server.url]).stdout) == results()


def test_a_service_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.cli.client.CONNECT_RETRIES", 0)
    away = run(app, ["status", "j1", "--url", "http://127.0.0.1:9"])
    assert away.exit_code == 3
    assert "deeplimit serve" in away.stderr
