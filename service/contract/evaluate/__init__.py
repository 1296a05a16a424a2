"""Evaluations of trained models: request, resolved specification, cost and results."""
