"""Compiled kernels for CPUs, in C++: ``accelerate`` puts them into a model.

Models know nothing of this package, and nothing here is on unless it is asked for. Whatever a
kernel does not know exactly runs plain.
"""
