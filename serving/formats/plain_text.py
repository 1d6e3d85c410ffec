"""A forecast as text, for a therapist at a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from contracts.vocabulary.changes import amount_in_words
from serving.forecast.explain import ALL_DAYS
from serving.formats.formatting import (
    formatted_horizon,
    formatted_range,
    formatted_score,
    formatted_start,
    said_change,
    said_score,
    scope_sentence,
)
from serving.formats.profile_words import domain_in_words
from serving.formats.whatif_text import what_if_in_text
from serving.instruments import InstrumentsAnswer
from serving.schemas import ForecastAnswer, HorizonForecast

SIMULATED = (
    "SIMULATED: this model was trained on people who do not exist. Do not use it for anyone's care."
)
BAR = 23
"""Width of the bar that shows the scale, in characters."""


def as_plain_text(answer: ForecastAnswer) -> RenderableType:
    """Return an answer as text, a table and bars; never a number without its range."""
    parts: list[RenderableType] = [*_banners(answer)]
    if answer.status == "no forecast":
        parts.append(Text(f"No forecast for subject {answer.subject}: {answer.reason}", "bold"))
        parts.append(Text(f"What to do: {answer.what_to_do}"))
    else:
        parts += [_horizons(answer), *map(Text, answer.in_words)]
        parts += what_if_in_text(answer)
        parts += [*_reasons(answer), *_rests_on(answer), *_profile(answer)]
    parts += [Text(f"About the record: {note}") for note in answer.notes]
    parts.append(Text(_model_and_audit(answer)))
    parts += [Text(f"- {limit}") for limit in answer.limits]
    return Group(*parts)


def instruments_as_plain_text(answer: InstrumentsAnswer) -> RenderableType:
    """Return the answers of several models, one below the other, and which could not be asked."""
    parts: list[RenderableType] = []
    for each in answer.answers:
        parts += [Rule(Text(each.instrument)), as_plain_text(each)]
    parts += [
        Text(f"Not in service: {each.model}: {each.reason} ({each.what_to_do})", "bold")
        for each in answer.not_in_service
    ]
    return Group(*parts, *map(Text, answer.limits))


def _banners(answer: ForecastAnswer) -> list[RenderableType]:
    banners: list[RenderableType] = []
    if answer.model.simulated:
        banners.append(Panel(Text(SIMULATED, "bold")))
    if answer.banner:
        banners.append(Panel(Text(answer.banner, "bold")))
    return banners


def _horizons(answer: ForecastAnswer) -> Table:
    low, high = answer.scale
    names = list(answer.horizons[0].milestones)
    mark = "" if answer.last_score is None else " (| is the last score)"
    table = Table(
        title=f"Subject {answer.subject}: {answer.instrument}"
        f" ({low:g} to {amount_in_words(answer.instrument_code, high)})",
        caption=f"8 in 10 patients like this one end up inside the range{mark};"
        f" {formatted_start(answer)}",
    )
    table.add_column("week", no_wrap=True)
    table.add_column("most likely", max_width=6)
    table.add_column("80 % range", no_wrap=True)
    table.add_column(f"{low:g} ... {high:g}", no_wrap=True, min_width=BAR)
    for name in names:
        table.add_column(name)
    for horizon in answer.horizons:
        table.add_row(
            formatted_horizon(horizon),
            formatted_score(answer, horizon.median),
            formatted_range(answer, horizon),
            _bar(horizon, answer),
            *(
                "reached" if name in answer.milestones_reached else f"{chance:.0%}"
                for name, chance in horizon.milestones.items()
            ),
        )
    return table


def _bar(horizon: HorizonForecast, answer: ForecastAnswer) -> str:
    low, high = answer.scale

    def cell_of(score: float) -> int:
        return round((score - low) / (high - low) * (BAR - 1))

    cells = ["·"] * BAR
    for cell in range(cell_of(horizon.low_80), cell_of(horizon.high_80) + 1):
        cells[cell] = "━"
    if answer.last_score is not None:
        cells[cell_of(answer.last_score)] = "|"
    cells[cell_of(horizon.median)] = "●"
    return "".join(cells)


def _reasons(answer: ForecastAnswer) -> list[RenderableType]:
    reasons = answer.reasons
    if reasons is None:
        return []
    lines = [
        f"Why, at week {reasons.horizon_weeks}: if nothing were known, the forecast would be"
        f" {said_score(answer, reasons.base, extra_decimals=1)}."
    ]
    lines += [
        f"  {said_change(answer, contribution.points):>13} from {contribution.modality}"
        + ("" if contribution.window == ALL_DAYS else f", {contribution.window}")
        for contribution in reasons.contributions
        if contribution.observed
    ]
    total = said_score(answer, reasons.forecast, extra_decimals=1)
    lines.append(f"  = {total} (the middle of the range above, not a promise)")
    return [Text("\n".join(lines))]


def _rests_on(answer: ForecastAnswer) -> list[RenderableType]:
    rests = answer.rests_on
    if rests is None:
        return []
    text = (
        f"It rests on {rests.assessments} assessment score(s) and {rests.days_with_wearable} day(s)"
        " with wearable data."
    )
    if rests.missing_modalities:
        text += f" Not available: {', '.join(rests.missing_modalities)}."
    return [Text(text)]


def _profile(answer: ForecastAnswer) -> list[RenderableType]:
    if not answer.profile:
        return []
    title = f"Profile on day {answer.origin_day} after enrolment (half of people are in a range):"
    lines = [f"  {domain_in_words(domain)}" for domain in answer.profile]
    return [Text("\n".join([title, *lines]))]


def _model_and_audit(answer: ForecastAnswer) -> str:
    model = answer.model
    return (
        f"Model {model.model_version} ({model.bundle_digest[:12]}), trained on"
        f" {model.cohort_name!r}; audit {model.audit_outcome} ({model.report_digest[:12]}), valid"
        f" until {model.valid_until[:10]}.{scope_sentence(model)}"
    )
