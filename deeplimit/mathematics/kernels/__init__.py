"""Fused evaluations of a layered forward map, its adjoint and its tangents, behind one base class."""
