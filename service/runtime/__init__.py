"""Processes on one machine: the service run as a whole, and what ties its processes to each other."""
