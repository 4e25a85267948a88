"""Default layer configs, immutable so that they can be default arguments."""

from types import MappingProxyType

BATCH_NORM = MappingProxyType({'type': 'BN'})
GELU = MappingProxyType({'type': 'GELU'})
