"""Metrics that the hosts lack, registered when a registry is first asked for one."""
