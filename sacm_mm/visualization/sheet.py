"""Rows of panels with colour bars and a legend below, placed by hand.

Matplotlib's own layouts shift the columns that have a colour bar, and take most of the time.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

_TITLE, _GAP, _BARS, _LINE, _ENTRY = 0.3, 0.1, 0.65, 0.22, 1.7  # inches


class Sheet:
    """A figure of rows of panels.

    Args:
        shapes: Height and width of the pictures of each row; only their ratio counts.
        columns: Panels in a row.
        panel_width: Width of a panel, inches.
        handles: Entries of the legend.
        bars: Whether there are colour bars.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        columns: int,
        panel_width: float,
        handles: list[Patch],
        bars: bool,
    ) -> None:
        self.panel_width = panel_width
        self.heights = [panel_width * shape[0] / shape[1] for shape in shapes]
        self.width = _GAP + columns * (panel_width + _GAP)
        self.foot = sum(self.heights) + len(shapes) * _TITLE  # where the bars begin, from the top
        per_line = max(1, int(self.width / _ENTRY))
        lines = -(-len(handles) // per_line)
        self.height = self.foot + _BARS * bars + (lines * _LINE + _GAP if lines else 0)
        self.figure = Figure((self.width, self.height))
        if handles:
            self.figure.legend(
                handles=handles, loc='lower center', ncols=per_line, frameon=False, fontsize=9
            )

    def panel(self, row: int, column: int, title: str) -> Axes:
        """Add the axes of one picture."""
        top = sum(self.heights[:row]) + (row + 1) * _TITLE
        axis = self._axes(column, top, self.panel_width, self.heights[row])
        axis.set(xticks=[], yticks=[])
        axis.set_title(title, pad=4, fontsize=11)
        return axis

    def bar(self, columns: set[int]) -> Axes:
        """Add the axes of a colour bar below some columns."""
        width = (max(columns) - min(columns) + 1) * (self.panel_width + _GAP) - _GAP
        return self._axes(min(columns), self.foot + _GAP, width, 0.14)

    def _axes(self, column: int, top: float, width: float, height: float) -> Axes:
        left = _GAP + column * (self.panel_width + _GAP)
        bottom = self.height - top - height
        return self.figure.add_axes(
            (
                left / self.width,
                bottom / self.height,
                width / self.width,
                height / self.height,
            )
        )
