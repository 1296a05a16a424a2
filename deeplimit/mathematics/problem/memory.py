"""How many bytes the numbers of a study may take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

STATES: Final = 384 * 2**20
"""Bytes of the trajectories of one gradient, unless said: more would not make it faster."""
PRODUCTS: Final = 1248 * 2**20
"""The same of a Hessian-vector product, which keeps adjoint and tangent as well."""
SWEEPS: Final = 128 * 2**20
"""The same of a pass forward and back whose every array a diagnostic reads, where products keep nothing."""
FORWARD: Final = 32 * 2**20
"""The same of a forward pass that nothing comes back from."""


@dataclass(frozen=True)
class Memory:
    """How many bytes the numbers of a study may take, beside its data, its results and a few vectors of parameters.

    Attributes
    ----------
    states
        For what a gradient, a Hessian-vector product or a diagnostic keeps of states at once: the samples are gone
        through in parts, and states computed again, so that they do; one sample between two checkpoints is the least.
        None for as many as make the work fast.
    vectors
        For the vectors of a minimiser: pairs of L-BFGS, a spectrum, a Krylov basis. None for as many as are wanted.
    """

    states: int | None = None
    vectors: int | None = None

    def smaller(self) -> Memory:
        """Return the same with a fraction of the bytes for the states of a gradient: more parts, of fewer samples."""
        return replace(self, states=self.of_gradient // 32)

    @property
    def of_gradient(self) -> int:
        """Bytes of the states of one gradient."""
        return STATES if self.states is None else min(STATES, self.states)

    @property
    def of_product(self) -> int:
        """Bytes of the states of one Hessian-vector product."""
        return PRODUCTS if self.states is None else min(PRODUCTS, self.states)

    @property
    def of_sweep(self) -> int:
        """Bytes of a pass forward and back, where no product keeps it; a network's and the continuum's may meet."""
        return SWEEPS if self.states is None else min(SWEEPS, self.states // 2)

    @property
    def of_forward(self) -> int:
        """Bytes of the states of one forward pass of which only some states are kept."""
        return FORWARD if self.states is None else min(FORWARD, self.states)
