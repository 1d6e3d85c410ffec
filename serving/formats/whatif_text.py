"""What other plans would change as text, for a therapist at a terminal."""

from __future__ import annotations

from msgspec import UnsetType
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from serving.schemas import ForecastAnswer
from serving.whatif import NextWeek, PlanAnswer, WhatIf


def what_if_in_text(answer: ForecastAnswer) -> list[RenderableType]:
    """Return plans side by side, what stands behind them, and next week's dose where asked."""
    found = answer.what_if
    if isinstance(found, UnsetType):
        return []
    parts: list[RenderableType] = [Text(f"Under other plans: {'; '.join(found.standing)}.", "bold")]
    if found.status == "no answer":
        parts.append(Text(f"Nothing is said of other plans: {found.reason}."))
        parts.append(Text(f"What to do: {found.what_to_do}."))
    if found.plans:
        parts += [_plans(found), *map(Text, found.in_words)]
    if found.found:
        parts.append(_found(found))
    return [*parts, *_next_week(found.next_week)]


def _plans(found: WhatIf) -> Table:
    table = Table(title=f"Week {found.weeks}, if therapy goes on as planned")
    for name in ("plan", "minutes a week", "most likely", "80 % range", "difference", "80 % range",
                 "direction", "chance of an important gain"):  # fmt: skip
        table.add_column(name)
    for plan in found.plans:
        table.add_row(plan.name, f"{plan.minutes_a_week:.0f}", *_row(plan, found.weeks))
    return table


def _row(plan: PlanAnswer, weeks: int | None) -> tuple[str, ...]:
    at = next((horizon for horizon in plan.horizons if horizon.weeks == weeks), None)
    if at is None:
        return ("not said", "", "", "", "", "")
    than = at.difference
    return (
        f"{at.median:.0f}",
        f"{at.low_80:.0f} to {at.high_80:.0f}",
        f"{than.mean:+z.1f}",
        f"{than.low_80:+z.1f} to {than.high_80:+z.1f}",
        than.direction,
        f"{100 * than.chance_important:.0f} %",
    )


def _found(found: WhatIf) -> Table:
    table = Table(
        title="Plans that no other beats for fewer minutes",
        caption=f"of all that were looked at; gain at week {found.weeks}; none is best for all",
    )
    for name in ("hours a week", "for weeks", "then", "minutes a week", "difference", "80 % range"):
        table.add_column(name)
    for plan in found.found:
        table.add_row(
            f"{plan.hours_a_week:g}", str(plan.weeks), f"{plan.then_hours_a_week:g}",
            f"{plan.minutes_a_week:.0f}", f"{plan.difference.mean:+z.1f}",
            f"{plan.difference.low_80:+z.1f} to {plan.difference.high_80:+z.1f}",
        )  # fmt: skip
    return table


def _next_week(found: NextWeek | None) -> list[RenderableType]:
    if found is None:
        return []
    if found.status == "no advice":
        return [Text(f"{found.reason}.".capitalize()), Text(f"What to do: {found.what_to_do}.")]
    then = "" if found.hours_a_week is None else f": {found.hours_a_week:.1f} hours"
    return [Text(f"Next week: {found.action}{then}", "bold"), *map(Text, found.in_words)]
