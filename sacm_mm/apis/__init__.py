"""What is done with a config or a work dir: train, test, predict. Plain functions."""

from sacm_mm.core import quiet_hosts  # noqa: F401
