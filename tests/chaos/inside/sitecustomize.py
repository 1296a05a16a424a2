"""Runs as every Python process of the service under chaos starts, and changes modules as they are imported.

`CHAOS_PATCHES` names the patches. The first three make faults possible; each of the others switches off one thing that
the service's promises rest on, so that the audit can be seen to notice.
"""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any


def valkey_wrapper(module: Any) -> None:
    """Have Valkey started through a script that preloads what fakes its clock."""
    module.get_binary_path = lambda: Path(os.environ["CHAOS_VALKEY"])


def impatient_sweeper(module: Any) -> None:
    """Have what a request was to store count as lost after some seconds; the service gives a slow one an hour."""
    sweeper = module.Datasets if hasattr(module, "Datasets") else module.Leftovers
    sweeper.sweep.__defaults__ = (float(os.environ["CHAOS_LOST_AFTER_S"]),)


def no_reconciler(module: Any) -> None:
    """Have no API process reconcile, not when it starts either."""
    module.Reconciler.start = lambda _: None


def no_fence(module: Any) -> None:
    """Have every script take any fence for that of the latest claim."""
    load = module.load

    def loaded(client: Any, package: str) -> Any:
        register = client.register_script
        client.register_script = lambda text: register(_replaced(text, "return job[1] == fence and (", "return ("))
        try:
            return load(client, package)
        finally:
            del client.register_script

    module.load = loaded


def valkey_without_fsync(module: Any) -> None:
    """Have Valkey leave it to the system when what it wrote is on disk."""
    module.CONFIGURATION = _replaced(module.CONFIGURATION, "appendfsync always", "appendfsync no")


def objects_without_fsync(module: Any) -> None:
    """Have results left to the system likewise; the id of the store stays, or nothing would start again."""
    to_disk = module._to_disk
    module._to_disk = lambda path: None if "results" in path.parts else to_disk(path)


def _replaced(text: str, old: str, new: str) -> str:
    if old not in text:
        raise LookupError(f"nothing to switch off: {old}")
    return text.replace(old, new)


PATCHES: dict[str, tuple[str, Callable[[Any], None]]] = {
    "valkey-wrapper": ("service.runtime.valkey", valkey_wrapper),
    "impatient-datasets": ("service.datasets.datasets", impatient_sweeper),
    "impatient-jobs": ("service.jobs.leftovers", impatient_sweeper),
    "no-reconciler": ("service.jobs.reconciler", no_reconciler),
    "no-fence": ("service.jobstore.scripts", no_fence),
    "valkey-without-fsync": ("service.runtime.valkey", valkey_without_fsync),
    "objects-without-fsync": ("service.artifacts", objects_without_fsync),
}


class _Loader(importlib.abc.Loader):
    """Loads a module as it is, and changes it then."""

    def __init__(self, loader: importlib.abc.Loader, patches: Sequence[Callable[[Any], None]]) -> None:
        self._loader = loader
        self._patches = patches

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        for patch in self._patches:
            patch(module)

    def __getattr__(self, name: str) -> Any:  # resources of packages are asked of the loader
        return getattr(self._loader, name)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, patches: dict[str, list[Callable[[Any], None]]]) -> None:
        self._patches = patches

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self._patches:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._patches[name])
        return spec


def install(names: Sequence[str]) -> None:
    """Change the modules of these patches from now on."""
    wanted: dict[str, list[Callable[[Any], None]]] = {}
    for name in names:
        module, patch = PATCHES[name]
        wanted.setdefault(module, []).append(patch)
    sys.meta_path.insert(0, _Finder(wanted))


install(os.environ.get("CHAOS_PATCHES", "").split())
