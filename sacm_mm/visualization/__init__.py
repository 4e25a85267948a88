"""Pictures and plots that people look at."""

from sacm_mm.exports import registered_in

__getattr__ = registered_in(__name__)
