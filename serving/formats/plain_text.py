"""A forecast as a therapist reads it in a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from serving.forecast.explain import WHOLE
from serving.formats.formatting import shown, signed
from serving.schemas import ForecastAnswer, HorizonForecast

BAR = 23
"""Characters for the scale."""


def readable(answer: ForecastAnswer) -> RenderableType:
    """Return an answer as words, a table and bars; never a number without its range."""
    parts: list[RenderableType] = [*_banners(answer)]
    if answer.status == "no forecast":
        parts.append(Text(f"No forecast for subject {answer.subject}: {answer.reason}", "bold"))
        parts.append(Text(f"What to do: {answer.what_to_do}"))
    else:
        parts += [_horizons(answer), *_reasons(answer), *_rests_on(answer)]
    parts.append(Text(_standing(answer)))
    parts += [Text(f"- {limit}") for limit in answer.limits]
    return Group(*parts)


def _banners(answer: ForecastAnswer) -> list[RenderableType]:
    banners: list[RenderableType] = []
    if answer.model.simulated:
        told = "SIMULATED: this model learned from people who do not exist. Not for anyone's care."
        banners.append(Panel(Text(told, "bold")))
    if answer.banner:
        banners.append(Panel(Text(answer.banner, "bold")))
    return banners


def _horizons(answer: ForecastAnswer) -> Table:
    low, high = answer.scale
    names = list(answer.horizons[0].milestones)
    table = Table(
        title=f"Subject {answer.subject}: {answer.instrument} ({low:g} to {high:g})",
        caption=f"8 in 10 patients like this one end inside the range; last score"
        f" {answer.last_score:g} (|), forecast made on day {answer.origin_day} after enrolment",
    )
    table.add_column("week")
    table.add_column("most likely", max_width=6)
    table.add_column("80 % range", no_wrap=True)
    table.add_column(f"{low:g} ... {high:g}", no_wrap=True, min_width=BAR)
    for name in names:
        table.add_column(name)
    for horizon in answer.horizons:
        table.add_row(
            str(horizon.weeks),
            shown(answer, horizon.median),
            f"{shown(answer, horizon.low_80)} to {shown(answer, horizon.high_80)}",
            _bar(horizon, answer),
            *(f"{chance:.0%}" for chance in horizon.milestones.values()),
        )
    return table


def _bar(horizon: HorizonForecast, answer: ForecastAnswer) -> str:
    low, high = answer.scale

    def place(score: float) -> int:
        return round((score - low) / (high - low) * (BAR - 1))

    cells = ["·"] * BAR
    for cell in range(place(horizon.low_80), place(horizon.high_80) + 1):
        cells[cell] = "━"
    if answer.last_score is not None:
        cells[place(answer.last_score)] = "|"
    cells[place(horizon.median)] = "●"
    return "".join(cells)


def _reasons(answer: ForecastAnswer) -> list[RenderableType]:
    reasons = answer.reasons
    if reasons is None:
        return []
    lines = [
        f"Why, at week {reasons.horizon_weeks}: knowing nothing, the forecast would be"
        f" {shown(answer, reasons.base, finer=1)}."
    ]
    lines += [
        f"  {signed(answer, each.points):>6} points from {each.modality}"
        + ("" if each.window == WHOLE else f", {each.window}")
        for each in reasons.contributions
        if each.observed
    ]
    told = shown(answer, reasons.forecast, finer=1)
    lines.append(f"  = {told} (the middle of the range above, not a promise)")
    return [Text("\n".join(lines))]


def _rests_on(answer: ForecastAnswer) -> list[RenderableType]:
    rests = answer.rests_on
    if rests is None:
        return []
    told = (
        f"It rests on {rests.assessments} assessment score(s) and {rests.days_with_wearable} day(s)"
        " with wearable data."
    )
    if rests.missing_modalities:
        told += f" Nothing was known of: {', '.join(rests.missing_modalities)}."
    return [Text(told)]


def _standing(answer: ForecastAnswer) -> str:
    model = answer.model
    return (
        f"Model {model.model_version} ({model.bundle_digest[:12]}), trained on"
        f" {model.cohort_name!r}; audit {model.audit_outcome} ({model.report_digest[:12]}), valid"
        f" until {model.valid_until[:10]}."
    )
