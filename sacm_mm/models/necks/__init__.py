"""Necks, registered when a registry is first asked for one."""

from sacm_mm.exports import registered_in

__getattr__ = registered_in(__name__)
