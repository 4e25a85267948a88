"""The kernels of GPUs, in Triton."""
