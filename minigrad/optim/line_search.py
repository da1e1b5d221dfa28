"""A line search for the strong Wolfe conditions: how far to go along a direction of descent.

With f(t) the loss after a step t, a step is good enough when it has gained something and is past most of the slope:

    f(t) <= f(0) + c1 t f'(0)            |f'(t)| <= c2 |f'(0)|

First the step grows until an interval must hold such a point; then the interval shrinks around it. Trial points are the
minima of cubics through two values and slopes. Source: Nocedal and Wright, "Numerical optimization" (2006), algorithms
3.5 and 3.6; which trial points count as progress follows Schmidt's minFunc (2005), so that steps are PyTorch's.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple


class Point(NamedTuple):
    """What is known after a step along the direction: the loss, its gradient, and its slope by the step."""

    step: float
    loss: float
    gradient: Any
    slope: float


def strong_wolfe(
    evaluate: Callable[[float], Point], step: float, start: Point, size: float, most: int, *,
    c1: float = 1e-4, c2: float = 0.9, tolerance: float = 1e-9,
) -> tuple[Point, int]:  # fmt: skip
    """(the point found, evaluations spent). `size` is the direction's largest entry, `most` bounds the trials after
    the first; an interval that moves no entry by `tolerance` is the end.
    """

    def fails(point: Point) -> bool:
        return point.loss > start.loss + c1 * point.step * start.slope

    def is_flat(point: Point) -> bool:
        return abs(point.slope) <= -c2 * start.slope

    previous, point, trials = start, evaluate(step), 0
    while trials < most:
        if fails(point) or (trials > 1 and point.loss >= previous.loss):
            bracket = [previous, point]
            break
        if is_flat(point):
            return point, trials + 1
        if point.slope >= 0:
            bracket = [previous, point]
            break
        reach = (point.step + 0.01 * (point.step - previous.step), 10 * point.step)
        previous, point = point, evaluate(cubic_minimum(previous, point, *reach))
        trials += 1
    else:
        bracket = [start, point]

    low = 0 if bracket[0].loss <= bracket[1].loss else 1
    at_border = False
    while trials < most and abs(bracket[1].step - bracket[0].step) * size >= tolerance:
        step, at_border = _inside(bracket, at_border)
        point = evaluate(step)
        trials += 1
        if fails(point) or point.loss >= bracket[low].loss:
            bracket[1 - low] = point
            low = 0 if bracket[0].loss <= bracket[1].loss else 1
            continue
        if is_flat(point):
            return point, trials + 1
        if point.slope * (bracket[1 - low].step - bracket[low].step) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = point
    return bracket[low], trials + 1


def _inside(bracket: list[Point], at_border: bool) -> tuple[float, bool]:
    """The next trial step; one near the border of the interval is allowed once, then moved in by a tenth of it."""
    left, right = sorted(point.step for point in bracket)
    step, margin = cubic_minimum(bracket[0], bracket[1], left, right), 0.1 * (right - left)
    if min(right - step, step - left) >= margin:
        return step, False
    if at_border or not left < step < right:
        return (right - margin if abs(step - right) < abs(step - left) else left + margin), False
    return step, True


def cubic_minimum(a: Point, b: Point, lowest: float, highest: float) -> float:
    """The minimum, kept to [lowest, highest], of the cubic with the values and slopes of two points; the middle of the
    interval where it has none.
    """
    if a.step > b.step:
        a, b = b, a
    if a.step == b.step:
        return (lowest + highest) / 2
    bend = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = bend * bend - a.slope * b.slope
    if not square >= 0:
        return (lowest + highest) / 2
    root = math.sqrt(square)
    rest = b.slope - a.slope + 2 * root
    if not rest:
        return lowest
    step = b.step - (b.step - a.step) * ((b.slope + root - bend) / rest)
    return min(max(step, lowest), highest)
