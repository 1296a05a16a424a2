"""Public tables, read in every format, against NumPy's own reading of the same text: counts, names and moments."""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors.numpy

from service.contract.data.dataset import UploadFormat
from service.contract.data.sources import InlineData
from service.contract.train.request import Loss
from service.contract.train.samples import sizes_for
from tests.datasets.reading import arrays_of, facts_of
from tests.support.uploads import npz, parquet

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SPECIES = ("setosa", "versicolor", "virginica")


@dataclass(frozen=True)
class PublicTable:
    """A table as text: its header or none, cells by row, and the last columns that are targets."""

    rows: list[list[str]]
    header: list[str] | None = None
    targets: int = 1

    @property
    def csv(self) -> bytes:
        rows = self.rows if self.header is None else [self.header, *self.rows]
        return "\n".join(map(",".join, rows)).encode()

    @property
    def text(self) -> NDArray[Any]:
        return np.loadtxt(self.csv.decode().splitlines(), str, delimiter=",", skiprows=int(self.header is not None))

    @property
    def inputs(self) -> NDArray[np.float64]:
        return self.text[:, : -self.targets].astype(np.float64)

    @property
    def outputs(self) -> NDArray[Any]:
        """Targets of the type that their text has: integers, numbers or labels."""
        cells = self.text[:, -self.targets :]
        for kind in (np.int64, np.float64):
            try:
                return cells.astype(kind)
            except ValueError:
                continue
        return cells

    @property
    def chosen(self) -> tuple[str, ...]:
        names = self.header or [str(place) for place in range(len(self.rows[0]))]
        return tuple(names[-self.targets :])


def cells_of(name: str, separator: str | None = ",", skip: int = 1) -> list[list[str]]:
    """Read a file that scikit-learn brings, as cells; what it puts above the rows is left out."""
    content = (resources.files("sklearn.datasets.data") / name).read_bytes()
    text = gzip.decompress(content) if name.endswith(".gz") else content
    return [line.split(separator) for line in text.decode().splitlines()[skip:] if line.strip()]


def tables() -> dict[str, PublicTable]:
    iris, digits = cells_of("iris.csv"), cells_of("digits.csv.gz", skip=0)
    diabetes, progression = cells_of("diabetes_data_raw.csv.gz", None, 0), cells_of("diabetes_target.csv.gz", None, 0)
    exercise = cells_of("linnerud_exercise.csv", None)
    physiology = cells_of("linnerud_physiological.csv", None)
    cancer = cells_of("breast_cancer.csv")
    pixels = [str(place) for place in range(64)]
    return {
        "iris": PublicTable(iris),
        "iris by species": PublicTable(
            [[*row[:-1], SPECIES[int(row[-1])]] for row in iris],
            ["sepal length", "sepal width", "petal length", "petal width", "species"],
        ),
        "wine": PublicTable(cells_of("wine_data.csv")),
        "breast cancer": PublicTable(cancer),
        "breast cancer as a numbered data frame": PublicTable(cancer, [str(place) for place in range(31)]),
        "digits": PublicTable(digits),
        "digits with numbered pixels": PublicTable(digits, [*pixels, "digit"]),
        "diabetes": PublicTable(
            [[*row, *last] for row, last in zip(diabetes, progression, strict=True)],
            ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6", "progression"],
        ),
        "linnerud": PublicTable(
            [[*row, *last] for row, last in zip(exercise, physiology, strict=True)],
            ["chins", "situps", "jumps", "weight", "waist", "pulse"],
            3,
        ),
    }


TABLES = tables()


@pytest.mark.parametrize("name", TABLES)
def test_a_public_table_is_what_numpy_reads(tmp_path: Path, name: str) -> None:
    table = TABLES[name]
    inputs, outputs = table.inputs, table.outputs
    labels = outputs.dtype.kind == "U"
    single = outputs[:, 0] if table.targets == 1 else outputs
    names = table.header or [str(place) for place in range(inputs.shape[1] + table.targets)]
    columns = dict(zip(names, [*inputs.T, *outputs.T], strict=True))
    uploads = [
        (table.csv, UploadFormat.CSV, table.chosen, table.header),
        (parquet(columns), UploadFormat.PARQUET, table.chosen, names),
        (npz(X=inputs, y=single), UploadFormat.NPZ, (), None),
    ]
    if not labels:
        tensors = {"X": inputs, "y": np.ascontiguousarray(single)}
        uploads.append((safetensors.numpy.save(tensors), UploadFormat.SAFETENSORS, (), None))
    classes = sorted(Counter(single.tolist()).items()) if table.targets == 1 and outputs.dtype.kind in "iU" else None
    for content, kind, targets, header in uploads:
        facts = facts_of(tmp_path, content, kind, targets=targets)
        arrays = arrays_of(tmp_path)
        assert (facts.samples, facts.features, facts.outputs) == (*inputs.shape, table.targets)
        assert facts.columns == (None if header is None else header[: inputs.shape[1]])
        assert facts.dropped_rows == 0
        assert np.array_equal(arrays["inputs"], inputs)
        assert np.array_equal(arrays["inputs"].mean(axis=0), inputs.mean(axis=0))
        assert facts.integers is (classes is not None)
        if labels:
            assert facts.class_names == [label for label, _ in classes or ()]
            assert [facts.class_names[int(place)] for place in arrays["targets"]] == single.tolist()
        else:
            assert np.array_equal(arrays["targets"], single)
        if classes is not None:
            assert facts.class_counts == [count for _, count in classes]


@pytest.mark.parametrize("name", [name for name in TABLES if TABLES[name].outputs.dtype.kind != "U"])
def test_a_public_table_in_a_body_is_that_of_an_upload(tmp_path: Path, name: str) -> None:
    table = TABLES[name]
    outputs = table.outputs
    facts = facts_of(tmp_path, table.csv, targets=table.chosen)
    shapes = [outputs.tolist()] if table.targets > 1 else [outputs.tolist(), outputs[:, 0].tolist()]
    for targets in shapes:
        body = InlineData.model_validate({"source": "inline", "inputs": table.inputs.tolist(), "targets": targets})
        arrays = arrays_of(tmp_path)
        assert np.array_equal(np.reshape(body.inputs.values, body.inputs.shape), arrays["inputs"])
        assert np.array_equal(np.reshape(body.targets.values, body.targets.shape), arrays["targets"])
        for loss in Loss if facts.class_counts and len(facts.class_counts) == 2 else [Loss.SQUARED_ERROR]:
            if loss is Loss.LOGISTIC:
                continue  # a body takes -1 and 1, an upload its two classes as well
            assert sizes_for(loss, body, []) == sizes_for(loss, facts, [])
