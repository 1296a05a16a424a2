"""What bodies of 16 MiB do to others: the longest that another request is answered in while each of them is read.

Run from the project's root:  .venv/bin/python -m benchmarks.service.bodies
"""

import json
import random
import threading
import time
from collections.abc import Iterator
from typing import Self

import httpx

from benchmarks.service.running import running_service
from service.contract.values.limits import LIMITS

SIZE = LIMITS.body_bytes
JSON = {"Content-Type": "application/json"}


def _padded(start: bytes, unit: bytes, end: bytes) -> bytes:
    return start + unit * ((SIZE - len(start) - len(end)) // len(unit)) + end


def _inline() -> bytes:
    generator = random.Random(0)  # noqa: S311 - numbers to be read, not secrets
    inputs = [[round(generator.gauss(0, 1), 12) for _ in range(8)] for _ in range(95_000)]
    data = {"source": "inline", "inputs": inputs, "targets": [0, 1] * 47_500}
    return json.dumps({"kind": "train", "data": data}).encode()


def _fixed_matrix() -> bytes:
    generator = random.Random(0)  # noqa: S311 - likewise
    matrix = [[round(generator.gauss(0, 1), 8) for _ in range(1024)] for _ in range(1024)]
    data = {"source": "builtin", "name": "moons"}
    return json.dumps({"kind": "train", "data": data, "network": {"state_dim": 1024, "fixed": {"K": matrix}}}).encode()


def bodies() -> Iterator[tuple[str, bytes]]:
    """Yield bodies by what they are made of."""
    kind = b'{"kind":"train","data":'
    yield "arrays nested as deep as they go", b"[" * (SIZE // 2) + b"]" * (SIZE // 2)
    yield "arrays that never close", b"[" * SIZE
    yield "objects nested as deep as they go", b'{"a":' * (SIZE // 6) + b"1" + b"}" * (SIZE // 6)
    yield "millions of empty arrays", _padded(kind + b"[", b"[],", b"[]]}")
    yield "millions of empty objects", _padded(kind + b"[", b"{},", b"{}]}")
    yield "arrays as deep as is taken", _padded(kind + b"[", b"[" * 29 + b"]" * 29 + b",", b"0]}")
    yield "one long text", _padded(kind + b'"', b"a", b'"}')
    yield "one text of escapes", _padded(kind + b'"', b"\\u00e9", b'"}')
    yield "lone surrogates", _padded(kind + b"[", b'"\\ud800",', b'""]}')
    yield "one object with one key many times", _padded(b"{", b'"a":1,', b'"a":1}')
    yield "many objects with a key twice", _padded(kind + b"[", b'{"a":1,"b":2},', b'{"a":1,"a":2}]}')
    yield "an object with a million keys", b"{" + b",".join(b'"%07d":1' % k for k in range(SIZE // 12)) + b"}"
    yield "digits", _padded(kind + b"[", b"1,", b"1]}")
    yield "one number", _padded(kind, b"1", b"}")
    yield "numbers past a double", _padded(kind + b"[", b"1e999,", b"1]}")
    yield "not UTF-8 at its end", _padded(kind + b'"', b"a", b'\xff"}')
    yield "inputs of texts", _padded(b'{"kind":"train","data":{"source":"inline","inputs":[', b'["x"],', b'["x"]]}}')
    yield "labels", _padded(b'{"kind":"train","data":{"source":"inline","inputs":[[1]],"targets":[', b'"x",', b'"x"]}}')
    yield "inline data", _inline()
    yield "a fixed matrix", _fixed_matrix()


class Bystander:
    """Somebody who reads the list of jobs all the time, and keeps the longest time that it took."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stopping = threading.Event()
        self._taken: list[float] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def longest_ms(self) -> float:
        """Return the longest time since this was last asked."""
        taken, self._taken = self._taken, []
        return 1e3 * max(taken, default=0.0)

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60.0) as client:
            while not self._stopping.wait(0.005):
                start = time.perf_counter()
                client.get("/v1/jobs", params={"limit": 1}).raise_for_status()
                self._taken.append(time.perf_counter() - start)


def main() -> None:
    """Print the longest delay for each body, and how long the body took."""
    with running_service() as (server, _), httpx.Client(base_url=server.url, timeout=120.0) as client:
        client.post("/v1/jobs", json={"kind": "train", "data": {"source": "builtin", "name": "moons"}})
        with Bystander(server.url) as bystander:
            time.sleep(2.0)  # as long as some bodies take, so that the longest waits compare
            print(f"nothing else: {bystander.longest_ms():.0f} ms")
            for name, body in bodies():
                bystander.longest_ms()
                start = time.perf_counter()
                status = client.post("/v1/jobs", content=body, headers=JSON).status_code
                took = time.perf_counter() - start
                print(f"{name}: {bystander.longest_ms():.0f} ms while it took {took:.1f} s ({status})", flush=True)


if __name__ == "__main__":
    main()
