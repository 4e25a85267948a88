"""The label of what has none."""

IGNORE_INDEX = 255  # what every host component takes for "no label": padding, losses, metrics
