"""The commands against a service that runs: the slow executor stands in for the training."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deeplimit import Client, JobFailed
from tests.datasets import penguins
from tests.support.service import ROOT, SLOW, Service, descendants, gone, slow_job

pytestmark = pytest.mark.e2e

DEEPLIMIT = str(Path(sys.executable).parent / "deeplimit")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("cli") / "data", {"DEEPLIMIT_EXECUTOR": SLOW})
    running.start()
    yield running
    running.stop()


def url(service: Service) -> str:
    return f"http://127.0.0.1:{service.port}"


def deeplimit(service: Service, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [DEEPLIMIT, *arguments, "--url", url(service)]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def test_submit_and_wait(service: Service) -> None:
    done = deeplimit(service, "submit", "-", "--wait", "--json", text=json.dumps(slow_job(seconds=0.5)))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["models"] == []
    assert "discrete discrete-8" in done.stderr


def test_submit_then_status_and_results(service: Service) -> None:
    job_id = deeplimit(service, "submit", "-", text=json.dumps(slow_job(name="by hand"))).stdout.strip()
    waited = deeplimit(service, "status", job_id, "--wait")
    assert waited.returncode == 0, waited.stderr
    assert waited.stdout.strip() == f"job {job_id} (by hand): succeeded, attempt 1"
    assert deeplimit(service, "results", job_id).returncode == 0


def test_a_bad_specification(service: Service) -> None:
    body = slow_job() | {"objective": {"alpha": {"K": 0}}, "networks": {}}
    refused = deeplimit(service, "submit", "-", text=json.dumps(body))
    assert refused.returncode == 2
    assert "  /objective/alpha/K: " in refused.stderr
    assert "  /networks: " in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_body_that_is_not_json(service: Service) -> None:
    refused = deeplimit(service, "submit", "-", text="{")
    assert refused.returncode == 2
    assert "refused (400 " in refused.stderr


def test_a_job_that_fails(service: Service) -> None:
    failed = deeplimit(service, "submit", "-", "--wait", text=json.dumps(slow_job(behaviour=4)))
    assert failed.returncode == 1
    assert "nothing_usable: Every depth diverged." in failed.stderr


def test_unknown_job(service: Service) -> None:
    unknown = deeplimit(service, "status", "nowhere")
    assert unknown.returncode == 2
    assert "404" in unknown.stderr


def test_data_sets_are_uploaded_listed_shown_and_deleted(service: Service, tmp_path: Path) -> None:
    flowers, weights = tmp_path / "flowers.csv", tmp_path / "weights.npz"
    flowers.write_text("length,width,kind\n1,2,iris\n3,4,rose\n5,6,rose\n")
    np.savez(weights, K=np.zeros((4, 2, 2)), b=np.zeros((4, 2)))
    first = deeplimit(service, "upload", str(flowers), "--name", "flowers").stdout.strip()
    second = deeplimit(service, "upload", str(weights)).stdout.strip()
    listed = deeplimit(service, "datasets", "list")
    assert listed.stdout.splitlines() == [
        f"{second}  weights of 4 layers, d = 2",
        f"{first}  3 samples of 2 numbers  flowers",
    ]
    in_full = json.loads(deeplimit(service, "datasets", "list", "--json").stdout)
    assert [item["id"] for item in in_full] == [second, first]
    shown = deeplimit(service, "datasets", "show", first).stdout.splitlines()
    assert shown[0] == f"data set {first} (flowers): 3 samples of 2 numbers"
    assert shown[1:3] == ["targets: 2 classes: iris (1), rose (2)", "inputs: length, width"]
    assert json.loads(deeplimit(service, "datasets", "show", second, "--json").stdout)["depth"] == 4
    deleted = deeplimit(service, "datasets", "delete", first, second)
    assert (deleted.returncode, deleted.stderr.splitlines()) == (0, [f"deleted {first}", f"deleted {second}"])
    assert deeplimit(service, "datasets", "list").stdout == ""
    for command in ("show", "delete"):
        unknown = deeplimit(service, "datasets", command, first)
        assert (unknown.returncode, unknown.stdout) == (2, "")
        assert "404 dataset_not_found" in unknown.stderr


def test_an_upload_that_is_refused_names_the_parameter(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    refused = deeplimit(service, "upload", str(table), "--target", "z")
    assert refused.returncode == 2
    expected = "  targets: names a column that the table does not have: 'z'; it has 'a', 'b'"
    assert refused.stderr.splitlines()[1] == expected


def test_a_file_is_read_as_the_command_says(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("3,2,1\n4,5,0\n6,NA,0\n7,8,1\n")
    refused = deeplimit(service, "upload", str(table))
    assert refused.returncode == 2
    assert "missing=drop" in refused.stderr
    taken = deeplimit(service, "upload", str(table), "--missing", "drop")
    assert taken.stderr.splitlines()[0] == "3 samples of 2 numbers, 1 row with a missing value left out"
    taken = deeplimit(service, "upload", str(table), "--missing", "drop", "--header", "present")
    assert taken.stderr.splitlines()[0] == "2 samples of 2 numbers, 1 row with a missing value left out"
    shown = deeplimit(service, "datasets", "show", taken.stdout.strip()).stdout.splitlines()
    assert shown[2] == "inputs: 3, 2"
    assert deeplimit(service, "upload", str(table), "--missing", "keep").returncode == 2


def test_penguins_are_taken_by_the_options_that_the_errors_name(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "penguins.csv"
    table.write_bytes(penguins.raw())
    refused = deeplimit(service, "upload", str(table))
    assert refused.returncode == 2
    assert "  categorical: column island holds text: Biscoe, Dream, Torgersen (3 different)" in refused.stderr
    *_, last = refused.stderr.splitlines()
    assert last == "try: --target species --categorical drop --missing drop"
    taken = deeplimit(service, "upload", str(table), *last.split()[1:])
    assert taken.returncode == 0, taken.stderr
    told = [" ".join(line.split()) for line in taken.stderr.splitlines()]
    assert told[0] == "38 samples of 5 numbers, 2 rows with a missing value left out, columns left out: island, sex"
    assert "bill_length_mm input number 34.1 55.8 44.3368 2 -" in told
    assert "species target label - - - - Adelie (15), Chinstrap (10), Gentoo (13)" in told
    dataset_id = taken.stdout.strip()
    shown = deeplimit(service, "datasets", "show", dataset_id).stdout
    assert ("target columns: species" in shown, "bill_length_mm" in shown) == (True, True)
    preview = deeplimit(service, "datasets", "preview", dataset_id).stdout
    rows = [line.split() for line in preview.splitlines()]
    assert ["39.1", "18.7", "181", "3750", "2007", "Adelie"] in rows
    assert json.loads(deeplimit(service, "datasets", "preview", dataset_id, "--json").stdout)["samples"] == 38
    encoded = deeplimit(
        service, "upload", str(table), *last.split()[1:3], "--missing", "drop", "--categorical", "encode"
    )
    assert "island=Biscoe" in encoded.stderr


def test_jobs_are_listed_and_cancelled(service: Service) -> None:
    with Client(url(service)) as client:
        job = client.submit(slow_job(seconds=30, name="to stop"))
        line = next(line for line in deeplimit(service, "list").stdout.splitlines() if line.startswith(job.id))
        assert line.split()[1] == "train"
        assert line.endswith("  to stop")
        assert deeplimit(service, "cancel", job.id).stdout.startswith(f"job {job.id} (to stop): cancel")
        with pytest.raises(JobFailed, match="cancelled"):
            job.wait()
        cancelled = json.loads(deeplimit(service, "list", "--status", "cancelled", "--json").stdout)
        assert job.id in {one["id"] for one in cancelled}
        assert deeplimit(service, "list", "--status", "succeeded", "--limit", "1").stdout.count("\n") <= 1
        job.delete()
        again = deeplimit(service, "cancel", job.id)
        assert (again.returncode, "404" in again.stderr) == (2, True)


def test_a_table_is_trained_on_with_one_command(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "flowers.csv"
    table.write_text("length,width,kind\n1,2,iris\n3,NA,rose\n5,6,rose\n7,8,iris\n")
    options = ["--target", "kind", "--missing", "drop", "--depths", "8,16", "--validation", "0"]
    done = deeplimit(service, "train", str(table), *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("3 samples of 2 numbers, 1 row with a missing value left out\n")
    with Client(url(service)) as client:
        job = client.job(done.stdout.strip())
        assert job.name == "flowers.csv"
        assert job["spec"]["discrete"]["depths"] == [8, 16]
        dataset = job["spec"]["data"]["id"]
        (tmp_path / "spec.json").write_text(json.dumps({"kind": "train", "data": {"standardise": False}}))
        spec = str(tmp_path / "spec.json")
        done = deeplimit(service, "submit", spec, "--data", str(table), "--missing", "drop", "--target", "kind")
        data = client.job(done.stdout.strip())["spec"]["data"]
        assert (data["id"], data["standardise"]) == (dataset, False)
        done = deeplimit(service, "train", dataset, "--gap", "0.01", "--validation", "0.4")
        spec = client.job(done.stdout.strip())["spec"]
        assert (spec["discrete"]["depths"]["gap"], spec["data"]["validation_fraction"]) == (0.01, 0.4)
        assert deeplimit(service, "train", dataset, "--missing", "drop").returncode == 2


# A shell starts what it puts in the background, this test run perhaps, deaf to Ctrl-C, and that is handed down.
LISTENING = [
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])",
]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_interrupted_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    # jobs of 20 s: the demo's own specification asks for 2000 iterations, which the slow executor takes for steps
    environment = {**os.environ, "DEEPLIMIT_EXECUTOR": SLOW, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([*LISTENING, DEEPLIMIT, "demo"], env=environment, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        for line in demo.stderr:
            if line.startswith("discrete discrete-8"):
                break
        below = descendants(demo.pid)
        assert any("worker.start" in command for command in below.values())
        demo.send_signal(number)
        demo.stderr.read()
        assert demo.wait(20) == 128 + number
    assert gone(below)
    assert not list(tmp_path.glob("deeplimit-demo-*"))
