"""What a network is beside its weights: all that it takes to rebuild it, from a job's specification and results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from service.contract.model_name import CONTINUUM
from service.contract.train.results import Basis, LegendreBasis, ParametersMetadata, Standardisation

if TYPE_CHECKING:
    from service.contract.train.resolved import ResolvedTrainSpec

KEY: Final = "network"
"""Of the description in the metadata of an exported parameters file, beside the metadata of every parameters file."""
FIRST_STEPS: Final = 32
UNKNOWN_STEPS: Final = 1024
"""Steps of a continuum whose parameters do not say how many it was trained with, as those of version 0.1.0."""
SMOOTH: Final = frozenset({"identity", "tanh", "sin", "softplus", "silu", "gelu", "sigmoid"})


class Network(BaseModel):
    """A network: how inputs become predictions, and what these are called.

    Attributes
    ----------
    integrator
        What a layer is a step of. The continuum is integrated by the classical Runge-Kutta method, whatever its
        networks' layers are.
    depth
        n; None for the continuum.
    steps
        Of the integrator: n, or as many as resolve the continuum on the job's data, where that is known.
    first_steps
        From which an evaluation starts doubling the steps of a continuum; None for networks.
    inputs, targets, classes
        Names of columns and classes, None where there are none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    model: str
    activation: str
    integrator: str
    block: str
    width: int | None
    horizon: float
    output: str
    loss: str
    input_dim: int
    state_dim: int
    output_dim: int
    depth: int | None
    basis: Basis | None
    steps: int
    first_steps: int | None
    standardisation: Standardisation
    inputs: list[str] | None
    targets: list[str] | None
    classes: list[str] | None
    job_id: str
    version: str

    @property
    def smooth(self) -> bool:
        """Whether the activation is twice continuously differentiable."""
        return self.activation in SMOOTH

    @property
    def two_layer(self) -> bool:
        """Whether blocks are V σ(K X + b)."""
        return self.block == "two_layer"

    @classmethod
    def of_file(cls, content: bytes) -> Network:
        """Read it from an exported parameters file."""
        return cls.model_validate_json(header_of(content)["__metadata__"][KEY])


def header_of(content: bytes) -> dict[str, Any]:
    """Return the header of a safetensors file, which starts with its length."""
    header: dict[str, Any] = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return header


def network_of(job_id: str, spec: ResolvedTrainSpec, results: dict[str, Any], content: bytes) -> Network:
    """Return what a model of a train job is, from its resolved specification, its results and its parameters file."""
    stored, header = ParametersMetadata.of_file(content), header_of(content)
    found, asked = results.get("data") or {}, spec.network
    data: Any = spec.data
    basis = stored.basis
    continuum = stored.model == CONTINUUM
    return Network(
        model=stored.model,
        activation=asked.activation,
        integrator="rk4" if continuum else asked.integrator,
        block=asked.block,
        width=asked.width,
        horizon=asked.horizon,
        output=asked.output,
        loss=spec.objective.loss,
        input_dim=stored.input_dim,
        state_dim=stored.state_dim,
        output_dim=header["c"]["shape"][0],
        depth=None if continuum else header["b"]["shape"][0],
        basis=basis,
        steps=stored.resolved_steps or stored.steps or UNKNOWN_STEPS if continuum else header["b"]["shape"][0],
        first_steps=None if basis is None else FIRST_STEPS if isinstance(basis, LegendreBasis) else basis.cells,
        standardisation=stored.standardisation,
        inputs=found.get("inputs") or getattr(data, "columns", None),
        targets=found.get("targets"),
        classes=found.get("classes") or getattr(data, "class_names", None),
        job_id=job_id,
        version=(results.get("provenance") or {}).get("version", ""),
    )


def described(content: bytes, network: Network) -> bytes:
    """Return a parameters file with the network's description among its metadata; the same each time, to the byte."""
    start, header = 8 + int.from_bytes(content[:8], "little"), header_of(content)
    header["__metadata__"] = {**header["__metadata__"], KEY: network.model_dump_json()}
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors stay aligned
    return len(text).to_bytes(8, "little") + text + content[start:]
