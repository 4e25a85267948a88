"""Models, registered on import."""

from . import backbones, heads, necks  # noqa: F401
