"""Hooks, samplers, schedules and optimiser wrappers, registered when a registry is first asked."""
