"""The kernels of CPUs: compiled from ``csrc/`` where they first run."""
