"""The innermost loops as intrinsics of Numba, in vectors of lanes.

Arrays are flat, contiguous float64, and every array is followed by the offset of its first entry. Features lie
``stride`` entries apart, lanes side by side. Feature counts are multiples of four, and one call goes through one panel
of lanes unless it says otherwise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from deeplimit.mathematics.kernels.fused.lanes import (
    INTEGER,
    VECTOR,
    WIDTH,
    Lanes,
    load,
    splat,
    store,
    sums,
    zeros,
)
from deeplimit.mathematics.kernels.fused.sigma import SECOND, SIGMA, Slopes, exponential

ROWS: Final = 4
"""Features of a tile."""


def _instruction(write: Callable[..., None]) -> Callable[..., None]:
    """Return the intrinsic that ``write(builder, …)`` writes: arrays come as pointers, and nothing is returned."""

    def typing(_context: Any, *arguments: Any) -> Any:
        kinds = [kind if isinstance(kind, types.Array | types.Float) else types.intp for kind in arguments]

        def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            pointers = [
                make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
                for kind, value in zip(signature.args, values, strict=True)
            ]
            write(builder, *pointers)
            return context.get_dummy_value()

        return types.void(*kinds), lower

    typing.__name__ = write.__name__
    typing.__signature__ = inspect.signature(write)  # type: ignore[attr-defined]  # Numba reads it
    function: Callable[..., None] = intrinsic(typing)
    return function


@contextmanager
def _loop(builder: Any, count: Any) -> Iterator[Any]:
    with cgutils.for_range(builder, count) as loop:
        yield loop.index


def _integer(number: int) -> Any:
    return ir.Constant(INTEGER, number)


def _at(builder: Any, base: Any, *steps: tuple[Any, Any]) -> Any:
    """Return base + Σ index · step."""
    for index, step in steps:
        factors = [_integer(value) if isinstance(value, int) else value for value in (index, step)]
        base = builder.add(base, builder.mul(*factors))
    return base


def _places(builder: Any, starts: list[Lanes]) -> list[Any]:
    """Return variables, which LLVM keeps in registers, with these first values."""
    places = [cgutils.alloca_once(builder, VECTOR) for _ in starts]
    for place, start in zip(places, starts, strict=True):
        builder.store(start.value, place)
    return places


def _add_product(builder: Any, place: Any, factor: Lanes, other: Lanes) -> None:
    total = factor.times_plus(other, Lanes(builder, builder.load(place)))
    builder.store(total.value, place)


def _tile(
    builder: Any,
    out: tuple[Any, Any],
    w: tuple[Any, Any, Any, Any],
    x: tuple[Any, Any],
    sizes: tuple[Any, Any],
    starts: list[Lanes],
) -> None:
    """Write starts + Σ_k w[r, k] x[k] for four rows r; ``w`` is array, offset and the steps of r and k."""
    stride, depth = sizes
    places = _places(builder, starts)
    with _loop(builder, depth) as k:
        row = _at(builder, x[1], (k, stride))
        inputs = [load(builder, x[0], _at(builder, row, (part, WIDTH))) for part in range(2)]
        for r in range(ROWS):
            index = _at(builder, w[1], (r, w[2]), (k, w[3]))
            weight = splat(builder, builder.load(builder.gep(w[0], [index])))
            for part in range(2):
                _add_product(builder, places[2 * r + part], weight, inputs[part])
    for r in range(ROWS):
        for part in range(2):
            value = Lanes(builder, builder.load(places[2 * r + part]))
            store(value, out[0], _at(builder, out[1], (r, stride), (part, WIDTH)))


def _write_affine(
    builder: Any,
    out: Any,
    o: Any,
    w: Any,
    wo: Any,
    wr: Any,
    wk: Any,
    x: Any,
    xo: Any,
    b: Any,
    bo: Any,
    stride: Any,
    depth: Any,
) -> None:
    bias = [splat(builder, builder.load(builder.gep(b, [_at(builder, bo, (r, 1))]))) for r in range(ROWS)]
    starts = [bias[r] for r in range(ROWS) for _ in range(2)]
    _tile(builder, (out, o), (w, wo, wr, wk), (x, xo), (stride, depth), starts)


def _write_product(
    builder: Any, out: Any, o: Any, w: Any, wo: Any, wr: Any, wk: Any, x: Any, xo: Any, stride: Any, depth: Any
) -> None:
    _tile(builder, (out, o), (w, wo, wr, wk), (x, xo), (stride, depth), [zeros(builder)] * (2 * ROWS))


def _write_add_product(
    builder: Any, out: Any, o: Any, w: Any, wo: Any, wr: Any, wk: Any, x: Any, xo: Any, stride: Any, depth: Any
) -> None:
    starts = [load(builder, out, _at(builder, o, (r, stride), (part, WIDTH))) for r in range(ROWS) for part in range(2)]
    _tile(builder, (out, o), (w, wo, wr, wk), (x, xo), (stride, depth), starts)


def _write_add_outer(
    builder: Any, g: Any, go: Any, width: Any, x: Any, xo: Any, y: Any, yo: Any, stride: Any, lanes: Any, scale: Any
) -> None:
    _outer(builder, (g, go, width), [(x, xo, y, yo)], stride, lanes, scale)


def _write_add_outers(
    builder: Any,
    g: Any,
    go: Any,
    width: Any,
    x: Any,
    xo: Any,
    y: Any,
    yo: Any,
    v: Any,
    vo: Any,
    w: Any,
    wo: Any,
    stride: Any,
    lanes: Any,
    scale: Any,
) -> None:
    _outer(builder, (g, go, width), [(x, xo, y, yo), (v, vo, w, wo)], stride, lanes, scale)


def _outer(
    builder: Any,
    out: tuple[Any, Any, Any],
    pairs: list[tuple[Any, Any, Any, Any]],
    stride: Any,
    lanes: Any,
    scale: Any,
) -> None:
    """Add scale · Σ x yᵀ over pairs, each summed over lanes: four rows and columns, ``width`` entries apart."""
    g, go, width = out
    columns = ROWS if WIDTH == 8 else ROWS // 2
    for first in range(0, ROWS, columns):
        places = _places(builder, [zeros(builder)] * (ROWS * columns))
        for x, xo, y, yo in pairs:
            with _loop(builder, builder.sdiv(lanes, _integer(WIDTH))) as part:
                right = [load(builder, y, _at(builder, yo, (first + k, stride), (part, WIDTH))) for k in range(columns)]
                for i in range(ROWS):
                    left = load(builder, x, _at(builder, xo, (i, stride), (part, WIDTH)))
                    for k in range(columns):
                        _add_product(builder, places[i * columns + k], left, right[k])
        for i in range(ROWS):
            totals = [Lanes(builder, builder.load(places[i * columns + k])) for k in range(columns)]
            _add_sums(builder, g, _at(builder, go, (i, width), (first, 1)), totals, scale)


def _write_add_row_sums(builder: Any, g: Any, go: Any, x: Any, xo: Any, stride: Any, lanes: Any, scale: Any) -> None:
    places = _places(builder, [zeros(builder)] * ROWS)
    with _loop(builder, builder.sdiv(lanes, _integer(WIDTH))) as part:
        for i in range(ROWS):
            value = load(builder, x, _at(builder, xo, (i, stride), (part, WIDTH)))
            builder.store((Lanes(builder, builder.load(places[i])) + value).value, places[i])
    _add_sums(builder, g, go, [Lanes(builder, builder.load(place)) for place in places], scale)


def _write_add_dot(builder: Any, g: Any, go: Any, x: Any, xo: Any, y: Any, yo: Any, lanes: Any) -> None:
    _add_over_lanes(
        builder, g, go, lanes, lambda at: load(builder, x, builder.add(xo, at)) * load(builder, y, builder.add(yo, at))
    )


def _write_add_sum(builder: Any, g: Any, go: Any, x: Any, xo: Any, lanes: Any) -> None:
    _add_over_lanes(builder, g, go, lanes, lambda at: load(builder, x, builder.add(xo, at)))


def _add_over_lanes(builder: Any, g: Any, go: Any, lanes: Any, term: Callable[[Any], Lanes]) -> None:
    """Add the sum over whole panels of lanes, of the terms at their offsets, to one entry of g."""
    places = _places(builder, [zeros(builder)] * 2)
    with _loop(builder, builder.sdiv(lanes, _integer(2 * WIDTH))) as panel:
        for part in range(2):
            total = Lanes(builder, builder.load(places[part])) + term(
                _at(builder, _integer(part * WIDTH), (panel, 2 * WIDTH))
            )
            builder.store(total.value, places[part])
    both = Lanes(builder, builder.load(places[0])) + Lanes(builder, builder.load(places[1]))
    summed = builder.extract_element(sums([both, *[zeros(builder)] * 3]), ir.Constant(ir.IntType(32), 0))
    address = builder.gep(g, [go])
    builder.store(builder.fadd(builder.load(address), summed), address)


def _write_exponentials(builder: Any, z: Any, zo: Any, stride: Any, rows: Any) -> None:
    def write(at: Any) -> None:
        place = builder.add(zo, at)
        store(exponential(load(builder, z, place)), z, place)

    _each(builder, rows, stride, write)


def _add_sums(builder: Any, g: Any, offset: Any, totals: list[Lanes], scale: Any) -> None:
    """Add scale · sum over lanes of each vector to consecutive entries of g."""
    count = len(totals)
    summed = sums([*totals, *[zeros(builder)] * (ROWS - count)])
    for k in range(count):
        address = builder.gep(g, [_at(builder, offset, (k, 1))])
        term = builder.fmul(builder.extract_element(summed, ir.Constant(ir.IntType(32), k)), scale)
        builder.store(builder.fadd(builder.load(address), term), address)


def _each(builder: Any, rows: Any, stride: Any, write: Callable[[Any], None]) -> None:
    """Have ``write`` write what is done at the offset of each vector of a panel."""
    with _loop(builder, rows) as row:
        for part in range(2):
            write(_at(builder, _integer(part * WIDTH), (row, stride)))


def _write_add_scaled(
    builder: Any, out: Any, o: Any, x: Any, xo: Any, factor: Any, y: Any, yo: Any, stride: Any, rows: Any
) -> None:
    weight = splat(builder, factor)

    def write(at: Any) -> None:
        value = load(builder, y, builder.add(yo, at)).times_plus(weight, load(builder, x, builder.add(xo, at)))
        store(value, out, builder.add(o, at))

    _each(builder, rows, stride, write)


def _write_scale(builder: Any, out: Any, o: Any, x: Any, xo: Any, factor: Any, stride: Any, rows: Any) -> None:
    weight = splat(builder, factor)
    _each(
        builder, rows, stride, lambda at: store(load(builder, x, builder.add(xo, at)) * weight, out, builder.add(o, at))
    )


def _write_multiply(builder: Any, out: Any, o: Any, x: Any, xo: Any, y: Any, yo: Any, stride: Any, rows: Any) -> None:
    def write(at: Any) -> None:
        value = load(builder, x, builder.add(xo, at)) * load(builder, y, builder.add(yo, at))
        store(value, out, builder.add(o, at))

    _each(builder, rows, stride, write)


def _write_add_multiplied(
    builder: Any, out: Any, o: Any, x: Any, xo: Any, y: Any, yo: Any, stride: Any, rows: Any
) -> None:
    def write(at: Any) -> None:
        place = builder.add(o, at)
        value = load(builder, x, builder.add(xo, at)).times_plus(
            load(builder, y, builder.add(yo, at)), load(builder, out, place)
        )
        store(value, out, place)

    _each(builder, rows, stride, write)


def _activation(function: Callable[[Lanes], Slopes]) -> Callable[..., None]:
    def write_activation(
        builder: Any, z: Any, zo: Any, a: Any, ao: Any, s: Any, so: Any, stride: Any, rows: Any
    ) -> None:
        def write(at: Any) -> None:
            value, slope = function(load(builder, z, builder.add(zo, at)))
            store(value, a, builder.add(ao, at))
            store(slope, s, builder.add(so, at))

        _each(builder, rows, stride, write)

    return _instruction(write_activation)


def _curvature(function: Callable[[Lanes, Lanes, Lanes], Lanes]) -> Callable[..., None]:
    def write_curvature(
        builder: Any, z: Any, zo: Any, a: Any, ao: Any, s: Any, so: Any, out: Any, o: Any, stride: Any, rows: Any
    ) -> None:
        def write(at: Any) -> None:
            known = [load(builder, array, builder.add(first, at)) for array, first in ((z, zo), (a, ao), (s, so))]
            store(function(*known), out, builder.add(o, at))

        _each(builder, rows, stride, write)

    return _instruction(write_curvature)


affine = _instruction(_write_affine)
product = _instruction(_write_product)
add_product = _instruction(_write_add_product)
add_outer = _instruction(_write_add_outer)
add_outers = _instruction(_write_add_outers)
add_row_sums = _instruction(_write_add_row_sums)
add_dot = _instruction(_write_add_dot)
add_sum = _instruction(_write_add_sum)
exponentials = _instruction(_write_exponentials)
add_scaled = _instruction(_write_add_scaled)
scale = _instruction(_write_scale)
multiply = _instruction(_write_multiply)
add_multiplied = _instruction(_write_add_multiplied)
activations = {name: _activation(function) for name, function in SIGMA.items()}
curvatures = {name: _curvature(SECOND[name]) for name in SIGMA}
