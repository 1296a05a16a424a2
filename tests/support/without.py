"""Programs that run as if a library were not installed."""

WITHOUT_TORCH = """
import sys


class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")


sys.meta_path.insert(0, Gone())
"""
"""The beginning of a program in which an import of torch fails."""
