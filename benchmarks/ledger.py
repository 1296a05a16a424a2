"""What a study's work goes to: layers gone through by the kernels, and CPU time, by section.

A gradient, a forward pass and its adjoint, counts 1 for each layer (or stage) and sample; a forward pass alone ½; a
Hessian-vector product 2, and what it is prepared by 1. So a count over the finest depth times the samples is in
gradients of the finest depth.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from deeplimit.mathematics import trained_study
from deeplimit.mathematics.diagnostics import measured, report
from deeplimit.mathematics.kernels.kernel import Kernel
from deeplimit.mathematics.study import branch_certificates, saddles, sweep
from deeplimit.mathematics.study.fitter import Fitter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WEIGHTS: Final = {"forward": 0.5, "gradient": 0.5, "backward": 0.5, "tangent": 1.0, "second_adjoint": 1.0}
"""By method of a kernel. One that calls another of them is not counted twice."""
AT_ONCE: Final = {
    "gradients": (1, 1.0),
    "objective": (2, 1.0),
    "hessian_product": (2, 3.0),
    "product": (3, 3.0),
    "objectives": (2, 1.0),
}
"""Of passes in one go, which a kernel may not have and then returns None: where the samples are among what is given,
and the weight; that of ``objectives`` is for each set."""


class Ledger:
    """Counts what is done, by section; sections may be nested, and the innermost pays.

    Attributes
    ----------
    layers
        Weighted layers times samples, by section.
    calls
        The same by section and method of the kernel.
    seconds
        CPU time of this thread, by section.
    """

    def __init__(self) -> None:
        self.layers: defaultdict[str, float] = defaultdict(float)
        self.calls: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.total = 0.0
        self._open = ["other"]
        self._part: str | None = None
        self._since = time.thread_time()
        self._inside = False

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Count all that is done in this context."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(ImportError):  # without Numba there is no fused kernel to count
                import_module("deeplimit.mathematics.kernels.fused.kernel")
            for kind in _concrete(Kernel):  # type: ignore[type-abstract]  # its concrete kinds are asked for
                for name in (*WEIGHTS, *AT_ONCE):
                    if name in vars(kind):
                        stack.enter_context(mock.patch.object(kind, name, self._counted(kind, name)))
            for owner, name, section in (
                (trained_study, "run_study", "training"),
                (Fitter, "network", "fits"),
                (Fitter, "continuum", "fits of the continuum"),
                (sweep, "hold_together", "follow back"),
                (trained_study, "sharpen", "sharpen"),
                (saddles, "certify", "certificates"),
                (branch_certificates, "certify", "certificates"),
                (trained_study, "diagnose", "diagnostics"),
                (trained_study, "sharpened", "diagnostics"),
            ):
                real = getattr(owner, name)
                stack.enter_context(mock.patch.object(owner, name, self._section(real, section)))
            for module in (trained_study, report, measured):
                stack.enter_context(mock.patch.object(module, "begin_part", self._begin(module.begin_part)))
            self._since = time.thread_time()
            yield
            self._charge()

    def shares(self, unit: float) -> list[tuple[str, float, float]]:
        """Return section, work in parts of ``unit`` and CPU seconds, in the order of discovery."""
        return [(name, self.layers[name] / unit, self.seconds[name]) for name in self.seconds]

    def training(self) -> tuple[float, float]:
        """Return layers and seconds of all that trains: neither a certificate nor a diagnostic."""
        names = [name for name in self.seconds if _trains(name)]
        return sum(self.layers[name] for name in names), sum(self.seconds[name] for name in names)

    def diagnostics(self) -> tuple[float, float]:
        """Return layers and seconds of everything else."""
        layers, seconds = self.training()
        return sum(self.layers.values()) - layers, sum(self.seconds.values()) - seconds

    def _counted(self, kind: type[Kernel], name: str) -> Callable[..., Any]:
        real = getattr(kind, name)

        def call(kernel: Kernel, *given: Any, **named: Any) -> Any:
            if self._inside:
                return real(kernel, *given, **named)
            self._inside = True
            try:
                found = real(kernel, *given, **named)
            finally:
                self._inside = False
            if found is not None:
                amount = _weighted_samples(name, given) * kernel.steps * kernel.stages
                self.layers[self._open[-1]] += amount
                self.calls[self._open[-1], name] += amount
                self.total += amount
            return found

        return call

    def _section(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            # What is sharpened is fitted, and the certificates of the last part are that part's.
            inner = name
            if "sharpen" in self._open and name.startswith("fits"):
                inner = "sharpen"
            self._charge()
            self._open.append(inner)
            try:
                return real(*given, **named)
            finally:
                self._charge()
                self._open.pop()

        return call

    def _begin(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(checkpoint: Callable[[], None], part: str) -> None:
            self._charge()
            if self._open[-1].startswith("diagnostics"):
                self._open[-1] = f"diagnostics: {part}"
            real(checkpoint, part)

        return call

    def _charge(self) -> None:
        now = time.thread_time()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now


def _weighted_samples(name: str, given: Sequence[Any]) -> float:
    """Return the samples that a call of a kernel goes through, times its weight."""
    if name in AT_ONCE:
        place, weight = AT_ONCE[name]
        return weight * len(given[place]) * (len(given[1]) if name == "objectives" else 1)
    return WEIGHTS[name] * (len(given[2]) if name == "forward" else given[0].states.shape[1])


def _trains(section: str) -> bool:
    return section in {"training", "fits", "fits of the continuum", "follow back", "sharpen", "other"}


def _concrete(kind: type[Kernel]) -> Iterator[type[Kernel]]:
    for each in kind.__subclasses__():
        yield each
        yield from _concrete(each)
