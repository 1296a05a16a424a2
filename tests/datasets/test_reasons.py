"""Refusals name the true cause, the column by its name, all columns at once, and the parameter that is at fault."""

from __future__ import annotations

import gzip
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.contract.data.dataset import UploadFormat
from tests.datasets.reading import facts_of, refusals_of
from tests.support.uploads import X, Y, npz, parquet, safetensors_file, tensor

if TYPE_CHECKING:
    from pathlib import Path

CSV, NPZ, PARQUET, SAFETENSORS = UploadFormat.CSV, UploadFormat.NPZ, UploadFormat.PARQUET, UploadFormat.SAFETENSORS


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a b y\n1 2 0\n3 4 1\n", ("spaces", "commas")),
        ("1.5 2  0\n3 4 1\n", ("spaces", "commas")),
        ('"a" "b"\n"1" 1 2\n"2" 3 4\n', ("spaces", "commas")),
        ('"a"\t"b"\n"1"\t2\n', ("tabs", "commas")),
        ("# made by lab\na,b,y\n1,2,0\n3,4,1\n", ("line 1", "comment")),
        ("a,b,y\n1,2,0\n% half time\n3,4,1\n", ("line 3", "comment")),
        ("Flowers of 2001\na,b,y\n1,2,0\n3,4,1\n", ("line 1 has 1 cell,", "most lines have 3")),
        ("a,b,y\n1,2,0\n3,4\n5,6,1\n", ("line 3 has 2 cells", "most lines have 3")),
        ("a,b,y\nr1,1,2,0\nr2,3,4,1\nr3,5,6,1\n", ("line 1 has 3 cells", "names its row")),
        (",a,b,y\n0,1,2,0\n1,3,4,1\n", ("column 1 has no name", "index=False")),
        ('"","a","y"\n"Mazda",1,2\n"Datsun",3,4\n', ("column 1 has no name", "names of its rows")),
        (",0,1,2\n0,0.5,0.25,1\n1,0.75,0.125,0\n", ("column 1 has no name", "index=False")),
        ("Unnamed: 0,a,y\n0,1,0\n1,3,1\n", ("column 1 has no name", "index=False")),
        ("a,b,y,\n1,2,0,\n3,4,1,\n", ("column 4 has no name", "comma at the end")),
        ("a,b,y\n1,2,0,\n3,4,1,\n", ("line 1 has 3 cells", "comma at the end")),
        ("[[1, 2], [3, 4]]", ("JSON", "not CSV")),
        ('a,b,y\n"1,5",2,0\n', ("line 2, column 1 ('a')", "decimal comma")),
        ("a,b,y\n1,1 000,0\n", ("line 2, column 2 ('b')", "spaces between its digits")),
        ('a,b,y\n1,"1,000,000",0\n', ("line 2, column 2 ('b')", "commas between its digits")),
        ("a,b,y\n1,50%,0\n", ("line 2, column 2 ('b')", "ends in %")),
        ("a,b,y\n1,\u00a02,0\n", ("line 2, column 2 ('b')", "none of ASCII's")),
        ('a,b,y\n1,"2" x,0\n', ("line 2", "closing double quote")),
        ('a,b,y\n1,"2,0\n', ("never closed",)),
        ("sep=,\na,b,y\n1,2,0\n3,4,1\n", ("line 1", "sep=", "leave it out")),
        ("sep=,\na,y\n1,0\n3,1\n", ("line 1", "sep=", "leave it out")),
        ('{"inputs": [[1, 2]]}', ("JSON", "not CSV")),
        ("<!DOCTYPE html>\n<html>", ("web page", "not CSV")),
    ],
)
def test_a_csv_that_is_none_is_told_why(tmp_path: Path, content: str, words: tuple[str, ...]) -> None:
    (refusal,) = refusals_of(tmp_path, content.encode())
    assert all(word in refusal.detail for word in words), refusal.detail
    assert refusal.parameter is None


def test_a_name_with_a_space_is_no_separator(tmp_path: Path) -> None:
    assert refusals_of(tmp_path, b"sepal length\n1\n2\n")[0].code == "no_inputs"
    assert facts_of(tmp_path, b"sepal length\n1\n2\n", inputs_only=True).columns == ["sepal length"]
    assert facts_of(tmp_path, b"# sepal,y\n1,0\n2,1\n").columns == ["# sepal"]


def test_an_unnamed_column_may_be_left_out_by_name(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, b",a,b,y\nr1,1,2,0\nr2,3,4,1\n", inputs=("a", "b"))
    assert (facts.columns, facts.samples) == (["a", "b"], 2)
    refused = refusals_of(tmp_path, b"Unnamed: 0.1,,a,Unnamed: 3,y\n0,1,2,3,0\n1,2,3,4,1\n")
    assert [refusal.detail.split(" has ")[0] for refusal in refused] == ["column 1", "column 2", "column 4"]
    table = parquet({"Unnamed: 0": [0, 1], "a": [1.0, 2], "y": [0, 1]})
    (refusal,) = refusals_of(tmp_path, table, PARQUET)
    assert (refusal.code, "header" in refusal.detail) == ("unnamed_column", False)
    assert facts_of(tmp_path, table, PARQUET, inputs=("Unnamed: 0", "a")).columns == ["Unnamed: 0", "a"]


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (gzip.compress(b"a,b\n1,2\n", mtime=0), CSV, "gzip"),
        ("a,b\n1,2\n".encode("utf-16"), CSV, "is in UTF-16"),
        (npz(X=X, y=Y), CSV, "is a zip file"),
        (parquet({"a": [1.0]}), CSV, "is a Parquet file, not CSV"),
        (gzip.compress(npz(X=X, y=Y), mtime=0), NPZ, "gzip"),
        (parquet({"a": [1.0]}), NPZ, "is a Parquet file, not NPZ"),
        (b"\x93NUMPY\x01\x00", NPZ, "a single NumPy array"),
        (b"\x89HDF\r\n", NPZ, "HDF5"),
        (gzip.compress(b"PAR1", mtime=0), PARQUET, "gzip"),
        (npz(a=np.zeros(1)), PARQUET, "is a zip file"),
        (gzip.compress(safetensors_file({"a": tensor([1], 0, 8)}, bytes(8)), mtime=0), SAFETENSORS, "gzip"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name(
    tmp_path: Path, content: bytes, kind: UploadFormat, words: str
) -> None:
    (refusal,) = refusals_of(tmp_path, content, kind)
    assert words in refusal.detail


def test_a_safetensors_file_whose_length_looks_like_gzip_is_one(tmp_path: Path) -> None:
    header = json.dumps({"X": tensor([3, 2], 0, 48), "y": tensor([3], 48, 72, "I64")}).encode()
    content = safetensors_file(header.ljust(0x088B1F), X.tobytes() + Y.astype(np.int64).tobytes())
    assert content.startswith(b"\x1f\x8b\x08")
    assert facts_of(tmp_path, content, SAFETENSORS).samples == 3


def test_every_wrong_column_is_named_at_once(tmp_path: Path) -> None:
    content = b"a,city,b,sex,y\n1,Rome,2,m,0\n2,Oslo,3,f,1\n"
    table = parquet({"a": [1.0, 2], "city": ["Rome", "Oslo"], "b": [2.0, 3], "sex": ["m", "f"], "y": [0, 1]})
    for upload, kind in ((content, CSV), (table, PARQUET)):
        first, second = refusals_of(tmp_path, upload, kind)
        assert ("column city holds text: Oslo, Rome (2" in first.detail, "column sex" in second.detail) == (True, True)
        assert (first.parameter, second.parameter) == (None, None)
        assert facts_of(tmp_path, upload, kind, inputs=("a", "b")).columns == ["a", "b"]
        first, second = refusals_of(tmp_path, upload, kind, inputs=("a", "town", "country"), targets=("z",))
        assert (first.parameter, second.parameter) == ("targets", "inputs")
        assert all(name in second.detail for name in ("'town'", "'country'", "'city'"))
    first, second = refusals_of(tmp_path, npz(a=X), NPZ, inputs=("b",), targets=("c",))
    assert (first.parameter, second.parameter) == ("inputs", "targets")
    assert ("'b'" in first.detail, "it has 'a'" in first.detail) == (True, True)


def test_columns_without_names_are_asked_for_by_position(tmp_path: Path) -> None:
    (refusal,) = refusals_of(tmp_path, b"1,2,3\n4,5,6\n", targets=("y",))
    assert "without a header they go by 0 to 2" in refusal.detail
    (refusal,) = refusals_of(tmp_path, b"a,b,y\n1,2,0\n", targets=("y",), inputs=("a", "y"))
    assert (refusal.code, refusal.parameter, "'y'" in refusal.detail) == ("column_twice", "inputs", True)


def test_names_are_shown_short_and_without_control_characters(tmp_path: Path) -> None:
    long, bad = "n" * 300, "\x1b[31mz"
    first, second = refusals_of(tmp_path, f"{long},y\nx,0\n".encode(), targets=(bad,), inputs=("q",))
    assert ("\x1b" in first.detail, long in first.detail, "?[31mz" in first.detail) == (False, False, True)
    assert second.parameter == "inputs"


def test_an_infinite_number_is_shown_where_it_is(tmp_path: Path) -> None:
    assert "line 3, column 2 ('b')" in refusals_of(tmp_path, b"a,b,y\n1,2,0\n1,-inf,0\n")[0].detail
    table = parquet({"a": [1.0, 2], "b": [2.0, float("inf")], "y": [0, 1]})
    assert "row 2, column 2 ('b')" in refusals_of(tmp_path, table, PARQUET)[0].detail
    (refusal,) = refusals_of(tmp_path, npz(X=np.where(X.max() == X, np.inf, X), y=Y), NPZ)
    assert (refusal.code, "row 3, column 2 of 'X'" in refusal.detail) == ("not_finite", True)
    first, second = refusals_of(tmp_path, b"a,b,y\n1,2,0\n1e200,3,0\n1,-1e300,1")
    assert (first.code, "line 3, column 1 ('a') is over" in first.detail) == ("too_large", True)
    assert "line 4, column 2 ('b') is over" in second.detail
    (refusal,) = refusals_of(tmp_path, b"a,y\n1,0.5\n2,1e200\n")
    assert "line 3, column 2 ('y') is over" in refusal.detail


def test_missing_values_are_told_beside_what_is_no_number(tmp_path: Path) -> None:
    first, *others = refusals_of(tmp_path, b"a,b,y\nz,,1\n1,2,\n,3,0\n")
    assert (first.code, "column 1 ('a')" in first.detail) == ("not_a_number", True)
    assert [(refusal.code, refusal.detail[:14]) for refusal in others] == [
        ("missing_value", "column 2 ('b')"),
        ("missing_value", "column 3 ('y')"),
    ]
    (refusal,) = refusals_of(tmp_path, b"a,b,y\nz,,1\n1,2,\n,3,0\n", missing="drop")
    assert refusal.code == "not_a_number"


def test_a_missing_value_is_no_label_beside_measurements(tmp_path: Path) -> None:
    content = b"a,y\n1,0.5\n2,\n3,1.5\n4,2.5\n"
    (refusal,) = refusals_of(tmp_path, content, missing="label")
    assert (refusal.code, refusal.parameter) == ("missing_value", "missing")
    assert all(words in refusal.detail for words in ("line 3, column 2 ('y')", "missing=drop"))
    assert facts_of(tmp_path, content, missing="drop").samples == 3


def test_an_index_and_an_unknown_column_are_told_at_once(tmp_path: Path) -> None:
    stream = io.BytesIO()
    table = pa.table({"a": [1.0, 2.0], "y": [0, 1], "id": [7, 8]})
    note = json.dumps({"index_columns": ["id"]})
    pq.write_table(table.replace_schema_metadata({"pandas": note}), stream)
    first, second = refusals_of(tmp_path, stream.getvalue(), PARQUET, targets=("id",), inputs=("foo",))
    assert (first.parameter, "reset_index" in first.detail) == ("targets", True)
    assert (second.parameter, "'foo'" in second.detail) == ("inputs", True)
    (refusal,) = refusals_of(tmp_path, stream.getvalue(), PARQUET, targets=("id",), inputs=("a",))
    assert refusal.parameter == "targets"


def test_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    lines = [f"{row},{row / 7},oak" for row in range(5000)]
    content = "\n".join(["a,b,art", *lines, "1,2,Föhre"])
    (refusal,) = refusals_of(tmp_path, content.encode("latin-1"))
    assert (refusal.code, "line 5002 is not in UTF-8; save" in refusal.detail) == ("wrong_encoding", True)
    assert facts_of(tmp_path, content.encode()).samples == 5001
    for encoding in ("utf-16-le", "utf-16-be"):
        (refusal,) = refusals_of(tmp_path, content.encode(encoding))
        assert (refusal.code, "UTF-16" in refusal.detail) == ("wrong_encoding", True)


def test_a_type_that_numpy_does_not_have_is_named(tmp_path: Path) -> None:
    header = json.dumps({"X": tensor([3, 2], 0, 6, "F8_E4M3"), "y": tensor([3], 6, 30, "I64")}).encode()
    content = safetensors_file(header, bytes(6) + Y.astype(np.int64).tobytes())
    (refusal,) = refusals_of(tmp_path, content, SAFETENSORS)
    assert (refusal.code, "'X' is of the type F8_E4M3" in refusal.detail) == ("wrong_dtype", True)
