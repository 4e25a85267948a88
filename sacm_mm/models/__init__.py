"""Models, registered on import."""

from sacm_mm.deploy import hosting  # noqa: F401

from . import (  # noqa: F401
    backbones,
    data_preprocessor,
    depth_estimator,
    foreign,
    heads,
    joint_estimator,
    losses,
    necks,
    tta,
)
