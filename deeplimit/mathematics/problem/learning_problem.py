"""What is being solved: data, activation, terminal loss, regularisation and fixed parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from deeplimit.mathematics.kernels.activations import ACTIVATIONS, Activation
from deeplimit.mathematics.kernels.choice import KernelChoice, explicit_scheme
from deeplimit.mathematics.kernels.implicit_euler import ImplicitEuler
from deeplimit.mathematics.kernels.kernel import Kernel
from deeplimit.mathematics.kernels.tableau import IMPLICIT_EULER, Tableau
from deeplimit.mathematics.kernels.two_layer import TwoLayerRungeKutta
from deeplimit.mathematics.kernels.vector_field import SingleLayer, TwoLayer, VectorField
from deeplimit.mathematics.kernels.workspace import Workspace
from deeplimit.mathematics.problem.data_symmetry import DataSymmetry, data_symmetries
from deeplimit.mathematics.problem.memory import Memory
from deeplimit.mathematics.problem.regime import Regime
from deeplimit.mathematics.problem.terminal_loss import TERMINAL_LOSSES, TerminalLoss

PARAMETERS: Final = ("K", "b", "W", "c")
"""The parameters θ in the order of every flat vector."""
LAYERED: Final = PARAMETERS[:2]
"""Those that depend on the layer."""


@dataclass(frozen=True)
class Regularisation:
    """The weights α and τ of the regularisers, all positive.

    α_A multiplies R_n(A) = n Σ ‖A_i − A_{i−1}‖² + τ_A ‖A_0‖² for A in {K, b}, and ‖W‖², ‖c‖².

    Raises
    ------
    ValueError
        If a weight is not a positive number: without it minimisers need not exist (Thorpe and van Gennip 2023).
    """

    alpha: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(PARAMETERS, 1e-2))
    tau: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(LAYERED, 1.0))

    def __post_init__(self) -> None:
        for symbol, weights, names in (("alpha", self.alpha, PARAMETERS), ("tau", self.tau, LAYERED)):
            for name in names:
                if not 0.0 < weights.get(name, 0.0) < float("inf"):
                    raise ValueError(f"{symbol}.{name} must be a positive number")


class Problem:
    """One learning problem, shared by every depth and the continuum.

    Parameters
    ----------
    inputs
        (S, f) numbers; padded with zeros to (S, d) (the lift).
    targets
        (S, m) numbers or (S,) for squared_error, (S,) integers 0..m−1 for cross_entropy, (S,) or (S, 1) of ±1 for
        logistic.
    activation, loss
        Names from ``ACTIVATIONS`` and ``TERMINAL_LOSSES``; the loss fixes the output h.
    state_dim
        d ≥ f; by default f.
    classes
        m for cross_entropy, when the targets at hand need not show every class.
    regime
        Departures from the paper's problem; none by default.
    fixed
        Parameters held constant: K (d, d) and b (d,) for all layers, W (m, d), c (m,); of two-layer blocks K (2w, d),
        the rows of K and of Vᵀ, and b (w,).
    device, dtype
        Where and in what precision everything is computed.
    kernel
        What goes through the layers: ``torch``, ``fused``, or ``auto`` for the fused kernel where it is at hand and
        faster. Implicit methods and two-layer blocks are torch's.
    memory
        How many bytes states and a minimiser's vectors may take.

    Raises
    ------
    ValueError
        If shapes or targets do not fit, a number is not finite, a name is unknown, or the fused kernel is asked for and
        cannot serve.
    """

    def __init__(
        self,
        inputs: ArrayLike,
        targets: ArrayLike,
        *,
        activation: str = "tanh",
        loss: str = "squared_error",
        regularisation: Regularisation | None = None,
        regime: Regime | None = None,
        state_dim: int | None = None,
        classes: int | None = None,
        fixed: Mapping[str, ArrayLike] | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float64,
        kernel: KernelChoice | str = KernelChoice.AUTO,
        memory: Memory | None = None,
    ) -> None:
        x = np.asarray(inputs, dtype=np.float64)
        if x.ndim != 2 or not x.size:
            raise ValueError(f"inputs must be a non-empty (S, f) array, not {x.shape}")
        if not np.isfinite(x).all():
            raise ValueError("inputs must be finite")
        if activation not in ACTIVATIONS or loss not in TERMINAL_LOSSES:
            raise ValueError(f"unknown activation or loss: {activation}, {loss}")
        self.activation: Activation = ACTIVATIONS[activation]
        self.loss: TerminalLoss = TERMINAL_LOSSES[loss]
        self.regularisation = regularisation or Regularisation()
        self.regime = regime or Regime()
        self.memory = memory or Memory()
        self.workspace = Workspace()
        self.device = torch.device(device)
        self.dtype = dtype
        self._kernel = KernelChoice(kernel)
        self.input_dim = x.shape[1]
        self.state_dim = state_dim or self.input_dim
        if self.state_dim < self.input_dim:
            raise ValueError(f"state_dim {self.state_dim} is smaller than the {self.input_dim} inputs")
        self.x = self.lift_inputs(x)
        self.y, self.output_dim = self._targets(targets, classes)
        if len(self.y) != len(self.x):
            raise ValueError(f"{len(self.x)} inputs but {len(self.y)} targets")
        self.shapes: dict[str, tuple[int, ...]] = {
            "K": (2 * self.width, self.state_dim) if self.regime.two_layer else (self.state_dim, self.state_dim),
            "b": (self.width,),
            "W": (self.output_dim, self.state_dim),
            "c": (self.output_dim,),
        }
        self.fixed: dict[str, Tensor] = {}
        for name, value in (fixed or {}).items():
            tensor = self.tensor(value)
            if name not in self.shapes or tensor.shape != self.shapes[name]:
                raise ValueError(f"fixed {name} must have shape {self.shapes.get(name)}, not {tuple(tensor.shape)}")
            self.fixed[name] = tensor
        self.trained: tuple[str, ...] = tuple(name for name in PARAMETERS if name not in self.fixed)
        if not self.trained:
            raise ValueError("every parameter is fixed: nothing to train")
        if KernelChoice(kernel) is KernelChoice.FUSED:
            self._explicit  # noqa: B018 - raises where it cannot serve

    @property
    def width(self) -> int:
        """Entries of K X + b: d but for two-layer blocks."""
        return self.regime.width or self.state_dim

    @property
    def samples(self) -> int:
        """Number S of samples."""
        return len(self.x)

    @property
    def smooth(self) -> bool:
        """Whether the objective is twice continuously differentiable."""
        return self.activation.smooth

    @property
    def varying(self) -> bool:
        """Whether any parameter that depends on the layer is trained."""
        return any(name in self.trained for name in LAYERED)

    @property
    def curvature_floor(self) -> float:
        """2 min α over the trained parameters: the Hessian's value in directions that the data do not see.

        It is 0 where K or b is not regularised.
        """
        return 2.0 * min(self.weight(name) for name in self.trained)

    @cached_property
    def _explicit(self) -> type[Kernel]:
        """The kernel of explicit methods, one and the same for all that is computed of this problem."""
        if self.regime.two_layer:
            if self._kernel is KernelChoice.FUSED:
                raise ValueError("kernel 'fused': two-layer blocks are torch's")
            return TwoLayerRungeKutta
        return explicit_scheme(self._kernel, self.activation.name, self.state_dim, device=self.device, dtype=self.dtype)

    @cached_property
    def field(self) -> VectorField:
        """The right-hand side of the differential equation, but for the horizon."""
        return (TwoLayer if self.regime.two_layer else SingleLayer)(self.activation)

    @property
    def kernel_name(self) -> str:
        """Name of the kernel that goes through explicit methods' layers."""
        return self._explicit.name

    @cached_property
    def data_symmetries(self) -> list[DataSymmetry]:
        """Maps of inputs and outputs, but for the identity, under which the set of samples stays as it is."""
        x, y = (value.detach().cpu().numpy().astype(np.float64) for value in (self.x[:, : self.input_dim], self.y))
        signs = self.activation.odd or self.regime.two_layer
        return data_symmetries(x, y, self.loss.name, self.output_dim, signs=signs)

    def weight(self, name: str) -> float:
        """Return the factor of ‖u‖² in the objective, u the coordinates of one parameter: α but for the regime."""
        alpha = self.regularisation.alpha[name]
        return self.regime.weight(alpha) if name in LAYERED else alpha

    def tau(self, name: str) -> float:
        """Return the factor of ‖A(0)‖² beside ∫‖A'‖² on [0, 1] of K or b: τ but for the regime."""
        return self.regime.tau(self.regularisation.tau[name])

    def expected_orders(self) -> dict[str, float]:
        """Return the orders in 1/n that minima, minimisers and states should have, none without a limit problem."""
        return self.regime.expected_orders(smooth=self.smooth, varying=self.varying)

    def kernel(self, tableau: Tableau, steps: int) -> Kernel:
        """Return the scheme that integrates the regime's blocks over [0, T] in equal steps.

        Raises
        ------
        ValueError
            If blocks of this kind are not integrated by the method.
        """
        scheme: type[Kernel]
        if tableau.explicit:
            scheme = self._explicit
        elif tableau is IMPLICIT_EULER and not self.regime.two_layer:
            scheme = ImplicitEuler
        else:
            raise ValueError(f"{tableau.name} is implicit, which {self.regime.block.value} blocks do not offer")
        running = self.regime.running_cost / self.samples
        kernel = scheme(tableau, steps, self.activation, horizon=self.regime.horizon, running=running)
        kernel.work_in(self.workspace.evaluators)
        return kernel

    def tensor(self, value: ArrayLike) -> Tensor:
        """Copy numbers to this problem's device and precision."""
        values = np.array(value, dtype=np.float64, order="C")  # torch takes no negative strides
        return torch.tensor(values, dtype=self.dtype, device=self.device)

    def lift_inputs(self, inputs: ArrayLike) -> Tensor:
        """Pad (S, f) inputs with zeros to states (S, d)."""
        x = self.tensor(inputs)
        if x.ndim != 2 or x.shape[1] != self.input_dim:
            raise ValueError(f"inputs must have shape (S, {self.input_dim}), not {tuple(x.shape)}")
        return torch.nn.functional.pad(x, (0, self.state_dim - self.input_dim)).contiguous()

    def lift_targets(self, targets: ArrayLike) -> Tensor:
        """Bring targets of this problem's kind, for example a validation part's, to tensors."""
        y, m = self._targets(targets, self.output_dim if self.loss.name == "cross_entropy" else None)
        if m != self.output_dim:
            raise ValueError(f"targets have {m} outputs, the problem has {self.output_dim}")
        return y

    def _targets(self, targets: ArrayLike, classes: int | None) -> tuple[Tensor, int]:
        y = np.asarray(targets, dtype=np.float64)
        if not np.isfinite(y).all():
            raise ValueError("targets must be finite")
        if self.loss.name == "cross_entropy":
            labels = y.astype(np.int64)
            if y.ndim != 1 or (labels != y).any() or (labels < 0).any():
                raise ValueError("cross_entropy needs one non-negative integer per sample")
            m = classes if classes is not None else int(labels.max()) + 1
            if int(labels.max()) >= m:
                raise ValueError(f"class {int(labels.max())} is not below {m}")
            return torch.tensor(labels, device=self.device), m
        if y.ndim == 1:
            y = y[:, None]
        if y.ndim != 2:
            raise ValueError(f"targets must have shape (S, m), not {y.shape}")
        if self.loss.name == "logistic" and (y.shape[1] != 1 or not np.isin(y, (-1.0, 1.0)).all()):
            raise ValueError("logistic needs one target per sample, each -1 or 1")
        return self.tensor(y), y.shape[1]
