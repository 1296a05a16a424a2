"""Which kernel a problem gets: as asked, as fits, and as the machine can."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

from deeplimit.mathematics import Problem, Regime
from deeplimit.mathematics.kernels import choice
from deeplimit.mathematics.kernels.tableau import EULER, IMPLICIT_EULER, RK4
from deeplimit.mathematics.problem.regime import Block

if TYPE_CHECKING:
    from pathlib import Path

NUMBA = importlib.util.find_spec("numba") is not None


def problem(**more: Any) -> Problem:
    return Problem([[0.0, 1.0], [1.0, 0.0]], [[1.0], [0.0]], **more)


def at_hand(monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    monkeypatch.setattr(choice, "machine_code_at_hand", lambda: there)


def test_torch_is_torch() -> None:
    assert problem(kernel="torch").kernel_name == "torch"


@pytest.mark.skipif(not NUMBA, reason="the fused kernel needs Numba")
def test_fused_serves_every_explicit_method_and_leaves_implicit_ones() -> None:
    asked = problem(kernel="fused")
    assert [asked.kernel(tableau, 2).name for tableau in (EULER, RK4, IMPLICIT_EULER)] == ["fused", "fused", "torch"]


@pytest.mark.skipif(not NUMBA, reason="the fused kernel needs Numba")
def test_auto_takes_machine_code_that_is_at_hand_and_waits_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand(monkeypatch, there=True)
    assert problem().kernel_name == "fused"
    at_hand(monkeypatch, there=False)
    assert problem().kernel_name == "torch"


def test_a_problem_keeps_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand(monkeypatch, there=False)
    one = problem()
    assert one.kernel_name == "torch"
    at_hand(monkeypatch, there=True)
    assert one.kernel(EULER, 2).name == "torch"


@pytest.mark.parametrize(
    "more", [{"activation": "gelu"}, {"dtype": torch.float32}, {"regime": Regime(block=Block.TWO_LAYER)}]
)
def test_auto_is_torch_for_what_fused_does_not_offer(monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]) -> None:
    at_hand(monkeypatch, there=True)
    assert problem(**more).kernel_name == "torch"
    with pytest.raises(ValueError, match="kernel 'fused'"):
        problem(kernel="fused", **more)


def test_auto_is_torch_for_wide_states(monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand(monkeypatch, there=True)
    assert problem(state_dim=choice.MOST_FUSED_FEATURES + 1).kernel_name == "torch"


def test_machine_code_is_made_beside_the_process_and_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[object] = []
    monkeypatch.setattr(choice, "marker", lambda: tmp_path / "complete")
    monkeypatch.setattr(choice, "can_be_written", lambda: True)
    monkeypatch.setattr(choice, "compilation", lambda: started.append(1))
    assert not choice.machine_code_at_hand()
    assert len(started) == int(NUMBA)
    (tmp_path / "complete").touch()
    assert choice.machine_code_at_hand() is NUMBA


def test_without_numba_torch_serves_and_fused_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert problem().kernel_name == "torch"
    with pytest.raises(ValueError, match="kernel 'fused': the fused kernel needs Numba, which is not installed"):
        problem(kernel="fused")


BROKEN = """
import importlib.util, sys
from deeplimit.mathematics import Problem
from deeplimit.mathematics.kernels import choice
print("numba" in sys.modules)
importlib.util.find_spec = lambda name: True
choice.machine_code_at_hand = lambda: True
sys.modules["numba"] = None  # what imports it meets ImportError
print(Problem([[1.0]], [[1.0]]).kernel_name)
try:
    Problem([[1.0]], [[1.0]], kernel="fused")
except ValueError as error:
    print(error)
"""


def test_numba_is_not_imported_before_it_is_needed_and_may_be_broken() -> None:
    done = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, text=True, check=True)
    imported, auto, fused = done.stdout.splitlines()
    assert imported == "False"
    assert auto == "torch"
    assert fused == "kernel 'fused': Numba does not load here; the log has the reason"
    assert "the fused kernel does not load" in done.stderr
