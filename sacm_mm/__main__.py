"""``python -m sacm_mm`` is ``sacm``."""

from sacm_mm.cli.main import entry

entry()
