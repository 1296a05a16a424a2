"""The readers of uploads: what they refuse before loading, and how little memory that takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
import safetensors.numpy

from service.contract.data.dataset import MEDIA_TYPES, SampleFacts, UploadFormat
from service.datasets.uploads import __main__ as child_process
from service.datasets.uploads import child
from service.datasets.uploads.__main__ import read
from service.datasets.uploads.request import CPU_S, UploadRefusedError, UploadRequest
from tests.datasets.reading import request
from tests.support.hostile import BAD
from tests.support.uploads import (
    bomb,
    header_bomb,
    label_bomb,
    lying_bomb,
    many_arrays,
    npz,
    parquet,
    safetensors_file,
    tensor,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = 150 * 2**20
"""Bytes that refusing a bomb may take, the interpreter and NumPy included; what it unpacks to is more."""


@pytest.mark.parametrize(("content", "media_type", "code"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_uploads(tmp_path: Path, content: bytes, media_type: str, code: str) -> None:
    with pytest.raises(UploadRefusedError) as refused:
        read(request(tmp_path, content, MEDIA_TYPES[media_type]))
    assert refused.value.refusal.code == code
    assert refused.value.refusal.parameter is None


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a,b\n1,2\n\n3,4\n\n", 2),
        (b"\n\n1,2\n3,4\n\n", 2),
        (b"a,b\n1,2\n\n\n3,4\n\n", None),
        (b"\n\n\n\n1,2\n3,4\n\n", None),
        (b"a,b\n1,2\n" + b"\n" * 4, None),
    ],
)
def test_blank_lines_count_as_rows(tmp_path: Path, content: bytes, rows: int | None) -> None:
    asked = request(tmp_path, content, UploadFormat.CSV)
    asked = asked.model_copy(update={"limits": asked.limits.model_copy(update={"samples": 3})})
    if rows is not None:
        facts = read(asked).facts
        assert isinstance(facts, SampleFacts)
        assert facts.samples == rows
        return
    with pytest.raises(UploadRefusedError, match="too_many_samples: must have at most 3 rows, blank lines included"):
        read(asked)


def peak_memory(asked: UploadRequest) -> tuple[int, str]:
    """Run the child as the service does, and return its largest resident set and its answer."""
    with subprocess.Popen(
        [sys.executable, "-m", "service.datasets.uploads"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(asked.model_dump_json().encode())
        process.stdin.close()
        peak, status = 0, Path("/proc") / str(process.pid) / "status"
        while process.poll() is None:
            lines = status.read_text().splitlines() if status.exists() else []
            peak = max([peak, *(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))])
            time.sleep(0.002)  # the kernel keeps the peak; this only has to see it before the end
        return peak, process.stdout.read().decode()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
@pytest.mark.parametrize(("make", "inputs_only"), [(bomb, False), (lying_bomb, True)])
def test_a_bomb_takes_little_memory(tmp_path: Path, make: Callable[[int], bytes], *, inputs_only: bool) -> None:
    content = make(500)
    assert len(content) < 600_000
    peak, answer = peak_memory(request(tmp_path, content, UploadFormat.NPZ, inputs_only=inputs_only))
    assert 0 < peak < MEMORY
    # by its true header the bomb is refused; by a lying one no more is unpacked than it claims
    assert ("unpacks_too_large" in answer) is not inputs_only


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
@pytest.mark.parametrize(("make", "kind"), [(header_bomb, UploadFormat.NPZ), (many_arrays, UploadFormat.SAFETENSORS)])
def test_a_header_is_not_read_before_its_length(tmp_path: Path, make: Callable[[], bytes], kind: UploadFormat) -> None:
    peak, answer = peak_memory(request(tmp_path, make(), kind, inputs_only=True))
    assert 0 < peak < MEMORY
    assert "lies_about_size" in answer


def test_labels_are_unpacked_a_few_at_a_time(tmp_path: Path) -> None:
    content = label_bomb()
    assert len(content) < 6_000
    with pytest.raises(UploadRefusedError) as refused:
        child.read_upload(request(tmp_path, content, UploadFormat.PARQUET))
    assert refused.value.refusal.code == "label_too_long"  # and not that its reader ran out of memory


def test_a_reader_that_dies_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(tmp_path, npz(inputs=np.zeros((3, 1)), targets=np.zeros(3)), UploadFormat.NPZ)
    assert isinstance(child.read_upload(asked)[0], SampleFacts)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))  # a process that ends at once, without an answer
    with pytest.raises(UploadRefusedError) as refused:
        child.read_upload(asked)
    assert refused.value.refusal.code == "unreadable"


def test_a_reader_that_hangs_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "LONGEST_S", 0.001)
    with pytest.raises(UploadRefusedError) as refused:
        child.read_upload(request(tmp_path, npz(inputs=np.zeros((3, 1)), targets=np.zeros(3)), UploadFormat.NPZ))
    assert refused.value.refusal.code == "took_too_long"


def test_a_reader_that_takes_its_time_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = tmp_path / "sitecustomize.py"
    endless.write_text(
        "from resource import *\nsetrlimit(RLIMIT_CPU, (1, getrlimit(RLIMIT_CPU)[1]))\nwhile True:\n    pass\n"
    )
    monkeypatch.setattr(child, "environment_of_a_child", lambda: {**os.environ, "PYTHONPATH": str(tmp_path)})
    with pytest.raises(UploadRefusedError) as refused:
        child.read_upload(request(tmp_path, npz(inputs=np.zeros((3, 1)), targets=np.zeros(3)), UploadFormat.NPZ))
    assert refused.value.refusal.code == "took_too_long"
    assert f"{CPU_S} s of processor time" in refused.value.refusal.detail


def test_a_table_that_takes_its_reader_down_is_a_refusal(tmp_path: Path) -> None:
    """The library that reads Parquet aborts on a name with a null character."""
    with pytest.raises(UploadRefusedError) as refused:
        child.read_upload(request(tmp_path, parquet({"a\x00": [1.0], "y": [1]}), UploadFormat.PARQUET))
    assert refused.value.refusal.code == "unreadable"


def test_parquet_of_a_type_that_cannot_be_read_is_refused_in_words(tmp_path: Path) -> None:
    prices = pa.array([Decimal("1.5"), Decimal("2.5")]).dictionary_encode()
    with pytest.raises(UploadRefusedError, match="malformed: is damaged, or has a column of a type that cannot be"):
        read(request(tmp_path, parquet({"a": prices, "y": [1, 2]}), UploadFormat.PARQUET))


@pytest.mark.parametrize("claimed", [b"\xb4\x01", b"\xdc\x01"])  # 90 and 110, as the footer writes them
def test_what_a_footer_claims_of_its_rows_changes_no_number(tmp_path: Path, claimed: bytes) -> None:
    honest = parquet({"a": np.arange(100.0), "y": np.arange(100) % 2}, compression="none")
    lying = honest.replace(b"\x16\xc8\x01", b"\x16" + claimed)
    assert lying != honest
    try:
        answer = read(request(tmp_path, lying, UploadFormat.PARQUET))
    except UploadRefusedError as refused:
        assert refused.refusal.code == "malformed"  # noqa: PT017 - either will do
        return
    rows = safetensors.numpy.load_file(tmp_path / "canonical")["inputs"][:, 0]
    assert isinstance(answer.facts, SampleFacts)
    assert np.array_equal(rows, np.arange(float(answer.facts.samples)))


def test_memory_of_the_child_is_bounded_by_the_system() -> None:
    reader = "service.datasets.uploads.__main__"
    bounds = f"from {reader} import *\nbound(ADDRESS_SPACE, CPU_S, FILE_BYTES)"
    code = f"{bounds}\nblock = bytearray({child_process.ADDRESS_SPACE})\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, cwd=Path.cwd())
    assert b"MemoryError" in done.stderr


def test_the_service_does_not_load_the_readers() -> None:
    readers = {"arro3.io", "service.datasets.uploads.parquet"}
    code = f"import sys, service.api.main; sys.exit(bool({readers!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a;b;y\n1;2;0\n", ("semicolons", "commas")),
        (b"a\tb\ty\n1\t2\t0\n", ("tabs", "commas")),
        ("a,b\n1,2\n٣,4\n".encode(), ("line 3, column 1", "digits 0 to 9")),
        (b"x,y\n1," + b"a" * 201 + b"\n2,b\n", ("a label", "200 characters")),
        (b"y\n1\n2\n", ("no column is left for the inputs", "`inputs_only`")),
    ],
)
def test_a_refusal_names_the_likely_cause(tmp_path: Path, content: bytes, words: tuple[str, ...]) -> None:
    with pytest.raises(UploadRefusedError) as refused:
        read(request(tmp_path, content, UploadFormat.CSV))
    assert all(word in refused.value.refusal.detail for word in words), refused.value.refusal.detail


def test_a_chosen_column_that_is_missed_for_its_separator(tmp_path: Path) -> None:
    with pytest.raises(UploadRefusedError) as refused:
        read(request(tmp_path, b"a;b;y\n1;2;0\n", UploadFormat.CSV, targets=("y",)))
    assert (refused.value.refusal.code, refused.value.refusal.parameter) == ("wrong_separator", None)


@pytest.mark.parametrize("content", [b"abc", b"a,b\n1,2\n3,4\n", safetensors_file({"a": tensor([9], 0, 72)}, bytes(8))])
def test_no_safetensors_file_and_one_cut_off_are_called_so(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UploadRefusedError, match="lies_about_size: is no safetensors file, or "):
        read(request(tmp_path, content, UploadFormat.SAFETENSORS))


def test_labels_and_names_may_be_in_any_script(tmp_path: Path) -> None:
    content = "länge,größe\tcm,art\n1,2,Ähre\n3,4,稲\n5,6,x\ty\n".encode()
    facts = read(request(tmp_path, content, UploadFormat.CSV)).facts
    assert isinstance(facts, SampleFacts)
    assert facts.columns == ["länge", "größe\tcm"]
    assert facts.class_names == ["x\ty", "Ähre", "稲"]
