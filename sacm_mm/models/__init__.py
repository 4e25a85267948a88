"""Models, registered on import."""

from . import (  # noqa: F401
    backbones,
    depth_estimator,
    heads,
    joint_estimator,
    losses,
    necks,
    tta,
)
