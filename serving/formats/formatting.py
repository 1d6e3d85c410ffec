"""Scores and contributions as people read them."""

from __future__ import annotations

from serving.schemas import ForecastAnswer

WHOLE_POINTS = 20
"""Length of a scale from which on scores are shown in whole points; gait speed has 3 m/s."""


def shown(answer: ForecastAnswer, score: float, *, finer: int = 0) -> str:
    """Return a score in whole points, or in hundredths on a scale of a few points."""
    return f"{score:.{_decimals(answer) + finer}f}"


def signed(answer: ForecastAnswer, points: float) -> str:
    """Return a contribution with its sign, one decimal finer than a score."""
    return f"{points:+.{_decimals(answer) + 1}f}"


def _decimals(answer: ForecastAnswer) -> int:
    low, high = answer.scale
    return 0 if high - low >= WHOLE_POINTS else 2
