"""Headers that choose, and parameters on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from service.api.forms import parameters
from service.api.negotiate import accepted, etag_of, matches, wait_of
from service.contract.train.results import METADATA_KEY, ParametersMetadata
from service.contract.values.strict_json import decode
from tests.support.api import STANDARDISATION

if TYPE_CHECKING:
    from collections.abc import Mapping

OFFERS = ("application/json", "application/x-npz")


@pytest.mark.parametrize(
    ("header", "ranked"),
    [
        ("", [0, 1]),
        ("*/*", [0, 1]),
        ("application/x-npz", [1]),
        ("application/json;q=0.1, */*", [1, 0]),
        ("application/json;q=0, */*", [1]),
        ("application/x-npz; q=0.4, application/json; q=0.4", [0, 1]),
        ("text/*", []),
        ("application/json;q=nan", []),
        ("nonsense;;q=,", []),
    ],
)
def test_accepted(header: str, ranked: list[int]) -> None:
    assert [offer for offer, _ in accepted(header, OFFERS)] == [OFFERS[index] for index in ranked]


@given(st.text(), st.text())
def test_no_header_is_a_fault(accept: str, prefer: str) -> None:
    accepted(accept, OFFERS)
    assert 0 <= wait_of(prefer, 30) <= 30


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [(None, 0), ("wait=5", 5), ("wait=99", 30), ("respond-async, WAIT = 7", 7), ('wait="3"; x=1', 3), ("wait=-1", 0)],
)
def test_wait(prefer: str | None, seconds: int) -> None:
    assert wait_of(prefer, 30) == seconds


@given(st.integers(0), st.integers(0))
def test_matches(revision: int, other: int) -> None:
    tag = etag_of(revision)
    assert matches(f"{etag_of(other)}, W/{tag}", tag)
    assert matches(etag_of(other), tag) == (other == revision)
    assert not matches(None, tag)


def file_of(basis: Mapping[str, Any], coefficients: Any) -> bytes:
    metadata = ParametersMetadata.model_validate(
        {"model": "continuum", "input_dim": 1, "state_dim": 1, "standardisation": STANDARDISATION, "basis": basis}
    )
    arrays = {"K": coefficients[:, None, None], "b": coefficients[:, None], "W": np.ones((1, 1)), "c": np.ones(1)}
    return safetensors.numpy.save(arrays, {METADATA_KEY: metadata.model_dump_json()})


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=12), st.integers(2, 40))
def test_piecewise_linear_values_interpolate_the_nodes(nodes: list[float], grid: int) -> None:
    content = file_of({"family": "piecewise_linear", "cells": len(nodes) - 1}, np.array(nodes))
    found = parameters.read(content, grid).grid
    expected = np.interp(found["t"], np.linspace(0, 1, len(nodes)), nodes)
    assert np.allclose(found["b"][:, 0], expected, atol=1e-12)
    assert np.allclose(found["K"][:, 0, 0], expected, atol=1e-12)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=12), st.integers(2, 40))
def test_legendre_values_are_the_polynomials(coefficients: list[float], grid: int) -> None:
    content = file_of({"family": "legendre", "degree": len(coefficients) - 1}, np.array(coefficients))
    found = parameters.read(content, grid).grid
    expected = np.polynomial.Legendre(coefficients, domain=[0, 1])(found["t"])
    assert np.allclose(found["b"][:, 0], expected, atol=1e-11)


def test_numbers_that_are_not_finite_are_spelt() -> None:
    content = file_of({"family": "legendre", "degree": 2}, np.array([np.nan, np.inf, -np.inf]))
    found = decode(parameters.read(content).to_json())
    assert found["coefficients"]["b"] == [["NaN"], ["Infinity"], ["-Infinity"]]
