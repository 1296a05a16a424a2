"""``deeplimit serve`` as the supervisor of all the others."""

import os
import signal
import subprocess

import pytest

from tests.support.service import Service, descendants, free_port, gone, listening, slow_job

pytestmark = pytest.mark.e2e


def test_stopping_leaves_nothing_and_gives_the_running_job_back(own_service: Service) -> None:
    own_service.start()
    job_id = own_service.submit(slow_job(seconds=2))
    own_service.wait_running(job_id)
    below = descendants(own_service.process.pid)
    own_service.stop()
    assert own_service.process.returncode == 0
    assert gone(below, within=0.5), [command for pid, command in below.items() if not gone({pid: ""}, 0.01)]
    own_service.start()
    assert own_service.wait_for(job_id, "succeeded")["attempt"] == 1


def test_nothing_outlives_a_killed_serve(own_service: Service) -> None:
    own_service.start()
    job_id = own_service.submit(slow_job(seconds=60))
    own_service.wait_running(job_id)
    below = descendants(own_service.process.pid)
    assert len(below) >= 5
    own_service.process.kill()
    own_service.process.wait()
    assert gone(below, within=2)


def test_nobody_else_can_read_or_reach_what_is_kept(own_service: Service) -> None:
    own_service.data_dir.mkdir(mode=0o755)
    own_service.start()
    own_service.wait_for(own_service.submit(slow_job()), "succeeded")
    kept = [
        own_service.data_dir,
        *own_service.data_dir.glob("artifacts/**/*"),
        *own_service.data_dir.glob("valkey/**/*"),
    ]
    assert any(path.is_socket() for path in kept)
    assert any(path.suffix == ".json" for path in kept), kept
    assert [path for path in kept if path.stat().st_mode & 0o077] == []
    ports = [port for pid in descendants(own_service.process.pid) for port in listening(pid)]
    assert set(ports) == {own_service.port}


def test_a_second_serve_on_the_same_data_is_refused(service: Service) -> None:
    second = Service(service.data_dir, port=free_port())
    ended = subprocess.run(second.command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert f"in use by process {service.process.pid}" in ended.stderr


def test_a_port_in_use_is_refused(service: Service, own_service: Service) -> None:
    own_service.port = service.port
    ended = subprocess.run(own_service.command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert "cannot listen" in ended.stderr


def test_an_address_others_can_reach_is_refused(own_service: Service) -> None:
    command = [*own_service.command, "--host", "0.0.0.0"]  # noqa: S104 - it must be refused
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert "DEEPLIMIT_ALLOW_UNAUTHENTICATED" in ended.stderr


def test_ready_and_stopped(own_service: Service) -> None:
    own_service.start()
    below = descendants(own_service.process.pid)
    own_service.stop()
    assert own_service.process.returncode == 0
    assert gone(below, within=0.5)


def test_ctrl_c_stops_too(own_service: Service) -> None:
    own_service.start()
    own_service.client.close()
    below = descendants(own_service.process.pid)
    os.killpg(own_service.process.pid, signal.SIGINT)
    assert own_service.process.wait(10) == 0
    assert gone(below, within=0.5)
