"""Hooks, samplers, schedules and optimiser wrappers, registered when a registry is first asked."""

from sacm_mm.exports import registered_in

__getattr__ = registered_in(__name__)
