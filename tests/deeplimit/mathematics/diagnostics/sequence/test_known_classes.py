"""Synthetic sequences of every kind, on ladders of three to six depths: undecided at worst."""

import pytest

from benchmarks.classes import confusion, coverage
from benchmarks.sequence_families import FAMILIES, cases
from deeplimit.mathematics.diagnostics.sequence.classification import Classification, classify
from deeplimit.mathematics.diagnostics.sequence.sequence_class import SequenceClass

ROUNDS = 4


@pytest.fixture(scope="module")
def found() -> list[tuple[str, Classification]]:
    return [(name, classify(networks)) for name, networks in cases(ROUNDS * len(FAMILIES), seed=7)]


def test_no_sequence_is_given_a_wrong_class(found: list[tuple[str, Classification]]) -> None:
    table = confusion(found)
    assert set(table) == set(FAMILIES)
    for name, given in table.items():
        assert given.total() == ROUNDS
        assert set(given) <= {FAMILIES[name].truth, SequenceClass.UNDECIDED}, name


def test_most_sequences_are_given_a_class(found: list[tuple[str, Classification]]) -> None:
    """A classification that leaves everything open would be wrong about nothing."""
    table = confusion(found)
    assert sum(given[SequenceClass.UNDECIDED] for given in table.values()) < 0.5 * len(found)
    for name in ("smooth", "constants that converge", "equal constants", "Brownian", "one jump", "one layer off"):
        assert table[name][FAMILIES[name].truth] >= ROUNDS - 1, name


def test_intervals_hold_the_known_exponents(found: list[tuple[str, Classification]]) -> None:
    for evidence, (held, given, withheld) in coverage(found).items():
        assert held >= 0.9 * given, evidence
        assert withheld <= 0.5 * given, evidence
