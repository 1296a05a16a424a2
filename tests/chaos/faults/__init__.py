"""What is done to the service; importing this package fills the registry."""

from tests.chaos.faults import clock, power, processes, storage, store
from tests.chaos.faults.registry import FAULTS, Fault

__all__ = ["FAULTS", "Fault", "clock", "power", "processes", "storage", "store"]
