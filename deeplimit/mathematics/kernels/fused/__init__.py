"""Kernels whose loop over all layers is machine code, samples in lanes of vectors; only this package needs Numba."""
