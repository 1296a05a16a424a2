"""Diagnoses of weights trained elsewhere: request, resolved specification and results."""
