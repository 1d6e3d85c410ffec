"""Where things stand in a chart: scales and points; templates draw them as SVG.

Each chart stands beside a sentence and a table with the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from serving.schemas import ForecastAnswer, Reasons

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 44, 16, 14, 40
DAYS_PER_WEEK = 7
MOST_TICKS, CLOSEST_TICKS = 7, 0.7

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: where it is, and what it says."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From values to places: linear, between two ends of each."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value, to a tenth of a unit."""
        span = self.high - self.low or 1
        share = (value - self.low) / span
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The forecast of one horizon: range and middle."""

    x: float
    low: float
    high: float
    middle: float
    rule: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fan:
    """The course so far and the forecast.

    Parameters
    ----------
    wide, narrow
        Outlines of the range of 8 in 10 and of 5 in 10 people.
    middle, rule, past
        Lines: the forecast's middle, the published rule where there is one, and the scores.
    observed, marks
        Single scores, and what is said at each horizon.
    now
        Where the forecast begins.
    """

    wide: str
    narrow: str
    middle: str
    rule: str
    past: str
    observed: Sequence[Point]
    marks: Sequence[Mark]
    now: float
    across: Sequence[Tick]
    up: Sequence[Tick]


def fan(answer: ForecastAnswer, scores: Sequence[tuple[int, float]]) -> Fan:
    """Return the chart of a course and a forecast.

    Parameters
    ----------
    scores
        Days after enrolment and values, by day.
    """
    start_day = answer.origin_day or 0
    horizons = [h for h in answer.horizons if h.day_after_enrolment > start_day]
    last_day = max([h.day_after_enrolment for h in horizons] + [day for day, _ in scores] + [1])
    first_day = min([start_day, 0] + [day for day, _ in scores])
    low, high = answer.scale[0], answer.scale[1]
    x = Scale(low=first_day, high=last_day, start=LEFT, end=WIDTH - RIGHT)
    y = Scale(low=low, high=high, start=HEIGHT - BOTTOM, end=TOP)
    begin: list[Point] = []
    if answer.last_score is not None:
        begin = [(x(start_day), y(answer.last_score))]
    xs = [x(h.day_after_enrolment) for h in horizons]

    def line(values: Sequence[float]) -> list[Point]:
        return [*begin, *((at, y(value)) for at, value in zip(xs, values, strict=True))]

    def between(lower: Sequence[float], upper: Sequence[float]) -> str:
        return _points([*line(upper), *reversed(line(lower))])

    rules = [h.proportional_recovery for h in horizons]
    has_rule = bool(rules) and all(rule is not None for rule in rules)
    return Fan(
        wide=between([h.low_80 for h in horizons], [h.high_80 for h in horizons]),
        narrow=between(
            [h.quantiles["q25"] for h in horizons], [h.quantiles["q75"] for h in horizons]
        ),
        middle=_points(line([h.median for h in horizons])),
        rule=_points(line([rule or 0.0 for rule in rules])) if has_rule else "",
        past=_points([(x(day), y(value)) for day, value in scores]),
        observed=[(x(day), y(value)) for day, value in scores],
        marks=[
            Mark(
                x=at, low=y(h.low_80), high=y(h.high_80), middle=y(h.median),
                rule=None if h.proportional_recovery is None else y(h.proportional_recovery),
            )
            for at, h in zip(xs, horizons, strict=True)
        ],
        now=x(start_day),
        across=_weeks(x, first_day, last_day),
        up=[Tick(y(value), f"{value:g}") for value in _round_steps(low, high)],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A step of a waterfall: from where to where, in per cent of the width."""

    start: float
    width: float
    rises: bool


def waterfall(reasons: Reasons, points: Sequence[float]) -> list[Bar]:
    """Return the steps from the base to the forecast, in per cent of the chart's width."""
    levels = [reasons.base]
    for each in points:
        levels.append(levels[-1] + each)
    low, high = min(levels), max(levels)
    scale = Scale(low=low, high=high, start=2, end=98)
    return [
        Bar(
            start=min(scale(before), scale(after)),
            width=max(round(abs(scale(after) - scale(before)), 1), 0.6),
            rises=after >= before,
        )
        for before, after in pairwise(levels)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A range with its middle beside the line of no difference, in per cent of the width."""

    start: float
    width: float
    middle: float
    zero: float


def intervals(ranges: Sequence[tuple[float, float, float]]) -> list[Interval]:
    """Return ranges (low, middle, high) on one scale that has 0 on it."""
    ends = [0.0, *(value for each in ranges for value in each)]
    scale = Scale(low=min(ends), high=max(ends), start=4, end=96)
    return [
        Interval(
            start=scale(low), width=max(round(scale(high) - scale(low), 1), 0.6),
            middle=scale(middle), zero=scale(0.0),
        )
        for low, middle, high in ranges
    ]  # fmt: skip


def sparkline(
    scores: Sequence[tuple[int, float]], low: float, high: float, width: int = 96, height: int = 24
) -> list[Point]:
    """Return the points of a small line of scores on their whole scale."""
    if not scores:
        return []
    x = Scale(low=scores[0][0], high=scores[-1][0], start=4, end=width - 4)
    y = Scale(low=low, high=high, start=height - 4, end=4)
    return [(x(day), y(value)) for day, value in scores]


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """A daily series: a line for each run of days without a gap, and single days."""

    lines: Sequence[str]
    dots: Sequence[Point]
    across: Sequence[Tick]
    up: Sequence[Tick]
    gaps: Sequence[tuple[float, float]]
    """Start and width of spans without data."""


def daily(values: Sequence[tuple[int, float]], height: int = 130) -> Days:
    """Return the chart of a daily series; days without data are gaps, and no line crosses them."""
    days = [day for day, _ in values]
    low, high = min(v for _, v in values), max(v for _, v in values)
    low = min(low, 0.0) if high > 0 else low
    x = Scale(low=days[0], high=max(days[-1], days[0] + 1), start=LEFT, end=WIDTH - RIGHT)
    y = Scale(low=low, high=high if high > low else low + 1, start=height - 28, end=10)
    runs: list[list[tuple[int, float]]] = [[values[0]]]
    gaps = []
    for before, after in pairwise(values):
        if after[0] - before[0] > 1:
            runs.append([])
            gaps.append((x(before[0]), round(x(after[0]) - x(before[0]), 1)))
        runs[-1].append(after)
    return Days(
        lines=[_points([(x(d), y(v)) for d, v in run]) for run in runs if len(run) > 1],
        dots=[(x(run[0][0]), y(run[0][1])) for run in runs if len(run) == 1],
        across=_weeks(x, days[0], max(days[-1], days[0] + 1)),
        up=[Tick(y(value), f"{value:g}") for value in (low, high)],
        gaps=gaps,
    )


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _weeks(x: Scale, first_day: float, last_day: float) -> list[Tick]:
    first, last = int(first_day // DAYS_PER_WEEK), int(last_day // DAYS_PER_WEEK)
    step = next(s for s in (1, 2, 4, 6, 13, 26, 52, 520) if (last - first) / s <= MOST_TICKS)
    weeks = [week for week in range(first, last + 1) if week % step == 0]
    return [
        Tick(x(week * DAYS_PER_WEEK), f"{week}")
        for week in weeks
        if first_day <= week * DAYS_PER_WEEK <= last_day
    ]


def _round_steps(low: float, high: float) -> list[float]:
    span = high - low
    step = next(
        s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1e9) if span / s <= 7
    )
    steps = [round(low + i * step, 6) for i in range(int(span // step) + 1)]
    # Labels that would touch the one at the end of the scale are left out.
    return [*(value for value in steps if high - value > CLOSEST_TICKS * step), high]
