"""What each format may hold beside the plain case, and that a table is the same data set in each of them."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from service.contract.data.dataset import UploadFormat
from tests.datasets.reading import arrays_of, facts_of, refusals_of
from tests.support.uploads import header_of, npy_header, npz, parquet, safetensors_file, tensor, zipped

if TYPE_CHECKING:
    from pathlib import Path

NPZ, PARQUET, SAFETENSORS = UploadFormat.NPZ, UploadFormat.PARQUET, UploadFormat.SAFETENSORS
LONG = "k__Bacteria;" + "p__Firmicutes;" * 20
X = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.5]])
Y = np.array([0, 1, 0])


def npy(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def data_frame(columns: dict[str, Any], index: list[Any], note: bytes | None = None) -> bytes:
    """A table as pandas writes it, with what it notes about the index."""
    noted = json.dumps({"index_columns": index}).encode() if note is None else note
    file = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata({b"pandas": noted}), file)
    return file.getvalue()


# Parquet --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", ["__index_level_0__", "sample"])
@pytest.mark.parametrize("values", [[7, 3, 5], ["r1", "r2", "r3"]])
@pytest.mark.parametrize("targets", [(), ("y",)])
def test_the_index_of_a_data_frame_is_no_column(
    tmp_path: Path, index: str, values: list[Any], targets: tuple[str, ...]
) -> None:
    columns = {"a": X[:, 0], "b": X[:, 1], "y": Y}
    for table in (columns | {index: values}, {index: values} | columns):
        facts = facts_of(tmp_path, data_frame(table, [index]), PARQUET, targets=targets)
        assert (facts.samples, facts.columns, facts.class_counts) == (3, ["a", "b"], [2, 1])
        assert np.array_equal(arrays_of(tmp_path)["inputs"], X)
    (refusal,) = refusals_of(tmp_path, data_frame(columns | {index: values}, [index]), PARQUET, inputs=(index,))
    assert (refusal.code, refusal.parameter, "index" in refusal.detail) == ("unknown_column", "inputs", True)


@pytest.mark.parametrize("note", [b"{", b"[]", b"{}", b'{"index_columns": 3}', b"[" * 100_000])
def test_a_note_about_the_index_that_is_none_does_not_matter(tmp_path: Path, note: bytes) -> None:
    columns = {"a": X[:, 0], "sample": X[:, 1], "y": Y}
    assert facts_of(tmp_path, data_frame(columns, [], note), PARQUET).columns == ["a", "sample"]
    ranged = [{"kind": "range", "start": 0, "stop": 3, "step": 1}]
    assert facts_of(tmp_path, data_frame(columns, ranged), PARQUET).columns == ["a", "sample"]


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (pa.array([Decimal("1.50"), Decimal("2.25"), Decimal("-3.10")]), [1.5, 2.25, -3.1]),
        (pa.array([Decimal(1), Decimal(2), Decimal(3)], pa.decimal256(50, 0)), [1, 2, 3]),
        (pa.array([True, False, True]), [1, 0, 1]),
        (pa.array([1, 2, 3], pa.uint8()), [1, 2, 3]),
        (pa.array(np.array([0.5, 1, 2], np.float16)), [0.5, 1, 2]),
        (pa.array([10, 20, 10]).dictionary_encode(), [10, 20, 10]),
        (pa.array([0.25, 0.5, 0.25]).dictionary_encode(), [0.25, 0.5, 0.25]),
    ],
)
def test_numbers_of_every_type_are_inputs(tmp_path: Path, values: pa.Array, numbers: list[float]) -> None:
    facts = facts_of(tmp_path, parquet({"a": values, "y": Y}), PARQUET)
    assert facts.columns == ["a"]
    assert arrays_of(tmp_path)["inputs"][:, 0].tolist() == numbers


@pytest.mark.parametrize(
    ("values", "integers", "names"),
    [
        (pa.array([Decimal(1), Decimal(0), Decimal(1)]), True, None),
        (pa.array([Decimal("1.5"), Decimal("0.5"), Decimal("1.5")]), False, None),
        (pa.array([True, False, True]), True, ["False", "True"]),
        (pa.array([1, 0, 1]).dictionary_encode(), True, None),
        (pa.array(["v", "u", "v"]).dictionary_encode(), True, ["u", "v"]),
    ],
)
def test_targets_of_every_type(tmp_path: Path, values: pa.Array, integers: bool, names: list[str] | None) -> None:
    facts = facts_of(tmp_path, parquet({"a": X[:, 0], "y": values}), PARQUET)
    assert (facts.integers, facts.class_names) == (integers, names)
    assert facts.class_counts == ([1, 2] if integers else None)


def test_decimals_are_the_nearest_floats_as_in_a_csv(tmp_path: Path) -> None:
    cents = np.random.default_rng(0).integers(-(10**9), 10**9, 2000)
    decimals = [Decimal(int(cent)).scaleb(-2) for cent in cents]
    csv = "\n".join(["a,y", *(f"{value},{place % 2}" for place, value in enumerate(decimals))]).encode()
    targets = np.arange(2000) % 2
    for kind in (pa.decimal128(12, 2), pa.decimal256(40, 2)):
        table = parquet({"a": pa.array(decimals, kind), "y": targets})
        assert facts_of(tmp_path, table, PARQUET) == facts_of(tmp_path, csv)
        expected = arrays_of(tmp_path)["inputs"]
        facts_of(tmp_path, table, PARQUET)
        assert np.array_equal(arrays_of(tmp_path)["inputs"], expected)


def test_columns_that_are_not_asked_for_do_not_matter(tmp_path: Path) -> None:
    columns = {
        "tags": [["x"], ["y", "z"], []],
        "place": [{"u": 1, "v": 2.0}] * 3,
        "a": X[:, 0],
        "when": pa.array([1, 2, 3], pa.timestamp("s")),
        "a.b": X[:, 1],
        "y": Y,
    }
    content = parquet(columns)
    facts_of(tmp_path, content, PARQUET, inputs=("a.b", "a"), targets=("y",))
    assert np.array_equal(arrays_of(tmp_path)["inputs"], X[:, ::-1])
    first, second, third = refusals_of(tmp_path, content, PARQUET)
    assert (first.code, "column tags " in first.detail, "nested lists" in first.detail) == ("wrong_dtype", True, True)
    assert ("column place " in second.detail, "nested records" in second.detail) == (True, True)
    assert ("column when " in third.detail, "dates or times" in third.detail) == (True, True)


# arrays ---------------------------------------------------------------------------------------------------------------


OTHERS = {
    "text": npy(np.array(["a", "b"])),
    "bytes": npy(np.array([b"a"])),
    "truth": npy(X > 1),
    "complex": npy(X.astype(complex)),
    "records": npy(np.zeros(2, [("u", "f8"), ("größe", "i4")])),
    "dates": npy(np.array(["2020-01-01"], "M8[D]")),
    "objects": npy_header(header_of("(1,)", "'|O'")) + b"no pickle",
    "longdouble": npy(np.zeros(2, np.longdouble)),
    "damaged": b"nothing",
    "deeplimit": npy_header(header_of("()", "'O'")),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("choice", [{}, {"inputs": ("X",), "targets": ("y",)}, {"inputs_only": True}])
def test_arrays_that_are_not_asked_for_do_not_matter(tmp_path: Path, other: str, choice: dict[str, Any]) -> None:
    content = zipped({f"{other}.npy": OTHERS[other], "X.npy": npy(X), "y.npy": npy(Y), "notes.txt": b"by the lab"})
    facts = facts_of(tmp_path, content, NPZ, **choice)
    assert (facts.samples, facts.features) == (3, 2)
    assert np.array_equal(arrays_of(tmp_path)["inputs"], X)
    if other not in {"truth", "text"}:  # asked for, it still does
        assert refusals_of(tmp_path, content, NPZ, inputs=("X",), targets=(other,))[0].code in {
            "wrong_dtype",
            "pickle_refused",
            "malformed",
        }


@pytest.mark.parametrize(("kind", "size"), [("BOOL", 1), ("F8_E4M3", 1), ("C64", 8)])
def test_tensors_that_are_not_asked_for_do_not_matter(tmp_path: Path, kind: str, size: int) -> None:
    """Those before and after one of another type are found where they lie."""
    header = {"a": tensor([3], 0, 3 * size, kind), "X": tensor([3, 2], 3 * size, 3 * size + 48)}
    header["y"] = tensor([3], 3 * size + 48, 3 * size + 72, "I64")
    content = safetensors_file(header, bytes(3 * size) + X.tobytes() + Y.astype(np.int64).tobytes())
    facts = facts_of(tmp_path, content, SAFETENSORS)
    assert facts.class_counts == [2, 1]
    assert np.array_equal(arrays_of(tmp_path)["inputs"], X)


def test_weights_with_other_arrays_beside_them(tmp_path: Path) -> None:
    content = npz(K=np.ones((4, 2, 2)), b=np.zeros((4, 2)), names=np.array(["x"]), mask=np.array([True]))
    with pytest.raises(AssertionError):  # weights, not samples
        facts_of(tmp_path, content, NPZ)
    assert arrays_of(tmp_path)["K"].shape == (4, 2, 2)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float64, np.bool_, np.str_])
def test_targets_in_one_column_are_targets_of_one_dimension(tmp_path: Path, dtype: type) -> None:
    flat, column = (npz(X=X, y=Y.astype(dtype).reshape(shape)) for shape in ((3,), (3, 1)))
    facts = facts_of(tmp_path, flat, NPZ)
    targets = arrays_of(tmp_path)["targets"]
    assert facts_of(tmp_path, column, NPZ) == facts
    assert arrays_of(tmp_path)["targets"].tolist() == targets.tolist() == [0, 1, 0]
    assert facts.integers is (dtype is not np.float64)
    if dtype is not np.str_:
        content = safetensors.numpy.save({"X": X, "y": Y.astype(dtype)[:, None]})
        assert facts_of(tmp_path, content, SAFETENSORS) == facts


def test_truth_values_are_inputs(tmp_path: Path) -> None:
    for content, kind in (
        (npz(X=X > 1, y=Y), NPZ),
        (safetensors.numpy.save({"X": X > 1, "y": Y}), SAFETENSORS),
        (b"a,b,y\nFalse,false,0\nTrue,true,1\nTRUE,true,0\n", UploadFormat.CSV),
        (parquet({"a": X[:, 0] > 1, "b": X[:, 1] > 1, "y": Y}), PARQUET),
    ):
        facts_of(tmp_path, content, kind)
        assert np.array_equal(arrays_of(tmp_path)["inputs"], X > 1)


# names ----------------------------------------------------------------------------------------------------------------


def test_long_names_that_differ_at_their_end_are_two(tmp_path: Path) -> None:
    names = [LONG + "A", LONG + "B"]
    csv = f"{','.join(names)},y\n1,2,0\n3,4,1\n".encode()
    swapped = f"{','.join(names[::-1])},y\n1,2,0\n3,4,1\n".encode()
    assert facts_of(tmp_path, csv).columns == names
    assert facts_of(tmp_path, swapped).columns == names[::-1]
    assert facts_of(tmp_path, csv, inputs=(names[1],), targets=("y",)).columns == [names[1]]
    table = parquet({names[0]: [1.0, 3], names[1]: [2.0, 4], "y": [0, 1]})
    assert facts_of(tmp_path, table, PARQUET).columns == names
    (refusal,) = refusals_of(tmp_path, f"{'n' * 1001},y\n1,0\n2,1\n".encode())
    assert (refusal.code, "1000 characters" in refusal.detail) == ("name_too_long", True)


def test_long_labels_are_refused_and_never_cut(tmp_path: Path) -> None:
    labels = ["x" * 500 + end for end in "AB"]
    for content, kind in (
        (f"a,y\n1,{labels[0]}\n2,{labels[1]}\n".encode(), UploadFormat.CSV),
        (parquet({"a": [1.0, 2.0], "y": labels}), PARQUET),
        (npz(X=X[:2], y=np.array(labels)), NPZ),
    ):
        assert refusals_of(tmp_path, content, kind)[0].code == "label_too_long"


def test_spaces_around_names_and_labels_do_not_count(tmp_path: Path) -> None:
    csv = b'a , b, "y, z"\n1, 2, "oak, old"\n3, 4, pine \n'
    facts = facts_of(tmp_path, csv, targets=(" y, z",), inputs=("b ",))
    assert (facts.columns, facts.class_names) == (["b"], ["oak, old", "pine"])
    table = parquet({"a ": [1.0, 3], " b": [2.0, 4], "y, z ": ["oak, old", "pine "]})
    assert facts_of(tmp_path, table, PARQUET, targets=("y, z",), inputs=("b",)) == facts


# one table in each format ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "targets", [[0, 1, 0], [0.5, 1.5, 2.5], ["oak", "pine", "oak"], [True, False, True], [-1, 1, -1]]
)
def test_a_table_is_the_same_data_set_in_every_format(tmp_path: Path, targets: list[Any]) -> None:
    csv = "\n".join(["a,b,y", *(f"{a},{b},{y}" for (a, b), y in zip(X.tolist(), targets, strict=True))]).encode()
    table = parquet({"a": X[:, 0], "b": X[:, 1], "y": targets})
    as_csv, as_parquet = facts_of(tmp_path, csv), facts_of(tmp_path, table, PARQUET)
    assert as_csv == as_parquet
    expected = arrays_of(tmp_path)
    as_npz = facts_of(tmp_path, npz(X=X, y=np.array(targets)), NPZ)
    assert as_npz == as_csv.model_copy(update={"columns": None, "target_columns": None})
    bare = csv.split(b"\n", 1)[1]
    assert facts_of(tmp_path, bare) == as_npz
    for name, array in arrays_of(tmp_path).items():
        assert np.array_equal(array, expected[name])
