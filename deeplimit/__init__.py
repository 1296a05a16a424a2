"""deeplimit, from Python: the mathematics, in `deeplimit.mathematics`."""
