"""Plain values as bytes and back, to the last bit."""

from __future__ import annotations

import math

import pytest
import torch

from worker.execution.flat_values import flattened, restored


def whole(value: object) -> bytes:
    return b"".join(flattened(value))


def test_a_value_comes_back_to_the_last_bit() -> None:
    rows = torch.arange(12, dtype=torch.float64).reshape(3, 4)
    value = {
        "numbers": [None, True, -3, 0.1, math.inf, 2**80, "é\n"],
        "view": rows.T[1:],
        "row": rows[1],
        "none": torch.empty(0, 4, dtype=torch.float32),
        "one": torch.tensor(math.nan),
        "whole": [{"of": torch.tensor([[1, 2]])}, torch.tensor([True, False])],
    }
    back = restored(whole(value))
    assert back["numbers"] == value["numbers"]
    for found, wanted in (
        (back["view"], rows.T[1:]),
        (back["row"], rows[1]),
        (back["none"], value["none"]),
        (back["one"], value["one"]),
        (back["whole"][0]["of"], torch.tensor([[1, 2]])),
        (back["whole"][1], torch.tensor([True, False])),
    ):
        torch.testing.assert_close(found, wanted, rtol=0.0, atol=0.0, equal_nan=True)


def test_what_becomes_of_a_tensor_later_changes_nothing() -> None:
    rows = torch.zeros(2, 3)
    pieces = flattened([rows, rows[0]])
    rows += 1.0
    assert all(not tensor.any() for tensor in restored(b"".join(pieces)))


def test_a_part_of_a_tensor_takes_no_more_than_its_own_bytes() -> None:
    rows = torch.zeros(1000, 8, dtype=torch.float64)
    assert len(whole(rows[:2])) < 2 * 8 * 8 + 100


def test_what_comes_back_can_be_changed() -> None:
    back = restored(whole(torch.zeros(3)))
    back += 1.0
    assert back.sum() == 3.0


@pytest.mark.parametrize("content", [b"", b"{", whole(torch.zeros(9))[:-1]], ids=["nothing", "no JSON", "cut"])
def test_what_is_torn_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's or NumPy's own words
        restored(content)
