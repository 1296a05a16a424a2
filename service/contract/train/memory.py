"""What a train job keeps in memory at its peak, and how a budget is shared among states and the minimiser's vectors.

It counts numbers as the mathematics keeps them: vectors of a model's parameters, K and b of its stages, and states of
samples, which are gone through in parts. ``python -m benchmarks.memory`` shows how near to the truth that is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.contract.train.layer_cost import LayerCost

PROCESS: Final = 28 * 2**20
"""Bytes that a first job adds to a process, whatever its size: libraries load what they need when it is needed."""
PROCESS_CONTINUUM: Final = 16 * 2**20
"""The same where a continuum is trained, whose limit is found once more by SciPy."""
STATES: Final = 384 * 2**20
"""Bytes of the states of one gradient, at most."""
PRODUCTS: Final = 1248 * 2**20
"""The same of a Hessian-vector product, which keeps adjoint and tangent as well."""
WIDEST: Final = 13
"""Arrays as wide as the widest that such a product counts for every stage."""
SWEEPS: Final = 128 * 2**20
"""Bytes of what diagnostics read of trajectories and adjoints by the fused kernel, whose products keep nothing."""
SWEPT: Final = 18
"""Arrays that this counts for every stage, of the part at hand and the one before."""
LANES: Final = 16
"""Samples that the fused kernel goes through at once, at least."""
MOST_LANES: Final = 256
NEAR: Final = 4 * 2**20
"""Bytes of states that it works in, unless the fewest samples take more, ..."""
FAR: Final = 32 * 2**20
"""... or as many samples as a layer has features, which may take so much."""
BLOCK_GRADIENT, BLOCK_PRODUCT = 2, 4
"""Numbers that its gradient and its Hessian-vector product keep of each entry of a stage."""
FIT: Final = 13
"""Vectors of the parameters during a fit: points, gradients, values by stage and their gradients; without the pairs."""
PAIRS: Final = 40
"""Pairs of vectors that L-BFGS keeps, as a rule, and the study for the models after."""
START_PAIRS: Final = 20
"""Pairs that each of the starts keeps."""
LEAST_PAIRS: Final = 3
"""With less memory it keeps so many."""
KEPT: Final = 3
"""Times the pairs of the largest model that all have together, with what is made room for."""
CERTIFY: Final = 8
"""Vectors during a certificate, without the Krylov basis."""
KRYLOV: Final = 60
"""Vectors of that basis, as a rule; twice as many at most."""
FEWEST_KRYLOV: Final = 20
"""There is no certificate where so few do not fit."""
KRYLOV_NUMBERS: Final = 3 * 2**24
"""Numbers of the basis, at most."""
HELD: Final = 4
"""Vectors that a study keeps of each trained model: point, gradient, parameters, direction of least curvature."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Numbers of one model.

    Attributes
    ----------
    vector
        Its trained parameters.
    by_stage
        K and b of all stages, as far as they are trained.
    stages
        Evaluations of the right-hand side.
    kept, kept_by_product
        Numbers of one sample that a gradient keeps, and a Hessian-vector product.
    step
        Numbers of one sample that a gradient keeps of one step, and at a checkpoint.
    swept, swept_stages
        Numbers of one sample that a diagnostic keeps of trajectory and adjoint, and the stages that it goes through.
    once
        Numbers of one sample that are needed however many steps there are: to solve an implicit one.
    """

    vector: int
    by_stage: int
    stages: int
    kept: int
    kept_by_product: int
    step: int
    once: int
    swept: int
    swept_stages: int

    @classmethod
    def of(cls, layer: LayerCost, layers: int, vector: int, per_layer: int, *, adjoint: bool, finer: int) -> ModelSize:
        """Return the size of a model of so many layers, from the trained numbers of all and of one.

        ``adjoint`` is whether diagnostics read the adjoint beside the trajectory, and they do with ``finer`` times as
        many steps.
        """
        d, w, stages = padded(layer.state_dim), padded(layer.width), layer.stages
        inner = 0 if stages == 1 else stages * d  # the states inside a step
        trajectory = d + inner + 2 * stages * w
        two_layer = layer.entries != layer.width * layer.state_dim
        plain = not two_layer and not layer.implicit
        back = d + (0 if stages == 1 and plain else stages * d) + 2 * stages * w
        by_field = stages * d + 3 * d if two_layer else 0  # derivatives by the stages' values, f, X'' and p · X''
        back_swept = d + inner + 4 * stages * w + by_field if adjoint else 0
        tangent = stages * (2 * w + 2 * d)
        more = 3 * stages * w
        return cls(
            vector=vector,
            by_stage=layers * stages * per_layer,
            stages=layers * stages,
            kept=layers * (trajectory if plain else trajectory + back),
            kept_by_product=layers * (trajectory + back + tangent + more),
            step=(trajectory if plain else trajectory + back) + d,
            swept=finer * layers * (d + inner + 2 * stages * w + back_swept),
            swept_stages=finer * layers * stages,
            once=2 * d + (4 * d * d if layer.implicit else 0),
        )


@dataclass(frozen=True, slots=True)
class Shares:
    """Bytes that states and vectors may take; as `deeplimit.mathematics.problem.memory.Memory` has them."""

    states: int | None = None
    vectors: int | None = None


@dataclass(frozen=True, slots=True)
class TrainMemory:
    """What a job keeps.

    Attributes
    ----------
    models
        All that are trained, each once.
    samples
        That are trained on.
    data
        Bytes of all samples, in every form in which they are kept.
    starts, branches
        Minimisations at the coarsest depth, and minima that are followed.
    itemsize
        Bytes of a number.
    widest
        Entries of the largest vector in a stage.
    smooth, continuum, fused
        Whether there are second derivatives, whether a continuum is trained, the last of the models, and whether the
        fused kernel is expected to go through the layers.
    """

    models: Sequence[ModelSize]
    samples: int
    data: int
    starts: int
    branches: int
    itemsize: int
    widest: int
    smooth: bool
    continuum: bool
    fused: bool

    def estimate(self, shares: Shares) -> int:
        """Return the bytes that the job is expected to add to its process at the peak."""
        working = max(self._working(model, shares) for model in self.models)
        return self._fixed(self.branches) + max(working, self._starting(shares), self._diagnosing(shares))

    def least(self) -> int:
        """Return the bytes that the job takes when it may take as few as it can."""
        shares = Shares(self._least_states(), self._least_vectors())
        return self._fixed(self.branches) + self._points() + (shares.states or 0) + (shares.vectors or 0)

    def shares(self, memory: int | None) -> Shares:
        """Return what states and vectors may take of so many bytes: the states half, or as much as they have use for.

        None leaves both to the mathematics.
        """
        if memory is None:
            return Shares()
        left = memory - self._fixed(self.branches) - self._points()
        wanted = max(
            self._sweeps(None),
            *(max(self._of_gradient(model, STATES), self._of_product(model, PRODUCTS)) for model in self.models),
        )
        vectors = self._least_vectors()
        states = max(self._least_states(), min(wanted, left // 2, left - vectors))
        return Shares(states, max(vectors, left - states))

    def _fixed(self, branches: int) -> int:
        """Return the bytes of the process, the data and the results."""
        process = PROCESS + (PROCESS_CONTINUUM if self.continuum else 0)
        return process + self.data + branches * HELD * self.itemsize * sum(model.vector for model in self.models)

    def _points(self) -> int:
        """Return the bytes of the vectors that no minimiser does without."""
        return self.itemsize * max(max(FIT, CERTIFY) * model.vector + 3 * _beyond(model) for model in self.models)

    def _least_states(self) -> int:
        if self.fused:
            return max(self._sweeps(1), *(self._block(model, BLOCK_PRODUCT) for model in self.models))
        return max(
            self._sweeps(1),
            *(
                max(
                    self._of_product(model, 1),
                    self.itemsize * (2 * model.step * (1 + math.isqrt(model.stages)) + model.once),
                )
                for model in self.models
            ),
        )

    def _least_vectors(self) -> int:
        return 2 * KEPT * LEAST_PAIRS * self.itemsize * max(model.vector for model in self.models)

    def _working(self, model: ModelSize, shares: Shares) -> int:
        """Return the bytes of a model while it is trained or certified, whichever are more."""
        limit = STATES if shares.states is None else min(STATES, shares.states)
        beyond = 3 * _beyond(model) * self.itemsize
        vectors = model.vector * self.itemsize
        fit = (FIT + 2 * _pairs(vectors, shares.vectors)) * vectors + self._of_gradient(model, limit)
        krylov = _krylov(model.vector, self.itemsize, shares.vectors)
        if not self.smooth or not krylov:
            return fit + beyond
        limit = PRODUCTS if shares.states is None else min(PRODUCTS, shares.states)
        certify = (CERTIFY + krylov + 2 * _pairs(vectors, shares.vectors)) * vectors + self._of_product(model, limit)
        return max(fit, certify) + beyond

    def _starting(self, shares: Shares) -> int:
        """Return the bytes of the pairs of all starts, at the first of the models."""
        vector = self.itemsize * self.models[0].vector
        return self.starts * 2 * min(START_PAIRS, _pairs(vector, shares.vectors)) * vector

    def _diagnosing(self, shares: Shares) -> int:
        """Return the bytes of what diagnostics read of states, with the pairs that are kept until the end."""
        vectors = self.itemsize * max(model.vector for model in self.models)
        return self._sweeps(shares.states) + (HELD + 2 * _pairs(vectors, shares.vectors)) * vectors

    def _sweeps(self, allowed: int | None) -> int:
        """Return the bytes of trajectory and adjoint of a network and, beside them, of the continuum."""
        sizes = [self._swept(model, allowed) for model in self.models]
        return max(sizes) if not self.continuum else max(sizes[:-1], default=0) + sizes[-1]

    def _swept(self, model: ModelSize, allowed: int | None) -> int:
        """Return those of one model, of two parts of the samples where they do not fit one."""
        once = self._at_once(model.swept_stages, model.once, allowed)
        samples = _lanes(self.samples) if self.fused else self.samples
        return self.itemsize * min(samples, 2 * once) * model.swept

    def _at_once(self, stages: int, beside: int, allowed: int | None) -> int:
        """Return how many samples the mathematics goes through at once with every array kept."""
        fitting = self._fitting(WIDEST, stages, beside, PRODUCTS if allowed is None else min(PRODUCTS, allowed))
        if self.samples <= fitting and not self.fused:
            return fitting
        swept = self._fitting(SWEPT, stages, beside, SWEEPS if allowed is None else min(SWEEPS, allowed // 2))
        return max(LANES, swept // LANES * LANES) if self.fused else min(swept, fitting)

    def _fitting(self, arrays: int, stages: int, beside: int, limit: int) -> int:
        return max(1, limit // (self.itemsize * (arrays * stages * self.widest + beside)))

    def _of_gradient(self, model: ModelSize, limit: int) -> int:
        """Return the bytes of the states of a gradient that may take ``limit``."""
        if self.fused:
            return self._block(model, BLOCK_GRADIENT)
        return min(self.itemsize * self.samples * (model.kept + model.once), limit)

    def _block(self, model: ModelSize, kept: int) -> int:
        """Return the bytes of the fused kernel's block of samples, with so many numbers kept of an entry."""
        lane = kept * self.itemsize * model.stages * self.widest
        return lane * min(
            _lanes(self.samples), max(LANES, min(MOST_LANES, NEAR // lane), min(self.widest, FAR // lane))
        )

    def _of_product(self, model: ModelSize, limit: int) -> int:
        """Return the bytes of the states of a Hessian-vector product that may take ``limit``, one sample at least."""
        if self.fused:
            return self._block(model, BLOCK_PRODUCT)
        once = self._at_once(model.stages, model.once, limit)
        return self.itemsize * min(self.samples, once) * (model.kept_by_product + model.once)


def padded(features: int) -> int:
    """Return how many features a kernel keeps: whole fours, as the fused one goes through them."""
    return -(-features // 4) * 4


def _lanes(samples: int) -> int:
    return -(-samples // LANES) * LANES


def _beyond(model: ModelSize) -> int:
    """Return how many numbers K and b of all stages are more than the parameters."""
    return max(0, model.by_stage - model.vector)


def _pairs(vector: int, allowed: int | None) -> int:
    """Return how many pairs of vectors of so many bytes are kept."""
    return PAIRS if allowed is None else max(LEAST_PAIRS, min(PAIRS, allowed // (4 * KEPT * vector)))


def _krylov(length: int, itemsize: int, allowed: int | None) -> int:
    """Return how many vectors the Krylov basis has, 0 where it has too few to be made."""
    most = min(KRYLOV, KRYLOV_NUMBERS // length)
    if allowed is not None:
        most = min(most, allowed // (2 * length * itemsize))
    return min(most, length) if most >= min(FEWEST_KRYLOV, length) else 0
