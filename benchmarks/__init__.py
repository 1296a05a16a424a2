"""Measurements that print ratios; run from the project's root as modules."""
