"""Models, registered on import."""

from . import backbones, depth_estimator, heads, losses, necks  # noqa: F401
