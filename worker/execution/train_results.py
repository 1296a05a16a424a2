"""Deeplimit → contract: models, histories and parameters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from safetensors.numpy import save as save_safetensors

from service.contract.results import Metrics
from service.contract.train import results as contract
from worker.deeplimit.minimise import Status
from worker.deeplimit.model.blocks import apart
from worker.deeplimit.model.coordinates import LegendreIncrements
from worker.deeplimit.problem.learning_problem import PARAMETERS
from worker.deeplimit.study.branches import BranchPoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import torch

    from service.contract.job import ArtifactRef
    from worker.deeplimit.minimise import Solution
    from worker.deeplimit.model.coordinates import ContinuumBasis
    from worker.deeplimit.model.objective import DiscretisedObjective
    from worker.deeplimit.study.branches import Branch
    from worker.deeplimit.study.continuum_fit import ContinuumFit
    from worker.execution.problems import Learning


class Model:
    """One trained model on its way to the contract."""

    def __init__(self, learning: Learning, source: BranchPoint | ContinuumFit) -> None:
        self.learning = learning
        self.solution: Solution = source.solution
        self.depth: int | None = None
        self.fit: ContinuumFit | None = None
        self.objective: DiscretisedObjective
        if isinstance(source, BranchPoint):
            self.depth, self.objective = source.depth, source.network
            self.name = f"discrete-{source.depth}"
            K, b = source.parameters.K, source.parameters.b
        else:
            self.fit, self.objective, self.name = source, source.flow, "continuum"
            K, b = source.parameters.coefficients()
        arrays = {**apart(learning.problem, K), "b": b, "W": source.parameters.W, "c": source.parameters.c}
        self.arrays: dict[str, npt.NDArray[np.floating[Any]]] = {
            name: value.detach().cpu().contiguous().numpy() for name, value in arrays.items()
        }
        self.train, self.validation = self._metrics()

    @property
    def usable(self) -> bool:
        """Whether anybody can do anything with it."""
        return self.solution.status is not Status.DIVERGED and math.isfinite(self.solution.objective)

    def parameters_file(self) -> bytes:
        """Return the safetensors file of the fitted parameters."""
        metadata = contract.ParametersMetadata(
            model=self.name,
            input_dim=self.learning.problem.input_dim,
            state_dim=self.learning.problem.state_dim,
            standardisation=_standardisation(self.learning),
            basis=_basis(self.fit.flow.basis) if self.fit is not None else None,
        )
        return save_safetensors(self.arrays, metadata={contract.METADATA_KEY: metadata.model_dump_json()})

    def result(self, stored: ArtifactRef) -> contract.ModelResult:
        """Return the model's entry in the results."""
        solution, terms = self.solution, self.solution.evaluation.terms
        common: dict[str, Any] = {
            "model": self.name,
            "status": solution.status.value,
            "objective": solution.objective,
            "terminal_loss": terms["terminal"],
            "regularisation": {name: terms[name] for name in PARAMETERS},
            "gradient_norm": solution.gradient_norm,
            "iterations": solution.iterations,
            "evaluations": solution.evaluations,
            "hessian_products": solution.hessian_products,
            "wall_time_s": solution.wall_time_s,
            "train": self.train,
            "validation": self.validation,
            "parameters": {
                "arrays": {
                    name: {"shape": list(value.shape), "dtype": str(value.dtype)} for name, value in self.arrays.items()
                },
                "sha256": stored.sha256,
            },
        }
        if self.learning.problem.regime.running_cost:
            common["running_cost"] = terms["running"]
        if self.fit is None:
            return contract.DiscreteResult(kind="discrete", depth=self.depth, **common)
        return contract.ContinuumResult(
            kind="continuum",
            basis=_basis(self.fit.flow.basis),
            steps=self.fit.flow.steps,
            tolerance_reached=self.fit.tolerance_reached,
            limited=self.fit.limited,
            **common,
        )

    def losses(self) -> contract.ModelLosses:
        """Return the history of the fit."""
        rows = self.solution.history
        running = {}
        if self.learning.problem.regime.running_cost:
            running["running_cost"] = [row.terms["running"] for row in rows]
        return contract.ModelLosses(
            model=self.name,
            objective=[row.objective for row in rows],
            terminal_loss=[row.terms["terminal"] for row in rows],
            regularisation=contract.RegularisationHistory(
                **{name: [row.terms[name] for row in rows] for name in PARAMETERS}
            ),
            gradient_norm=[row.gradient_norm for row in rows],
            **running,
            train=self.train,
            validation=self.validation,
        )

    def _metrics(self) -> tuple[Metrics, Metrics | None]:
        problem = self.learning.problem
        train = self._measure(problem.x, problem.y)
        if self.learning.validation is None:
            return train, None
        inputs, targets = self.learning.validation
        return train, self._measure(problem.lift_inputs(inputs), problem.lift_targets(targets))

    def _measure(self, x: torch.Tensor, y: torch.Tensor) -> Metrics:
        z = self.objective.output(self.solution.u, x)
        loss = self.learning.problem.loss
        return Metrics(terminal_loss=float(loss.total(z, y)) / len(x), **loss.metrics(z, y))


def models_of(learning: Learning, branch: Branch) -> list[Model]:
    """Return every model of the verdict branch, by depth, the continuum last."""
    sources: Sequence[BranchPoint | ContinuumFit] = [point for _, point in sorted(branch.points.items())]
    if branch.continuum is not None:
        sources = [*sources, branch.continuum]
    return [Model(learning, source) for source in sources]


def _basis(basis: ContinuumBasis) -> contract.Basis:
    if isinstance(basis, LegendreIncrements):
        return contract.LegendreBasis(family="legendre", degree=basis.degree)
    return contract.PiecewiseLinearBasis(family="piecewise_linear", cells=basis.cells)


def _standardisation(learning: Learning) -> contract.Standardisation:
    scaling = learning.standardisation
    if scaling is None:
        return contract.Standardisation(mean=None, scale=None, target_mean=None, target_scale=None)
    return contract.Standardisation(
        mean=scaling.mean.tolist(),
        scale=scaling.scale.tolist(),
        target_mean=None if scaling.target_mean is None else scaling.target_mean.tolist(),
        target_scale=None if scaling.target_scale is None else scaling.target_scale.tolist(),
    )
