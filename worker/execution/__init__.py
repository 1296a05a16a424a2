"""From a resolved specification to results: the only mapper between the contract and the mathematics.

Imports torch; only the trainer imports this.
"""

from worker.execution.kinds import execute

__all__ = ["execute"]
