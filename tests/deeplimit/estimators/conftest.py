"""What the estimators' tests share."""

import pytest

WITHOUT_TORCH = """
import sys


class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")


sys.meta_path.insert(0, Gone())
"""


@pytest.fixture(scope="session")
def without_torch() -> str:
    """The beginning of a program in which an import of torch fails, as if it were not installed."""
    return WITHOUT_TORCH
