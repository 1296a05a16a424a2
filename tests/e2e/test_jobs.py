"""Jobs from POST to their end, through API, Valkey, Celery and trainer."""

import time

import pytest

from tests.support.service import Service, pause, slow_job

pytestmark = pytest.mark.e2e


def test_a_job_succeeds_and_has_results(service: Service) -> None:
    service.ready_trainer()
    job = service.wait_for(service.submit(slow_job(seconds=1.2)), "succeeded")
    assert job["done"]
    assert job["attempt"] == 1
    assert job["progress"]["fraction"] == 1.0
    assert job["created_at"] <= job["started_at"] <= job["finished_at"] == job["updated_at"]
    assert service.client.get(job["links"]["results"]).status_code == 200


def test_a_small_job_is_done_within_the_request_that_waits_for_it(service: Service) -> None:
    service.ready_trainer()
    for _ in range(5):
        answer = service.client.post("/v1/jobs", json=slow_job(seconds=0.01), headers={"Prefer": "wait=10"})
        assert answer.status_code == 200
        assert answer.json()["status"] == "succeeded"


def test_progress_never_falls_and_comes_at_most_twice_a_second(service: Service) -> None:
    begin = time.monotonic()
    job_id = service.submit(slow_job(seconds=2))
    fractions, revisions = [], set()
    while not (job := service.job(job_id))["done"]:
        revisions.add(job["revision"])
        if job["progress"] is not None:
            fractions.append(job["progress"]["fraction"])
        pause(0.02)
    assert fractions == sorted(fractions)
    assert fractions[0] > 0
    assert len(set(fractions)) >= 3
    assert job["revision"] <= 3 + 2 * (time.monotonic() - begin) + 1  # created, claimed, finished, and progress


@pytest.mark.parametrize("behaviour", [0, 1, 5], ids=["polite", "deaf", "hung"])
def test_cancel_stops_a_running_fit_long_before_its_end(service: Service, behaviour: int) -> None:
    job_id = service.submit(slow_job(seconds=60, behaviour=behaviour))
    service.wait_running(job_id)
    answer = service.client.post(f"/v1/jobs/{job_id}/cancel")
    assert answer.status_code == 202
    assert answer.json()["status"] == "cancelling"
    job = service.wait_for(job_id, "cancelled")
    assert job["error"] is None
    assert service.client.get(f"/v1/jobs/{job_id}/results").status_code == 404


def test_a_waiting_job_is_cancelled_at_once(service: Service) -> None:
    running = service.submit(slow_job(seconds=60))
    service.wait_running(running)
    waiting = service.submit(slow_job())
    answer = service.client.post(f"/v1/jobs/{waiting}/cancel")
    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelled"
    service.client.post(f"/v1/jobs/{running}/cancel")
    service.wait_for(running, "cancelled")


def test_a_failure_of_the_user_and_one_of_ours_are_told_apart(service: Service) -> None:
    refused = service.wait_for(service.submit(slow_job(behaviour=4)), "failed")["error"]
    assert (refused["code"], refused["origin"]) == ("nothing_usable", "user")
    broken = service.wait_for(service.submit(slow_job(behaviour=3)), "failed")["error"]
    assert (broken["code"], broken["origin"]) == ("internal_error", "system")


def test_a_job_that_ignores_its_wall_time_is_ended(service: Service) -> None:
    job = service.wait_for(service.submit(slow_job(seconds=60, behaviour=1, wall_time_s=1)), "failed")
    assert job["error"]["code"] == "wall_time_exceeded"
    assert job["attempt"] == 1


def test_jobs_are_done_in_the_order_they_came(service: Service) -> None:
    jobs = [service.submit(slow_job(seconds=0.05)) for _ in range(6)]
    done = [service.wait_for(job_id, "succeeded") for job_id in jobs]
    starts = [job["started_at"] for job in done]
    assert starts == sorted(starts)
