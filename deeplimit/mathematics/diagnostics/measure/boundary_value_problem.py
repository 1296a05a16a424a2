"""The Euler-Lagrange boundary-value problem as collocation solvers take it: right-hand side, Jacobian, conditions.

One column of y (N,) holds X (S, d), p (S, d), K (d, d), L = K', b (d,), l = b'; equations in independent_check.py.
Everything is vectorised over the M points of a mesh and in float64.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from deeplimit.mathematics.problem.learning_problem import Problem

Floats = npt.NDArray[np.float64]


class BoundaryValueProblem:
    """The system of one problem.

    Attributes
    ----------
    free
        Which of W and c are unknown; fixed ones are constants.
    """

    def __init__(self, problem: Problem, watch: Callable[[], None] | None = None) -> None:
        self.problem = problem
        self._watch = watch or (lambda: None)
        S, d = problem.samples, problem.state_dim
        self.free = tuple(name for name in ("W", "c") if name not in problem.fixed)
        shapes = {"X": (S, d), "p": (S, d), "K": (d, d), "L": (d, d), "b": (d,), "l": (d,)}
        self._shapes: dict[str, tuple[int, ...]] = shapes
        self.slices: dict[str, slice] = {}
        start = 0
        for name, shape in shapes.items():
            count = int(np.prod(shape))
            self.slices[name] = slice(start, start + count)
            start += count
        self.size = start
        self._x = problem.x.detach().double().cpu().numpy()
        self._fixed = {name: value.detach().double().cpu().numpy() for name, value in problem.fixed.items()}

    def split(self, y: Floats) -> dict[str, Floats]:
        """Return views of y (N, M) by name, each with the mesh last."""
        return {name: y[part].reshape(*self._shapes[name], -1) for name, part in self.slices.items()}

    def numbers(self, p: Floats) -> tuple[Floats, Floats]:
        """Return W (m, d) and c (m,)."""
        shapes, start, found = self.problem.shapes, 0, dict(self._fixed)
        for name in self.free:
            count = int(np.prod(shapes[name]))
            found[name] = np.asarray(p[start : start + count], dtype=np.float64).reshape(shapes[name])
            start += count
        return found["W"], found["c"]

    def slopes(self, _t: Floats, y: Floats, _p: Floats | None = None) -> Floats:
        """Return y' (N, M)."""
        self._watch()
        at, alpha, S = self.split(y), self.problem.regularisation.alpha, self.problem.samples
        a, first, _ = self._sigma(self._z(at))
        delta = first * at["p"]
        out = np.empty_like(y)
        self._put(out, "X", a)
        self._put(out, "p", -np.einsum("sit,ijt->sjt", delta, at["K"]))
        self._put(out, "K", at["L"])
        self._put(out, "L", np.einsum("sit,sjt->ijt", delta, at["X"]) / (2.0 * alpha["K"] * S))
        self._put(out, "b", at["l"])
        self._put(out, "l", delta.sum(0) / (2.0 * alpha["b"] * S))
        return out

    def jacobian(self, _t: Floats, y: Floats, p: Floats | None = None) -> Floats | tuple[Floats, Floats]:
        """Return ∂y'/∂y (N, N, M), and with unknown numbers ∂y'/∂p = 0 (N, k, M)."""
        self._watch()
        at, alpha = self.split(y), self.problem.regularisation.alpha
        S, d, M = self.problem.samples, self.problem.state_dim, y.shape[1]
        _, first, second = self._sigma(self._z(at))
        K, X, costate = at["K"], at["X"], at["p"]
        delta, bend = first * costate, second * costate
        J = np.zeros((self.size, self.size, M))
        identity = np.eye(d)

        def write(row: str, column: str, value: Floats) -> None:
            rows, columns = self.slices[row], self.slices[column]
            J[rows, columns] = value.reshape(rows.stop - rows.start, columns.stop - columns.start, M)

        # z_i depends on X_j by K_ij, on K_ij by X_j and on b_i by 1; samples do not see one another.
        for s in range(S):
            rows = {name: slice(self.slices[name].start + s * d, self.slices[name].start + s * d + d) for name in "Xp"}
            flow = first[s][:, None] * K
            J[rows["X"], rows["X"]] = flow
            J[rows["p"], rows["p"]] = -np.swapaxes(flow, 0, 1)
            J[rows["p"], rows["X"]] = -np.einsum("it,ijt,ikt->jkt", bend[s], K, K)
        write("X", "K", np.einsum("sit,sjt,ik->sikjt", first, X, identity))
        write("X", "b", np.einsum("sit,ik->sikt", first, identity))
        by_K = -np.einsum("sit,ijt,slt->sjilt", bend, K, X)
        by_K -= np.einsum("sit,jl->sjilt", delta, identity)
        write("p", "K", by_K)
        write("p", "b", -np.einsum("sit,ijt->sjit", bend, K))
        factor = 1.0 / (2.0 * alpha["K"] * S)
        LX = np.einsum("sit,ikt,sjt->ijskt", bend, K, X) + np.einsum("sit,jk->ijskt", delta, identity)
        write("L", "X", factor * LX)
        write("L", "p", factor * np.einsum("sit,sjt,ik->ijskt", first, X, identity))
        write("L", "K", factor * np.einsum("sit,sjt,slt,ik->ijklt", bend, X, X, identity))
        write("L", "b", factor * np.einsum("sit,sjt,ik->ijkt", bend, X, identity))
        factor = 1.0 / (2.0 * alpha["b"] * S)
        write("l", "X", factor * np.einsum("sit,ikt->iskt", bend, K))
        write("l", "p", factor * np.einsum("sit,ik->iskt", first, identity))
        write("l", "K", factor * np.einsum("sit,slt,ik->iklt", bend, X, identity))
        write("l", "b", factor * np.einsum("sit,ik->ikt", bend, identity))
        for value, slope, size in (("K", "L", d * d), ("b", "l", d)):
            J[self.slices[value], self.slices[slope]] = np.eye(size)[:, :, None]
        return J if p is None else (J, np.zeros((self.size, len(p), M)))

    def boundary(self, left: Floats, right: Floats, p: Floats | None = None) -> Floats:
        """Return what must vanish: as many numbers as there are functions and unknown numbers."""
        start, end = self.split(left[:, None]), self.split(right[:, None])
        problem, alpha, tau = self.problem, self.problem.regularisation.alpha, self.problem.regularisation.tau
        W, c = self.numbers(np.empty(0) if p is None else p)
        final = end["X"][..., 0]
        z = problem.tensor(final @ W.T + c)
        r = problem.loss.gradient(z, problem.y).double().cpu().numpy()
        parts = [
            start["X"][..., 0] - self._x,
            end["p"][..., 0] - r @ W,
            start["L"][..., 0] - tau["K"] * start["K"][..., 0],
            end["L"][..., 0],
            start["l"][..., 0] - tau["b"] * start["b"][..., 0],
            end["l"][..., 0],
        ]
        conditions = {
            "W": 2.0 * alpha["W"] * W + r.T @ final / problem.samples,
            "c": 2.0 * alpha["c"] * c + r.mean(0),
        }
        parts += [conditions[name] for name in self.free]
        return np.concatenate([np.asarray(part, dtype=np.float64).reshape(-1) for part in parts])

    def _z(self, at: dict[str, Floats]) -> Floats:
        z: Floats = np.einsum("ijt,sjt->sit", at["K"], at["X"]) + at["b"]
        return z

    def _sigma(self, z: Floats) -> tuple[Floats, Floats, Floats]:
        """Return σ, σ' and σ''."""
        activation, tensor = self.problem.activation, torch.from_numpy(np.ascontiguousarray(z))
        a = activation(tensor)
        return a.numpy(), activation.first(tensor, a).numpy(), activation.second(tensor, a).numpy()

    def _put(self, out: Floats, name: str, value: Floats) -> None:
        out[self.slices[name]] = value.reshape(-1, out.shape[1])
