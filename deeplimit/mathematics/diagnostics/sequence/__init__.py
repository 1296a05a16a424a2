"""The class of a sequence of networks of growing depth: norms, exponents, evidence."""
