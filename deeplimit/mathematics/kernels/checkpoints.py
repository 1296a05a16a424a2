"""A gradient from the states at the starts of segments: what is between two of them is computed again on the way back.

A trajectory of N steps keeps three or four arrays of its states. Here a forward pass keeps the state at the start of
every segment and the whole trajectory of the last one alone; the backward pass goes through the segments from the end
and computes the trajectory of each again, in the same buffers. That is N − L more steps forward, L those of the longest
segment: with a step back costing two forward, at most 4/3 of the work, for N/L + O(L) states instead of O(N)
(Griewank and Walther 2000, *Algorithm 799: revolve*, ACM Trans. Math. Softw. 26:19, with one level).

It knows kernels by their protocol alone, and gives the gradient that they give, bit by bit where a kernel's steps do
not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from deeplimit.mathematics.kernels.kernel import Kernel, Trajectory


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
    """

    starts: Tensor
    last: Trajectory
    running: Tensor

    @property
    def final(self) -> Tensor:
        """X_N (S, d)."""
        return self.last.states[-1]


class CheckpointedKernel:
    """A kernel's steps in segments of ``longest`` steps, the first one of what is left."""

    def __init__(self, kernel: Kernel, longest: int) -> None:
        self._kernel = kernel
        ends = [*range(kernel.steps, 0, -longest)][::-1]
        self._segments = [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        self._parts = {segment: kernel.part(len(segment)) for segment in self._segments}
        self._longest = longest

    def forward(self, K: Tensor, b: Tensor, x: Tensor, reuse: Trajectory | None = None) -> Checkpoints:
        """Propagate x (S, d) through Q stages, in the buffers of an earlier ``last`` if they fit."""
        run = buffers = reuse if reuse is not None and reuse.states.shape[1] == len(x) else None
        starts = x.new_empty((len(self._segments), *x.shape))
        running = x.new_zeros(())
        state = x
        for index, segment in enumerate(self._segments):
            starts[index] = state
            run = self._run(K, b, segment, starts[index], buffers)
            if self._kernel.running:
                running += self._parts[segment].running_cost(run)
            state = run.states[-1]
            buffers = run if len(segment) == self._longest else buffers
        assert run is not None  # noqa: S101 - for the type checker: there is a segment
        return Checkpoints(starts, run, running)

    def add_gradient(self, kept: Checkpoints, K: Tensor, b: Tensor, p: Tensor, into: Mapping[str, Tensor]) -> None:
        """Add the derivatives by K and b to those of ``into``, p (S, d) being the final costate.

        The trajectory of ``kept`` is overwritten.
        """
        run = kept.last
        for index in range(len(self._segments) - 1, -1, -1):
            segment = self._segments[index]
            if segment.stop < self._kernel.steps:
                run = self._run(K, b, segment, kept.starts[index], kept.last)
            stages = self._stages(segment)
            by_K, by_b, p = self._parts[segment].pull_back(run, K[stages], p)
            for name, term in (("K", by_K), ("b", by_b)):
                if name in into:
                    into[name][stages].add_(term)

    def _run(self, K: Tensor, b: Tensor, segment: range, x: Tensor, buffers: Trajectory | None) -> Trajectory:
        """Return the trajectory of one segment, in buffers of the longest."""
        stages = self._stages(segment)
        if buffers is not None and len(segment) < self._longest:
            buffers = _head(buffers, len(segment), self._kernel.stages)
        return self._parts[segment].forward(K[stages], b[stages], x, buffers)

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
        part = kernel.part(min(longest, kernel.steps - start))
        K, b = parameters(slice(start * kernel.stages, (start + part.steps) * kernel.stages))
        run = part.forward(K, b, state, run if part.steps == longest else None)
        first = start // every + 1
        wanted = run.states[first * every - start :: every]
        states[first : first + len(wanted)] = wanted
        state = run.states[-1].clone()
    return states


def _head(run: Trajectory, steps: int, stages: int) -> Trajectory | None:
    """Return the buffers of the first steps, as views; None of a kernel's own kind of trajectory."""
    if type(run) is not Trajectory:
        return None
    parts = (part[: steps * stages] for part in (run.inputs, run.z, run.a))
    return Trajectory(run.states[: steps + 1], *parts)
