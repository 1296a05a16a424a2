"""The objective of many parameter sets at once: the same E of the same samples, at the rows of one array.

Every call of torch is made once for all sets, which is what a fit of few samples and few dimensions mostly consists of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, Self

import torch
from torch import Tensor

from deeplimit.mathematics.kernels.batched import BatchedRungeKutta, Trajectories, batched
from deeplimit.mathematics.model.objective import DiscretisedObjective, Evaluation, samples_at_once
from deeplimit.mathematics.problem.learning_problem import LAYERED, PARAMETERS
from deeplimit.mathematics.watch import look

WORTH_BATCHING: Final = 2**17
"""S·d² below which a layer of one set costs calls rather than arithmetic, on a processor.

Measured with depth 8 and sixteen sets, in evaluations of one by one: 0.17 of them for S·d² = 3·10³, 0.37 for 1.6·10⁴,
0.5 to 0.6 for 6·10⁴, 0.85 for 5·10⁵ and more. Where little is gained, one after the other ends sooner.
"""
_WORTH_BATCHING_ELSEWHERE: Final = 2**24
"""The same on a device that calls are sent to."""


_Data = tuple[Tensor, Tensor, dict[str, Tensor]]


class BatchedObjective:
    """E of a network or a flow at the rows of U (B, length).

    Parameters
    ----------
    single
        The objective of one set.
    kernel
        For many; None where the objective's own has so little to call that one set follows the other.
    """

    def __init__(self, single: DiscretisedObjective, kernel: BatchedRungeKutta | None) -> None:
        self.single, self.problem, self._kernel = single, single.problem, kernel
        self._stages = single.kernel.steps * single.kernel.stages
        self._slices, self._shapes = single.coordinates.slices, single.coordinates.shapes
        self._weights = single.problem.x.new_zeros((single.coordinates.length, len(PARAMETERS)))
        for name, part in self._slices.items():
            self._weights[part, PARAMETERS.index(name)] = self.problem.weight(name)
        self._bend = 2.0 * self._weights.sum(1)

    @classmethod
    def of(cls, single: DiscretisedObjective) -> Self | None:
        """Return the objective of many sets, or None where the kernel goes through one set at a time."""
        if single.kernel.name == "fused":
            return cls(single, None)
        kernel = batched(single.kernel)
        return None if kernel is None else cls(single, kernel)

    def sets_at_once(self) -> int:
        """Return how many sets are worth going through at once: 1 where that gains little, or takes much memory."""
        problem = self.problem
        worth = WORTH_BATCHING if problem.device.type == "cpu" else _WORTH_BATCHING_ELSEWHERE
        if problem.samples * problem.state_dim * problem.width > worth:
            return 1
        return max(1, samples_at_once(problem, self._stages) // problem.samples)

    def evaluate(self, U: Tensor) -> list[Evaluation]:
        """Return E, its terms, ∂E/∂u and its norm at each row of U."""
        look()
        if self._kernel is None:
            return self._in_one_go(U) or _with_norms([self.single.evaluate(u) for u in U.unbind(0)])
        theta = self._stage_values(U)
        terminal, running, gradient = self._parts(self._kernel, theta)
        flat = self._by_coordinates(gradient).addcmul_(U, self._bend)
        data = torch.stack([terminal, running, torch.linalg.vector_norm(flat, dim=1)], 1).tolist()
        weighed: list[list[float]] = ((U * U) @ self._weights).tolist()
        evaluations = []
        for (of_loss, of_states, norm), weights, slope in zip(data, weighed, flat.unbind(0), strict=True):
            evaluations.append(Evaluation.of([of_loss / self.problem.samples, of_states, *weights, norm], slope))
        return evaluations

    def _in_one_go(self, U: Tensor) -> list[Evaluation] | None:
        """Return the same, where the kernel itself goes from many u to their gradients."""
        problem, layout = self.problem, self.single.layout
        if layout is None:
            return None
        found = self.single.kernel.objectives(layout, U, problem.x, problem.y, problem.loss.name)
        if found is None:
            return None
        return list(map(Evaluation.of, found[0], found[1].unbind(0)))

    def _parts(self, kernel: BatchedRungeKutta, theta: Mapping[str, Tensor]) -> _Data:
        """Return terminal sums and running costs (B,), and the gradients by stage values."""
        gradient = {name: torch.zeros_like(theta[name]) for name in self.problem.trained}
        sets = len(theta["c"])
        terminal, running = theta["c"].new_zeros(sets), theta["c"].new_zeros(sets)
        for x, y in self._chunks(sets):
            look()
            run = kernel.forward(theta["K"], theta["b"], x)
            if self.problem.regime.running_cost:
                running += kernel.running_cost(run)
            terminal += self._accumulate(kernel, theta, run, y, gradient)
        return terminal, running, gradient

    def _chunks(self, sets: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the inputs (d, S') and the targets in parts of bounded memory."""
        size = samples_at_once(self.problem, self._stages * sets)
        parts = zip(torch.split(self.problem.x, size), torch.split(self.problem.y, size), strict=True)
        return ((x.T, y) for x, y in parts)

    def _accumulate(
        self,
        kernel: BatchedRungeKutta,
        theta: Mapping[str, Tensor],
        run: Trajectories,
        y: Tensor,
        gradient: Mapping[str, Tensor],
    ) -> Tensor:
        """Add one part's data gradients by stage values into ``gradient``; return the terminal sums (B,)."""
        final = run.states[-1]
        totals, r = self.problem.loss.of_sets(torch.baddbmm(theta["c"].unsqueeze(2), theta["W"], final), y)
        r.div_(self.problem.samples)
        if "W" in gradient:
            gradient["W"].baddbmm_(r, final.transpose(1, 2))
        if "c" in gradient:
            gradient["c"].add_(r.sum(2))
        if self.problem.varying:
            by_stage = kernel.gradient(run, theta["K"], torch.bmm(theta["W"].transpose(1, 2), r))
            for name, term in zip(LAYERED, by_stage, strict=True):
                if name in gradient:
                    gradient[name].add_(term)
        return totals

    def _stage_values(self, U: Tensor) -> dict[str, Tensor]:
        """Return K (Q, B, d, d), b (Q, B, d), W (B, m, d) and c (B, m), fixed ones included."""
        values = {}
        for name, part in self._slices.items():
            rows = U[:, part].view(len(U), *self._shapes[name])
            if name in LAYERED:
                rows = self.single.stage_map.apply(rows.transpose(0, 1), self.problem.tau(name))
            values[name] = rows
        for name, value in self.problem.fixed.items():
            lead = (self._stages, len(U)) if name in LAYERED else (len(U),)
            values[name] = value.expand(*lead, *value.shape)
        return values

    def _by_coordinates(self, gradient: Mapping[str, Tensor]) -> Tensor:
        """Return the data's gradients in u (B, length) from those by stage values."""
        rows = []
        for name in self._slices:
            part = gradient[name]
            if name in LAYERED:
                part = self.single.stage_map.transpose(part, self.problem.tau(name)).transpose(0, 1)
            rows.append(part.flatten(1))
        return torch.cat(rows, 1)


def _with_norms(evaluations: list[Evaluation]) -> list[Evaluation]:
    """Add the norms of all gradients, in one call."""
    norms = torch.linalg.vector_norm(torch.stack([each.gradient for each in evaluations]), dim=1).tolist()
    return [replace(each, norm=norm) for each, norm in zip(evaluations, norms, strict=True)]
