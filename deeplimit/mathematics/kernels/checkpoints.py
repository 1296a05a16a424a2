"""A gradient from the states at the starts of segments: what is between two of them is computed again on the way back.

A trajectory of N steps keeps two to four arrays of its states. Here a forward pass keeps the state at the start of
every segment and the whole trajectory of the last one alone; the backward pass goes through the segments from the end
and computes the trajectory of each again, in the same buffers: N − L more steps forward, L those of the longest
segment, for N/L + O(L) states instead of O(N) (Griewank and Walther 2000, *Algorithm 799: revolve*, ACM Trans. Math.
Softw. 26:19, with one level).

A step forward is 0.45 to 0.6 of one forward and back, σ more than half of it. So what memory is left holds values z and
a of steps before the last segment, beside which states and inputs are sums: with all values kept nothing but these is
computed again, for half the memory or less where a alone gives σ'.

It knows kernels by their protocol alone, and gives the gradient that they give, bit by bit where a kernel's steps do
not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from deeplimit.mathematics.kernels.kernel import Kernel, Trajectory
from deeplimit.mathematics.watch import look


@dataclass
class Checkpoints:
    """What a forward pass keeps, for S samples.

    Attributes
    ----------
    starts
        (segments, S, d): the state at the start of each.
    last
        The trajectory of the last segment.
    running
        The running cost of all steps, a scalar tensor.
    room
        The buffers of all that is kept of segments.
    """

    starts: Tensor
    last: Trajectory
    running: Tensor
    room: Trajectory

    @property
    def final(self) -> Tensor:
        """X_N (S, d)."""
        return self.last.states[-1]


class CheckpointedKernel:
    """A kernel's steps in segments of ``longest`` steps, the first one of what is left.

    ``values`` is how many steps before the last segment keep z and a, in whole segments or all of them.
    """

    def __init__(self, kernel: Kernel, longest: int, values: int = 0) -> None:
        self._kernel = kernel
        ends = [*range(kernel.steps, 0, -longest)][::-1]
        self._segments = [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        self._parts = {length: kernel.part(length) for length in {len(segment) for segment in self._segments}}
        self._longest = longest
        self._valued_from = kernel.steps - longest - values

    def forward(self, K: Tensor, b: Tensor, x: Tensor, reuse: Trajectory | None = None) -> Checkpoints:
        """Propagate x (S, d) through Q stages, in the room of an earlier pass if it fits."""
        room = reuse if reuse is not None and reuse.states.shape[1] == len(x) else None
        if room is None:
            room = self._parts[self._longest].room(x, b.shape[1], self._kernel.steps - self._valued_from)
        starts = x.new_empty((len(self._segments), *x.shape))
        running = x.new_zeros(())
        starts[0] = x
        for index, segment in enumerate(self._segments[:-1]):
            if self._kernel.running or segment.start >= self._valued_from:
                run = self._run(K, b, segment, starts[index], room)
                starts[index + 1] = run.states[-1]
                if self._kernel.running:
                    running += self._parts[len(segment)].running_cost(run)
            else:
                stages, views = self._stages(segment), self._views(room, segment)
                state = self._parts[len(segment)].propagate(K[stages], b[stages], starts[index], views)
                starts[index + 1] = state
        last = self._run(K, b, self._segments[-1], starts[-1], room)
        if self._kernel.running:
            running += self._parts[self._longest].running_cost(last)
        return Checkpoints(starts, last, running, room)

    def add_gradient(self, kept: Checkpoints, K: Tensor, b: Tensor, p: Tensor, into: Mapping[str, Tensor]) -> None:
        """Add the derivatives by K and b to those of ``into``, p (S, d) being the final costate.

        What ``kept`` holds is overwritten.
        """
        run = kept.last
        for index in range(len(self._segments) - 1, -1, -1):
            segment = self._segments[index]
            if segment.stop < self._kernel.steps:
                run = self._again(kept, K, b, index)
            stages = self._stages(segment)
            by_K, by_b, p = self._parts[len(segment)].pull_back(run, K[stages], p)
            for name, term in (("K", by_K), ("b", by_b)):
                if name in into:
                    into[name][stages].add_(term)

    def _again(self, kept: Checkpoints, K: Tensor, b: Tensor, index: int) -> Trajectory:
        """Return the trajectory of one segment, from its values where these are kept."""
        segment = self._segments[index]
        if segment.start < self._valued_from:
            return self._run(K, b, segment, kept.starts[index], kept.room)
        run = self._views(kept.room, segment)
        self._parts[len(segment)].refill(run, kept.starts[index])
        return run

    def _run(self, K: Tensor, b: Tensor, segment: range, x: Tensor, room: Trajectory) -> Trajectory:
        """Return the trajectory of one segment, in its part of the room unless the kernel makes its own."""
        stages = self._stages(segment)
        return self._parts[len(segment)].forward(K[stages], b[stages], x, self._views(room, segment))

    def _views(self, room: Trajectory, segment: range) -> Trajectory:
        """Return the buffers of a segment: z and a of its own if these are kept, else what others overwrite."""
        count, first = len(segment) * self._kernel.stages, max(0, segment.start - self._valued_from)
        valued = slice(first * self._kernel.stages, first * self._kernel.stages + count)
        return Trajectory(room.states[: len(segment) + 1], room.inputs[:count], room.z[valued], room.a[valued])

    def _stages(self, segment: range) -> slice:
        return slice(segment.start * self._kernel.stages, segment.stop * self._kernel.stages)


def nodes(
    kernel: Kernel, parameters: Callable[[slice], tuple[Tensor, Tensor]], x: Tensor, every: int, allowed: int
) -> Tensor:
    """Return every ``every``-th state of X_0 … X_N, from x (S, d), keeping no trajectory.

    Parameters
    ----------
    parameters
        Gives K and b of the stages of a slice.
    every
        A divisor of N.
    allowed
        Bytes of the trajectory that is kept at once, of one step at least.
    """
    _, b = parameters(slice(0, 1))
    step = kernel.numbers_kept(x.shape[1], b.shape[1]) * len(x) + kernel.stages * b.shape[1] * x.shape[1]
    longest = min(kernel.steps, max(1, allowed // (step * x.element_size())))
    states = x.new_empty((kernel.steps // every + 1, *x.shape))
    states[0] = state = x
    run = None
    for start in range(0, kernel.steps, longest):
        if start:
            look()
        part = kernel.part(min(longest, kernel.steps - start))
        K, b = parameters(slice(start * kernel.stages, (start + part.steps) * kernel.stages))
        reuse = run if part.steps == longest else None
        run = part.forward(K, b, state, part.room(x, b.shape[1], part.steps) if reuse is None else reuse)
        first = start // every + 1
        wanted = run.states[first * every - start :: every]
        states[first : first + len(wanted)] = wanted
        state = run.states[-1].clone()
    return states
