"""Models, registered when a registry is first asked for one."""

from sacm_mm.core import compiled_operators  # noqa: F401
