"""Models, registered when a registry is first asked for one."""

from sacm_mm.core import compiled_operators  # noqa: F401
from sacm_mm.exports import registered_in

__getattr__ = registered_in(__name__)
