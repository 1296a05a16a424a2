"""What was asked, what was answered, and what was done to whom: one JSON object a line."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Journal:
    """A file that several threads write to; each line is there before anything else is done."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self._lock = threading.Lock()
        self._begin = time.monotonic()

    def write(self, who: str, did: str, **what: Any) -> None:
        """Record one thing that was done."""
        entry = {"t": round(time.monotonic() - self._begin, 3), "who": who, "did": did, **what}
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def entries(self) -> Iterator[Entry]:
        """Read all that was recorded."""
        with self.path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)
