"""Vectors of lanes in LLVM IR: what the fused loops compute with, a sample a lane.

Numba's own loops are vectorised only where LLVM can prove that no two arrays overlap, which it gives up on for the rows
of one buffer. Here each operation is a vector instruction to begin with, on any machine: LLVM splits a vector into as
many registers as it takes. No flag that lets LLVM reassociate is ever set, so that range reductions keep their
meaning; a product and a sum become one instruction where the machine has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from llvmlite import binding, ir
from numba.core import cgutils

FLOAT: Final = ir.DoubleType()
INTEGER: Final = ir.IntType(64)
WIDTH: Final = 8 if dict(binding.get_host_cpu_features()).get("avx512f") else 4
"""Lanes of a vector."""
PANEL: Final = 2 * WIDTH
"""Lanes that a tile of rows goes through at once: with fewer, its sums would wait for one another."""
VECTOR: Final = ir.VectorType(FLOAT, WIDTH)
INTEGERS: Final = ir.VectorType(INTEGER, WIDTH)
_INDEX: Final = ir.IntType(32)


@dataclass(frozen=True)
class Lanes:
    """A vector while its instructions are being written; every operator writes one."""

    builder: Any
    value: Any

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._with(self.builder.fadd(self.value, self._of(other)))

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._with(self.builder.fsub(self.value, self._of(other)))

    def __rsub__(self, other: float) -> Lanes:
        return self._with(self.builder.fsub(self._of(other), self.value))

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._with(self.builder.fmul(self.value, self._of(other)))

    def __truediv__(self, other: Lanes) -> Lanes:
        return self._with(self.builder.fdiv(self.value, other.value))

    def times_plus(self, factor: Lanes | float, term: Lanes | float) -> Lanes:
        """Return self · factor + term, rounded once where the machine can."""
        return self._call("llvm.fmuladd", self._of(factor), self._of(term))

    def polynomial(self, *coefficients: float) -> Lanes:
        """Return the polynomial in self with these coefficients, the highest power's first."""
        value: Lanes = self._with(self._of(coefficients[0]))
        for coefficient in coefficients[1:]:
            value = value.times_plus(self, coefficient)
        return value

    def magnitude(self) -> Lanes:
        """Return |self|."""
        return self._call("llvm.fabs")

    def clamped(self, low: float, high: float) -> Lanes:
        """Return self cut to [low, high]; NaN stays NaN."""
        return self.where(">", high, high, self).where("<", low, low, None)

    def where(self, comparison: str, bound: float, then: Lanes | float, otherwise: Lanes | float | None) -> Lanes:
        """Return ``then`` where self compares so with the bound, and ``otherwise`` (by default self) elsewhere.

        NaN compares with nothing.
        """
        test = self.builder.fcmp_ordered(comparison, self.value, self._of(bound))
        return self._with(self.builder.select(test, self._of(then), self._of(self if otherwise is None else otherwise)))

    def where_bit(self, bits: Any, bit: int, then: Lanes) -> Lanes:
        """Return ``then`` where a bit of the integers is set, and self elsewhere."""
        test = self.builder.icmp_unsigned("!=", self.builder.and_(bits, integers(bit)), integers(0))
        return self._with(self.builder.select(test, then.value, self.value))

    def bits(self) -> Any:
        """Return the bit patterns, as a vector of integers."""
        return self.builder.bitcast(self.value, INTEGERS)

    def from_bits(self, bits: Any) -> Lanes:
        """Return the vector with these bit patterns."""
        return self._with(self.builder.bitcast(bits, VECTOR))

    def _call(self, name: str, *arguments: Any) -> Lanes:
        kind = ir.FunctionType(VECTOR, [VECTOR] * (1 + len(arguments)))
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"{name}.v{WIDTH}f64")
        return self._with(self.builder.call(function, [self.value, *arguments]))

    def _with(self, value: Any) -> Lanes:
        return Lanes(self.builder, value)

    def _of(self, other: Lanes | float) -> Any:
        return other.value if isinstance(other, Lanes) else ir.Constant(VECTOR, [float(other)] * WIDTH)


def integers(number: int) -> Any:
    """Return a vector of one integer."""
    return ir.Constant(INTEGERS, [number] * WIDTH)


def zeros(builder: Any) -> Lanes:
    """Return a vector of zeros."""
    return Lanes(builder, ir.Constant(VECTOR, [0.0] * WIDTH))


def load(builder: Any, pointer: Any, offset: Any) -> Lanes:
    """Return the vector that begins ``offset`` entries after the pointer."""
    address = builder.bitcast(builder.gep(pointer, [offset]), VECTOR.as_pointer())
    return Lanes(builder, builder.load(address, align=8))


def store(lanes: Lanes, pointer: Any, offset: Any) -> None:
    """Write the vector where ``load`` reads it."""
    builder = lanes.builder
    address = builder.bitcast(builder.gep(pointer, [offset]), VECTOR.as_pointer())
    builder.store(lanes.value, address, align=8)


def splat(builder: Any, scalar: Any) -> Lanes:
    """Return a vector of one number."""
    nothing = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, scalar, ir.Constant(_INDEX, 0))
    return Lanes(builder, builder.shuffle_vector(first, nothing, _mask([0] * WIDTH)))


def sums(vectors: list[Lanes]) -> Any:
    """Return the sums over the lanes of four vectors, as a vector of four, in an order that never changes."""
    builder = vectors[0].builder
    values = [vector.value for vector in vectors]
    while len(values) > 1:  # the halves of each pair side by side, until all four share one vector
        pairs = zip(values[::2], values[1::2], strict=True)
        values = [_folded(builder, first, second) for first, second in pairs]
    value = values[0]
    if WIDTH == 4:
        return value
    nothing = ir.Constant(value.type, ir.Undefined)
    even = builder.shuffle_vector(value, nothing, _mask([0, 2, 4, 6]))
    odd = builder.shuffle_vector(value, nothing, _mask([1, 3, 5, 7]))
    return builder.fadd(even, odd)


def _folded(builder: Any, first: Any, second: Any) -> Any:
    """Return sums of neighbours of ``first`` and then of ``second``, a vector as wide as each."""
    even = builder.shuffle_vector(first, second, _mask(list(range(0, 2 * WIDTH, 2))))
    odd = builder.shuffle_vector(first, second, _mask(list(range(1, 2 * WIDTH, 2))))
    return builder.fadd(even, odd)


def _mask(indices: list[int]) -> Any:
    return ir.Constant(ir.VectorType(_INDEX, len(indices)), indices)
