"""Places a finding's estimate, interval and limit on a small picture, in SVG units."""

from __future__ import annotations

from dataclasses import dataclass

from audits.disparity import Direction
from audits.policy import Rule

WIDTH, HEIGHT, MARGIN = 180, 24, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Horizontal places, from 0 to `WIDTH`, of a dot with its interval among its limits.

    Parameters
    ----------
    dot, low, high
        Estimate and interval.
    limits
        The limit, or both ends of what to stay within.
    zero
        No difference; None for statistics that are no difference.
    """

    dot: float
    low: float
    high: float
    limits: tuple[float, ...]
    zero: float | None


def plot(rule: Rule, value: float, low: float, high: float, *, zero: bool) -> Plot:
    """Place a finding, on a scale that holds its interval, its limits and zero if asked for."""
    limits = (-rule.limit, rule.limit) if rule.direction is Direction.WITHIN else (rule.limit,)
    told = (value, low, high, *limits, *((0.0,) if zero else ()))
    start, length = min(told), max(told) - min(told)

    def place(number: float) -> float:
        share = (number - start) / length if length > 0 else 0.5
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)

    return Plot(
        dot=place(value),
        low=place(low),
        high=place(high),
        limits=tuple(place(limit) for limit in limits),
        zero=place(0.0) if zero else None,
    )
