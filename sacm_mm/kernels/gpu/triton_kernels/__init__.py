"""Triton kernels of the mixer block; importing anything here needs Triton."""
