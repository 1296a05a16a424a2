"""Clients of the service that do not give up: what gets no answer is asked again."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import httpx

from tests.chaos.journal import Journal
from tests.support.service import pause, slow_job
from tests.support.slow_executor import Behaviour

Note = Mapping[str, Any]
NOTHING: Final[Note] = {}
PATIENCE_S: Final = 300.0
TIMEOUT_S: Final = 8.0
MOST_OPEN: Final = 8
"""Jobs of one client that are under way; it waits for some of them before it submits another."""
BEHAVIOURS: Final = {
    Behaviour.POLITE: 74,
    Behaviour.KEEPING: 6,
    Behaviour.DEAF: 4,
    Behaviour.SILENT: 4,
    Behaviour.LARGE: 4,
    Behaviour.DYING: 1,
    Behaviour.RAISING: 3,
    Behaviour.REFUSING: 4,
}
"""Kinds of jobs, and how many of a hundred are of each."""
FAILURES: Final = {
    Behaviour.DYING: "worker_lost",
    Behaviour.RAISING: "internal_error",
    Behaviour.REFUSING: "nothing_usable",
}
"""What those jobs fail with that are to fail."""
SHORT_WALL_S: Final = 0.3
INLINE: Final = {"source": "inline", "inputs": [[1.0], [-1.0], [0.5]], "targets": [2.0, -2.0, 0.9]}
FORBIDDEN: Final = {"kind": "train", "data": {"source": "nowhere"}}


@dataclass
class Client:
    """One client, in a thread of its own.

    Attributes
    ----------
    long
        Share of jobs that take some seconds.
    """

    name: str
    address: str
    random: Random
    journal: Journal
    long: float = 0.05
    stopping: threading.Event = field(default_factory=threading.Event)
    _open: list[str] = field(default_factory=list)
    _done: list[str] = field(default_factory=list)
    _datasets: list[str] = field(default_factory=list)
    _number: int = 0

    def run(self) -> None:
        """Work until told to stop, and then until everything that was begun has an answer."""
        with httpx.Client(base_url=self.address, timeout=TIMEOUT_S, trust_env=False) as http:
            while not self.stopping.is_set():
                self._work(http)

    def _work(self, http: httpx.Client) -> None:
        draw = self.random.random()
        if len(self._open) >= MOST_OPEN:
            self._look(http, wait=draw < 0.3)
        elif draw < 0.02:
            self._upload(http)
        elif draw < 0.03:
            self._ask(http, "forbidden", "POST", "/v1/jobs", json=FORBIDDEN)
        elif draw < 0.70:
            self._submit(http)
        elif draw < 0.75 and self._open:
            self._ask(http, "cancel", "POST", f"/v1/jobs/{self.random.choice(self._open)}/cancel")
        elif draw < 0.80 and self._done:
            self._delete(http)
        else:
            self._look(http, wait=draw > 0.95)

    def _submit(self, http: httpx.Client) -> None:
        (behaviour,) = self.random.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()))
        long = behaviour is Behaviour.KEEPING or self.random.random() < self.long
        seconds = self.random.uniform(1.5, 4.0) if long else self.random.uniform(0.02, 0.4)
        body = slow_job(seconds=seconds, behaviour=behaviour)
        fails = FAILURES.get(behaviour)
        draw = self.random.random()
        if draw < 0.02 and fails is None:
            body["training"] |= {"max_iterations": 1000, "seed": Behaviour.DEAF}
            body["limits"] = {"wall_time_s": SHORT_WALL_S}
            fails = "wall_time_exceeded"
        elif draw < 0.15:
            body["data"] = INLINE
        elif draw < 0.25 and self._datasets:
            body["data"] = {"source": "dataset", "id": self.random.choice(self._datasets)}
        self._number += 1
        key = f"{self.name}-{self._number}"
        note = {"key": key, "fails": fails}
        answer = self._insist(http, "submit", "POST", "/v1/jobs", note, json=body, headers={"Idempotency-Key": key})
        if answer is not None and answer.status_code in {200, 202}:
            self._open.append(answer.json()["id"])

    def _look(self, http: httpx.Client, *, wait: bool) -> None:
        if not self._open:
            pause(0.05)  # nothing is to be done: others' jobs are under way
            return
        job_id = self.random.choice(self._open)
        headers = {"Prefer": "wait=2"} if wait else {}
        answer = self._ask(http, "look", "GET", f"/v1/jobs/{job_id}", headers=headers)
        if answer is not None and (answer.status_code == 404 or answer.json().get("done")):
            self._open.remove(job_id)
            self._done.append(job_id)

    def _delete(self, http: httpx.Client) -> None:
        job_id = self._done.pop(self.random.randrange(len(self._done)))
        if self.random.random() < 0.5:
            self._ask(http, "results", "GET", f"/v1/jobs/{job_id}/results")
        else:
            self._insist(http, "delete", "DELETE", f"/v1/jobs/{job_id}")

    def _upload(self, http: httpx.Client) -> None:
        if self._datasets and self.random.random() < 0.5:
            dataset = self._datasets.pop()
            self._ask(http, "delete-dataset", "DELETE", f"/v1/datasets/{dataset}")
            return
        rows = "".join(f"{self.random.random():.6f},{row}.5\n" for row in range(20))
        answer = self._ask(
            http, "upload", "POST", "/v1/datasets", content=f"x,y\n{rows}", headers={"Content-Type": "text/csv"}
        )
        if answer is not None and answer.status_code == 201:
            self._datasets.append(answer.json()["id"])

    def _insist(
        self, http: httpx.Client, did: str, method: str, path: str, note: Note = NOTHING, **request: Any
    ) -> httpx.Response | None:
        """Ask until there is an answer that is no "not now"; None where there is none for very long."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = self._ask(http, did, method, path, note, **request)
            if answer is not None and answer.status_code < 500:
                return answer
            pause(self.random.uniform(0.1, 0.5))  # it is asked for patience
        return None

    def _ask(
        self, http: httpx.Client, did: str, method: str, path: str, note: Note = NOTHING, **request: Any
    ) -> httpx.Response | None:
        what: dict[str, Any] = {"path": path, **note}
        begin = time.monotonic()
        answer = None
        try:
            answer = http.request(method, path, **request)
            what |= {"answer": answer.status_code, **_told(answer)}
        except httpx.HTTPError as failure:
            what["failure"] = type(failure).__name__
            pause(0.1)  # nobody may listen
        self.journal.write(self.name, did, took=round(time.monotonic() - begin, 3), **what)
        return answer


def _told(answer: httpx.Response) -> dict[str, Any]:
    """What of an answer the audit looks at."""
    if "json" not in answer.headers.get("content-type", ""):
        return {}
    body = answer.json()
    return {name: body[name] for name in ("id", "status", "code", "revision") if name in body}
