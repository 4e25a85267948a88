"""The best trades between a figure and a cost."""

from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]], higher_is_better: bool) -> list[int]:
    """Find the points that no other beats in both: less cost and a better figure.

    Args:
        points: (cost, figure) of each.
        higher_is_better: Which way a figure is good.

    Returns:
        Their places, in the order of cost.
    """
    sign = 1 if higher_is_better else -1
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -sign * points[i][1]))
    best, found = float('-inf'), []
    for i in order:
        if sign * points[i][1] > best:
            best = sign * points[i][1]
            found.append(i)
    return found
