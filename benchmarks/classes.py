"""The class of synthetic depth sequences beside the true one, and how often 95 % intervals hold the true exponents.

Run from the project's root:  .venv/bin/python -m benchmarks.classes [count [seed]]
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable

from benchmarks.sequence_families import FAMILIES, cases
from deeplimit.mathematics.diagnostics.sequence.classification import Classification, classify
from deeplimit.mathematics.diagnostics.sequence.sequence_class import SequenceClass

CLASSES = tuple(SequenceClass)


def confusion(found: Iterable[tuple[str, Classification]]) -> dict[str, Counter[SequenceClass]]:
    """Return, by family, how many sequences were given which class."""
    table: dict[str, Counter[SequenceClass]] = defaultdict(Counter)
    for name, classification in found:
        table[name][classification.sequence_class] += 1
    return table


def coverage(found: Iterable[tuple[str, Classification]]) -> dict[str, tuple[int, int, int]]:
    """Return, by evidence, how many intervals held the known exponent, how many were given, how many were withheld."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, classification in found:
        rows = {row.name: row for row in classification.evidence}
        for evidence, exponent in FAMILIES[name].exponents.items():
            row = rows.get(evidence)
            if row is None or row.interval is None:
                counts[evidence][2] += 1
            else:
                counts[evidence][0] += row.interval[0] <= exponent <= row.interval[1]
                counts[evidence][1] += 1
    return {evidence: (held, given, withheld) for evidence, (held, given, withheld) in counts.items()}


def main(count: int = 200, seed: int = 0) -> None:
    """Print both tables."""
    found = [(name, classify(networks)) for name, networks in cases(count, seed)]
    print(f"{'':26}{''.join(f'{each.value:>18}' for each in CLASSES)}")
    wrong = undecided = 0
    for name, given in confusion(found).items():
        truth = FAMILIES[name].truth
        cells = (f"{given[each] or '·'}{'*' if each is truth else ' '}" for each in CLASSES)
        print(f"{name:26}{''.join(f'{cell:>18}' for cell in cells)}")
        undecided += given[SequenceClass.UNDECIDED]
        wrong += sum(number for each, number in given.items() if each not in {truth, SequenceClass.UNDECIDED})
    print(f"{len(found)} sequences (* the true class): {wrong} of a wrong class, {undecided} undecided\n")
    for evidence, (held, told, withheld) in coverage(found).items():
        print(f"{evidence:24} {held:4d} of {told:4d} intervals hold the exponent, {withheld} withheld")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
