"""Models, registered on import."""

from . import backbones, depth_estimator, heads, joint_estimator, losses, necks  # noqa: F401
