"""Compile the fused kernel where its machine code is not yet kept: ``python -m tests.support.project.compiled``."""

from deeplimit.mathematics.kernels.fused.cache import marker

if __name__ == "__main__" and not marker().exists():
    from deeplimit.mathematics.kernels.fused.warm import warm

    warm()
