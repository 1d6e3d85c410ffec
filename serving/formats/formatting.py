"""Scores and contributions, rounded for people."""

from __future__ import annotations

from serving.schemas import ForecastAnswer, HorizonForecast, ModelInfo

WHOLE_POINTS = 20
"""Scales at least this long are shown in whole points; gait speed has 3 m/s."""


def formatted_score(answer: ForecastAnswer, score: float, *, extra_decimals: int = 0) -> str:
    """Return a score in whole points, or in hundredths on a scale of a few points."""
    return f"{score:.{_decimals(answer) + extra_decimals}f}"


def formatted_range(answer: ForecastAnswer, horizon: HorizonForecast) -> str:
    """Return the 80 % range of a horizon."""
    return (
        f"{formatted_score(answer, horizon.low_80)} to {formatted_score(answer, horizon.high_80)}"
    )


def formatted_change(answer: ForecastAnswer, points: float) -> str:
    """Return a contribution with its sign and one more decimal than a score."""
    return f"{points:+.{_decimals(answer) + 1}f}"


def scope_sentence(model: ModelInfo) -> str:
    """Say that the model may not be used for everyone, where it may not; else nothing.

    Whoever reads a forecast is inside: the sentence keeps the answer from being taken as one for
    the next patient.
    """
    if model.scope is None or model.scope.everyone:
        return ""
    groups = [
        f"{attribute}: {label}"
        for attribute, labels in model.scope.outside.items()
        for label in labels
    ] + [" with ".join(pair) for pair in model.scope.pairs_outside]
    return f" It passed for a part of the people only, and not for: {'; '.join(groups)}."


def _decimals(answer: ForecastAnswer) -> int:
    low, high = answer.scale
    return 0 if high - low >= WHOLE_POINTS else 2
