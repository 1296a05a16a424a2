"""Runs the code of a page as its reader would: in a folder of its own, against a running service."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from service.api.views import Job
from service.contract.kinds import parse
from tests.docs.answers import same_json, same_text
from tests.docs.commands import check_commands
from tests.support.markdown import ROOT

if TYPE_CHECKING:
    from tests.docs.blocks import Block
    from tests.support.service import Service

DOCUMENTED = "http://127.0.0.1:8000"
_JOB = re.compile(r"(?<=/jobs/)ID\b|(?<=deeplimit )(\w+ )ID\b")
_STUDY = re.compile(r'(?<="job_id": ")ID\b')
_DATASET = re.compile(
    r'(?<=/datasets/)ID\b|(?<="id": ")ID\b|(?<="dataset_id": ")ID\b|(?<=deeplimit datasets )(\w+ )ID\b'
)
_ID = re.compile(r'(?:"id": ?"|^|^job )([0-9a-f]{64}|[0-9a-f]{32})\b(?:", ?"kind": ?"(\w+)")?', re.MULTILINE)


@dataclass
class Running:
    """What the blocks of one page have done so far.

    Parameters
    ----------
    place
        The folder that the reader works in.
    """

    service: Service
    place: Path
    printed: str = ""
    jobs: list[str] = field(default_factory=list)
    studies: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)

    def run(self, block: Block, name: str) -> None:
        """Do with one block what its class says.

        Raises
        ------
        AssertionError
            It does not do what the page says.
        """
        what = getattr(self, f"_{block.kind}", None)
        if what is None:  # text and mermaid
            return
        try:
            what(block, name)
        except Exception as error:
            raise AssertionError(f"{name}:{block.line}: {error}") from error

    def close(self) -> None:
        """End the interpreter, if there was Python."""
        if "_interpreter" in vars(self):
            self._interpreter.communicate()

    def _bash(self, block: Block, name: str) -> None:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", self._meant(block.text)],
            cwd=self.place,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        statuses = [int(code) for code in re.findall(r"^HTTP-STATUS (\d+)$", done.stderr, re.MULTILINE)]
        refused = [status for status in statuses if status >= 400]
        assert refused == list(block.refused), f"{statuses}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0 or block.refused, f"{name}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        self._keep(done.stdout, done.stderr)
        if "Prefer: wait=30" in block.text and '"done":false' in done.stdout:
            self.printed = self._when_done(self.jobs[-1])

    def _when_done(self, job_id: str) -> str:
        """Ask again while the job is not done, as the pages say."""
        for _ in range(8):
            answer = self.service.client.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=30"})
            if answer.json()["done"]:
                return answer.text
        raise AssertionError(self.service.log[-2000:])

    def _python(self, block: Block, name: str) -> None:
        assert self._interpreter.stdin is not None
        assert self._interpreter.stdout is not None
        self._interpreter.stdin.write(json.dumps([f"{name}:{block.line}", self._meant(block.text)]) + "\n")
        self._interpreter.stdin.flush()
        printed, error = json.loads(self._interpreter.stdout.readline())
        assert not error, error
        self._keep(printed)

    def _output(self, block: Block, _: str) -> None:
        assert same_text(block.text, self.printed), self.printed

    def _json(self, block: Block, _: str) -> None:
        claimed = json.loads(block.text)
        if not isinstance(claimed, dict) or "kind" not in claimed or "status" in claimed:
            self._answer(claimed)
        elif '"ID' in block.text or not re.search(r"_id\"", block.text):
            planned = self.service.client.post("/v1/jobs/plan", json=json.loads(self._meant(block.text)))
            assert planned.status_code == 200, planned.text
        else:  # it refers to what this service has not got
            parse(claimed)

    def _answer(self, claimed: Any) -> None:
        if self.printed:
            _, _, body = self.printed.rpartition("\n\n")  # behind the headers, where curl shows them
            assert same_json(claimed, json.loads(body)), self.printed
        elif isinstance(claimed, dict) and "status" in claimed:
            Job.model_validate(claimed)

    def _yaml(self, block: Block, _: str) -> None:
        assert all(document for document in yaml.safe_load_all(block.text))

    def _sh(self, block: Block, _: str) -> None:
        check_commands(block.text)

    def _meant(self, text: str) -> str:
        """Put the last ids in place of ``ID``, and this service's address in place of the documented one."""
        text = text.replace(DOCUMENTED, self._url)
        wanted = len(_DATASET.findall(text)) if '"networks"' in text else 1
        datasets = iter(self.datasets[-wanted:] * (1 if wanted > 1 else text.count("ID")))
        text = _DATASET.sub(lambda found: (found[1] or "") + next(datasets), text)
        text = _STUDY.sub(lambda _: self.studies[-1], text)
        return _JOB.sub(lambda found: (found[1] or "") + self.jobs[-1], text)

    def _keep(self, printed: str, said: str = "") -> None:
        """Remember what was printed, and the ids in it and in what was said beside it."""
        self.printed = printed
        for found in _ID.finditer(f"{said}\n{printed}"):
            known = self.jobs if len(found[1]) == 32 else self.datasets
            known.append(found[1])
            if found[2] in {"train", None} and known is self.jobs:
                self.studies.append(found[1])

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.service.port}"

    @cached_property
    def _environment(self) -> dict[str, str]:
        """The programs of this environment, and where this service is."""
        (self.place / ".curlrc").write_text('noproxy = "*"\nwrite-out = "%{stderr}\\nHTTP-STATUS %{http_code}\\n"\n')
        return {
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CURL_HOME": str(self.place),
            "DEEPLIMIT_URL": self._url,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "NO_COLOR": "1",
        }

    @cached_property
    def _interpreter(self) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "tests" / "docs" / "interpreter.py")]
        return subprocess.Popen(
            command, cwd=self.place, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
