"""The commands: arguments, output and exit status."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from service.cli import app
from tests.cli.example import results
from tests.support.http.scripted import ScriptedServer

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
COMMANDS: Any = typer.main.get_command(app)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.json"
    path.write_text('{"kind": "train", "data": {"source": "builtin", "name": "iris"}}')
    return path


@pytest.mark.parametrize("name", sorted(COMMANDS.commands))
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
        (["train"], "DATA"),
        (["train", "nowhere.csv"], "nowhere.csv"),
        (["train", "a", "--target", "y"], "a is no file"),
        (["train", "a", "--depths", "8,many"], "--depths: whole numbers"),
        (["results", "a", "--digits", "many"], "--digits"),
        (["submit", "README.md", "--data", "tests/cli/example.py"], "example.py"),
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
    monkeypatch.setattr("deeplimit.client.exchange.FIRST_PAUSE_S", 0.001)
    away = run(app, ["status", "j1", "--url", "http://127.0.0.1:9"])
    assert away.exit_code == 3
    assert "deeplimit serve" in away.stderr


# Names and texts of others -------------------------------------------------------------------------------------------


HOSTILE = "\x1b[2J\x9b31m\u202egnp.exe\u2066\x07\r\u2028"
ESCAPED = "\\u001b[2J\\u009b31m\\u202egnp.exe\\u2066\\u0007\\u000d\\u2028"


@pytest.mark.parametrize("arguments", [["status", "j1"], ["status", "j1", "--json"], ["cancel", "j1"]])
def test_names_steer_no_terminal(server: ScriptedServer, arguments: list[str]) -> None:
    server.say(200, JOB | {"name": HOSTILE})
    told = run(app, [*arguments, "--url", server.url])
    assert ESCAPED in told.stdout or ESCAPED.replace("u0007\\u000d", "u0007\\r") in told.stdout
    assert not set(HOSTILE) - set("[2J31mgnp.exe") & set(told.output)
    if "--json" in arguments:
        assert json.loads(told.stdout)["name"] == HOSTILE


def test_names_of_several_lines_are_on_one(server: ScriptedServer) -> None:
    """As versions before took them, and another service may."""
    forged = JOB | {"kind": "train", "name": "a\njob j2: failed"}
    for arguments, answer in (
        (["status", "j1"], forged),
        (["list"], {"items": [forged], "next_cursor": None}),
        (["cancel", "j1"], forged),
    ):
        server.say(200, answer)
        told = run(app, [*arguments, "--url", server.url]).stdout
        assert "a\\u000ajob j2: failed" in told
        assert not any(line.startswith("job j2") for line in told.splitlines())


@pytest.mark.parametrize("more", [[], ["--json"]])
@pytest.mark.parametrize(("command", "what"), [(["list"], "jobs"), (["datasets", "list"], "data sets")])
def test_records_that_are_left_out_of_a_list_are_said(
    server: ScriptedServer, command: list[str], what: str, more: list[str]
) -> None:
    for cursor, left_out in (("5", 1), ("3", 0), (None, 1)):
        server.say(200, {"items": [], "next_cursor": cursor, "left_out": left_out})
    told = run(app, [*command, *more, "--url", server.url])
    assert told.stdout.strip() == ("[]" if more else "")
    assert told.stderr == f"2 {what} are left out: damaged, or of a later version of the service\n"
    server.say(200, {"items": [], "next_cursor": None})  # as a service of before answers
    assert run(app, [*command, *more, "--url", server.url]).stderr == ""


def test_refusals_and_tables_steer_no_terminal(server: ScriptedServer) -> None:
    server.say(422, {"code": "invalid_spec", "detail": HOSTILE, "errors": [{"parameter": HOSTILE, "detail": HOSTILE}]})
    refused = run(app, ["results", "j1", "--url", server.url])
    assert refused.stderr.count(ESCAPED) == 3
    answer = results()
    answer["models"][0]["status"] = HOSTILE
    answer["diagnostics"]["verdict"]["statements"] = [HOSTILE]
    server.say(200, answer)
    told = run(app, ["results", "j1", "--url", server.url])
    assert told.stdout.count(ESCAPED) == 2
    server.say(200, {"items": [JOB | {"kind": "train", "name": HOSTILE}], "next_cursor": None})
    assert ESCAPED in run(app, ["list", "--url", server.url]).stdout


# What is written and printed -----------------------------------------------------------------------------------------


def test_digits_are_few_unless_asked_for(server: ScriptedServer) -> None:
    for arguments, objective in (([], "0.072272930"), (["--digits", "full"], "0.07227292987")):
        server.say(200, results())
        told = run(app, ["results", "j1", *arguments, "--url", server.url])
        (row,) = (line for line in told.stdout.splitlines() if line.split()[:2] == ["discrete-8", "converged"])
        assert objective in row.split()


def test_report_and_export_write_a_file_and_say_where(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, name in (
        (["report", "j1"], "deeplimit-j1.html"),
        (["report", "j1", "-o", "mine.html"], "mine.html"),
        (["export", "j1", "--model", "discrete-8"], "deeplimit-j1-discrete-8.zip"),
        (["export", "j1", "-o", "mine.zip"], "mine.zip"),
    ):
        server.say(200, b"content of " + name.encode())
        done = run(app, [*arguments, "--url", server.url])
        assert (done.exit_code, done.stdout.strip()) == (0, name)
        assert (tmp_path / name).read_bytes() == b"content of " + name.encode()


def test_a_model_is_taken_away_as_a_graph(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server.say(200, b"graph")
    options = ["--model", "continuum", "--format", "onnx", "--steps", "64"]
    done = run(app, ["export", "j1", *options, "--url", server.url])
    assert (done.exit_code, done.stdout.strip()) == (0, "deeplimit-j1-continuum.onnx")
    assert server.asked[0][0] == "GET /v1/jobs/j1/export?model=continuum&format=onnx&steps=64"


def test_a_file_that_cannot_be_written_is_a_message(server: ScriptedServer, tmp_path: Path) -> None:
    place = str(tmp_path / "nonexistent" / "x.html")
    server.say(200, "<html>")
    done = run(app, ["report", "j1", "-o", place, "--url", server.url])
    assert (done.exit_code, done.stderr) == (2, f"{place}: No such file or directory\n")


def test_a_report_on_the_way(server: ScriptedServer, spec: Path, tmp_path: Path) -> None:
    server.say(202, JOB)
    server.say(200, SUCCEEDED, ETag='"3"')
    server.say(200, "<html>")
    server.say(200, results())
    done = run(app, ["submit", str(spec), "--report", str(tmp_path / "r.html"), "--url", server.url])
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "r.html").read_text() == "<html>"
    assert "Verdict: converges" in done.stdout
    assert server.asked[-2][0] == "GET /v1/jobs/j1/report", "before what is printed"


INDEX = {"plots": [{"name": "minima", "title": "Minima"}], "withheld": {"branches": "there is one"}}


def test_plots_are_listed_and_written(server: ScriptedServer, tmp_path: Path) -> None:
    server.say(200, INDEX)
    told = run(app, ["plots", "j1", "--url", server.url])
    assert (told.stdout, told.stderr) == ("minima: Minima\n", "branches: not drawn: there is one\n")
    server.say(200, INDEX)
    server.say(200, b"\x89PNG")
    written = run(app, ["plots", "j1", "--form", "png", "-o", str(tmp_path / "plots"), "--url", server.url])
    assert written.stdout.strip() == str(tmp_path / "plots" / "minima.png")
    assert (tmp_path / "plots" / "minima.png").read_bytes() == b"\x89PNG"
    assert server.asked[-1][1]["Accept"] == "image/png"
    server.say(200, INDEX)
    assert json.loads(run(app, ["plots", "j1", "--json", "--url", server.url]).stdout) == INDEX


def test_evaluate_writes_the_specification(server: ScriptedServer, tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text("1,2\n")
    server.say(201, {"id": "d", "kind": "samples", "samples": 1, "features": 2})
    server.say(404, {"code": "not_found", "detail": "a service that has no previews"})
    server.say(202, JOB)
    options = ["--inputs-only", "--model", "continuum", "--depth", "128", "--depth", "256", "--output", "states"]
    done = run(app, ["evaluate", "j0", str(table), *options, "--url", server.url])
    assert (done.exit_code, done.stdout) == (0, "j1\n"), done.stderr
    assert "inputs_only=true" in server.asked[0][0]
    assert json.loads(server.asked[2][2]) == {
        "kind": "evaluate",
        "job_id": "j0",
        "models": ["continuum"],
        "depths": [128, 256],
        "outputs": ["states"],
        "data": {"source": "dataset", "id": "d"},
    }


def test_the_address_may_come_from_the_environment(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPLIMIT_URL", server.url)
    server.say(200, JOB)
    assert run(app, ["status", "j1"]).exit_code == 0


def test_the_version() -> None:
    told = run(app, ["--version"])
    assert (told.exit_code, told.stdout) == (0, f"deeplimit {version('deeplimit')}\n")


def test_shells_complete_commands() -> None:
    asked = {"_DEEPLIMIT_COMPLETE": "complete_bash", "COMP_WORDS": "deeplimit ca", "COMP_CWORD": "1"}
    told = run(app, [], prog_name="deeplimit", env=asked)
    assert told.stdout.split() == ["cancel"]
    in_bash = [
        "bash",
        "-c",
        f"{Path(sys.executable).parent}/deeplimit --show-completion; true",
    ]  # which it looks for above it
    told_by_bash = subprocess.run(in_bash, capture_output=True, text=True, check=True)
    assert "complete_bash" in told_by_bash.stdout


@pytest.mark.parametrize(("missing", "code"), [("typer", 1), ("pydantic_settings", 1)])
def test_what_is_not_installed_is_named_with_its_extra(missing: str, code: int) -> None:
    arguments = ["serve"] if missing == "pydantic_settings" else []
    program = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv[1:] = {arguments}; import service.entry as e; e.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert missing in done.stderr.splitlines()[-1]
    assert "deeplimit[cli]" in done.stderr.splitlines()[-1]
