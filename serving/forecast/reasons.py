"""The reasons of a forecast, as an answer carries them."""

from __future__ import annotations

from serving.forecast.explain import ALL_DAYS, Game, explain, forecast
from serving.forecast.explain_days import explain_days
from serving.forecast.question import Question
from serving.schemas import SCORE, Contribution, DayContribution, Reasons

SCORE_UNIT, CHANCE_UNIT = "score points", "chance"


def reasons(question: Question, game: Game, horizon: int) -> Reasons:
    """Explain one output at one horizon, and on request the days of one modality.

    Raises
    ------
    ForecastRefused
        There is no such output, or the modality has no days.
    IntegrityError
        The contributions do not add up.
    """
    explanation = explain(game, horizon, question.output)
    base = float(explanation.base_values)
    forecast_value = float(forecast(game, question.output)[horizon])
    return Reasons(
        output=question.output,
        unit=SCORE_UNIT if question.output == SCORE else CHANCE_UNIT,
        horizon_weeks=game.bundle.task.horizons[horizon].weeks,
        base=base,
        forecast=forecast_value,
        contributions=_contributions(game, explanation.values.tolist()),
        additivity_gap=abs(base + float(explanation.values.sum()) - forecast_value),
        days_of=question.days_of,
        days=_days(question, game, horizon),
    )


def _contributions(game: Game, points: list[float]) -> list[Contribution]:
    names = game.bundle.manifest.modalities
    known = [
        Contribution(
            modality=names[player.modality], window=player.window, points=value, observed=True
        )
        for player, value in zip(game.players, points, strict=True)
    ]
    seen = {player.modality for player in game.players}
    unknown = [
        Contribution(modality=name, window=ALL_DAYS, points=0.0, observed=False)
        for m, name in enumerate(names)
        if m not in seen
    ]
    return sorted([*known, *unknown], key=lambda contribution: -abs(contribution.points))


def _days(question: Question, game: Game, horizon: int) -> list[DayContribution]:
    if question.days_of is None:
        return []
    origin = int(game.batch.origin_day_B[0])
    start = origin - game.batch.observed_BTC.shape[1] + 1
    return [
        DayContribution(first_day=start + first, last_day=start + last, points=points)
        for first, last, points in explain_days(game, question.days_of, horizon, question.output)
    ]
