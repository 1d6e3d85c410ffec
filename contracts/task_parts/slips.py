"""What makes a task senseless, as far as the task alone tells.

Such a task would not fail later: it would leave a group, a horizon or a milestone out of training
and audit without a word.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.naming.names import canonical, comparable, flaw
from contracts.task_parts.parts import Cluster, Horizon, Inputs, Milestone, Sensitive, Target

AXIS_OF_ALL, BETWEEN_AXES = "everyone", " & "
"""Names that an audit uses itself: all people, and the pair of two attributes."""


class Parts(Protocol):
    """What is checked: a task, or as much of one as could be read."""

    @property
    def target(self) -> Target: ...  # noqa: D102
    @property
    def horizons(self) -> tuple[Horizon, ...]: ...  # noqa: D102
    @property
    def origins_days(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def forecasts_until_day(self) -> int | None: ...  # noqa: D102
    @property
    def primary_horizon_weeks(self) -> int: ...  # noqa: D102
    @property
    def milestones(self) -> tuple[Milestone, ...]: ...  # noqa: D102
    @property
    def inputs(self) -> Inputs: ...  # noqa: D102
    @property
    def sensitive(self) -> tuple[Sensitive, ...]: ...  # noqa: D102
    @property
    def clusters(self) -> tuple[Cluster, ...]: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """One thing in a task that makes no sense: where, what was found, what to do."""

    field: str
    found: str
    advice: str

    def __str__(self) -> str:
        return f"{self.field}: {self.found}: {self.advice}"


class SlipsFound(ValueError):
    """A task makes no sense; carries every slip."""

    def __init__(self, slips: tuple[Slip, ...]) -> None:
        super().__init__("\n".join(map(str, slips)))
        self.slips = slips


def slips(task: Parts, *, sound: Collection[str] | None = None) -> tuple[Slip, ...]:
    """Return everything in a task that makes no sense, as far as the task alone tells.

    Parameters
    ----------
    sound
        Fields that could be read; None where all could. What needs another one is not checked.
    """
    return tuple(
        slip
        for needs, find in _CHECKS
        if sound is None or set(needs) <= set(sound)
        for slip in find(task)
    )


def _target(task: Parts) -> Iterator[Slip]:
    target = task.target
    if target.high <= target.low:
        yield Slip(
            field="target, high",
            found=f"{target.high:g} is not above low, {target.low:g}",
            advice="write the ends of the scale",
        )
        return
    span = target.high - target.low
    for name in ("step", "minimal_important_difference"):
        if (value := getattr(target, name)) > span:
            yield Slip(
                field=f"target, {name}",
                found=f"{value:g} is more than the whole scale",
                advice=f"write {span:g} or less",
            )
    if target.assumed is not None and not target.low <= target.assumed <= target.high:
        yield Slip(
            field="target, assumed",
            found=f"{target.assumed:g} is not on the scale",
            advice=f"write {target.low:g} to {target.high:g}",
        )


def _horizons(task: Parts) -> Iterator[Slip]:
    weeks = [horizon.weeks for horizon in task.horizons]
    if weeks != sorted(set(weeks)):
        yield Slip(
            field="horizons",
            found=f"weeks {', '.join(map(str, weeks))}",
            advice="horizons must be in ascending order without repetitions",
        )
    for number, horizon in enumerate(task.horizons, start=1):
        start, end = horizon.window_days
        if not start <= horizon.day < end:
            found = (
                f"no day lies in [{start}, {end})"
                if end <= start
                else f"[{start}, {end}) does not hold the horizon itself, day {horizon.day}"
            )
            yield Slip(
                field=f"horizons {number}, window_days",
                found=found,
                advice=f"give the days [start, end) that count as week {horizon.weeks}",
            )
    windows = [horizon.window_days for horizon in task.horizons]
    for (_, end), (start, _) in itertools.pairwise(windows):
        if start < end:
            yield Slip(
                field="horizons",
                found=f"windows overlap at day {start}",
                advice="let each day count for one horizon",
            )


def _days(task: Parts) -> Iterator[Slip]:
    """Find days on which a forecast would have nothing to forecast."""
    first, last, end = min(task.origins_days), max(task.origins_days), task.horizons[-1].day
    for day in _repeated(task.origins_days):
        yield Slip(field="origins_days", found=f"day {day} occurs twice", advice="name it once")
    for day in sorted({day for day in task.origins_days if day >= end}):
        yield Slip(
            field="origins_days",
            found=f"day {day} is not before the last horizon, day {end}",
            advice="leave it out, or add a later horizon",
        )
    for number, horizon in enumerate(task.horizons, start=1):
        if horizon.day <= first:
            yield Slip(
                field=f"horizons {number}, weeks",
                advice="leave it out, or add an earlier origin",
                found=f"day {horizon.day} is not after the first of origins_days, day {first}",
            )
    if task.primary_horizon_weeks not in [horizon.weeks for horizon in task.horizons]:
        yield Slip(
            field="primary_horizon_weeks",
            advice="name the weeks of one of them",
            found=f"{task.primary_horizon_weeks} is not one of the horizons",
        )
    until = last if task.forecasts_until_day is None else task.forecasts_until_day
    if not last <= until < max(end, last + 1):
        found = (
            f"day {until} lies before the last of origins_days"
            if until < last
            else f"day {until} is not before the last horizon, day {end}"
        )
        yield Slip(
            field="forecasts_until_day",
            found=found,
            advice=f"write {last} or a later day before {end}",
        )


def _milestones(task: Parts) -> Iterator[Slip]:
    target = task.target
    wrong = "at_most" if target.better == "higher" else "at_least"
    yield from _names("milestones", [milestone.name for milestone in task.milestones])
    for number, milestone in enumerate(task.milestones, start=1):
        field, rule = f"milestones {number}", milestone.rule
        if sum(part is not None for part in rule) != 1:
            yield Slip(
                field=field,
                found=f"{milestone.name!r} has not exactly one rule",
                advice="give one of at_least, at_most, gain_at_least",
            )
            continue
        if getattr(milestone, wrong) is not None:
            found = f"it has {wrong}, but a {target.better} score of {target.code} is better"
            yield Slip(field=f"{field}, {wrong}", found=found, advice="write the other one")
        elif not _can_tell(milestone, target):
            (value,) = (part for part in rule if part is not None)
            yield Slip(
                field=field,
                found=f"{milestone.name!r} is at {value:g}, and all or none reach that",
                advice=f"choose one within the scale, {target.low:g} to {target.high:g}",
            )
    for one, other in _same([milestone.rule for milestone in task.milestones]):
        yield Slip(
            field=f"milestones {other}",
            found=f"it has the rule of milestones {one}",
            advice="leave one of them out",
        )


def _can_tell(milestone: Milestone, target: Target) -> bool:
    at_least, at_most, gain = milestone.rule
    return (
        (at_least is not None and target.low < at_least <= target.high)
        or (at_most is not None and target.low <= at_most < target.high)
        or (gain is not None and gain <= target.high - target.low)
    )


def _sensitive(task: Parts) -> Iterator[Slip]:
    yield from _names("sensitive", [attribute.name for attribute in task.sensitive])
    for number, attribute in enumerate(task.sensitive, start=1):
        name = comparable(attribute.name)
        if name == AXIS_OF_ALL or BETWEEN_AXES.strip() in name.split():
            yield Slip(
                field=f"sensitive {number}, name",
                advice="choose another name",
                found=f"{attribute.name!r} is what an audit calls all people, or a pair",
            )
        if any(end <= start for start, end in itertools.pairwise(attribute.bands)):
            yield Slip(
                field=f"sensitive {number}, bands",
                advice="bands must be in rising order",
                found=f"{', '.join(f'{edge:g}' for edge in attribute.bands)}",
            )
    for one, other in _same([(a.code, tuple(sorted(a.bands))) for a in task.sensitive]):
        yield Slip(
            field=f"sensitive {other}",
            found=f"it has code and bands of sensitive {one}",
            advice="leave one of them out, or correct its code or bands",
        )


def _clusters(task: Parts) -> Iterator[Slip]:
    yield from _names("clusters", [cluster.name for cluster in task.clusters])
    for one, other in _same([cluster.code for cluster in task.clusters]):
        found = f"it has the code of clusters {one}"
        yield Slip(field=f"clusters {other}", found=found, advice="leave one of them out")


def _inputs(task: Parts) -> Iterator[Slip]:
    inputs = task.inputs
    for code in _repeated((*inputs.assessments, *inputs.daily, *inputs.person)):
        yield Slip(field="inputs", found=f"{code} occurs twice", advice="name it once")
    if task.target.code not in inputs.assessments:
        yield Slip(
            field="inputs, assessments",
            found=f"{task.target.code} is not among them",
            advice="the target must be among inputs.assessments: it is the baseline",
        )


def _names(field: str, names: list[str]) -> Iterator[Slip]:
    for number, name in enumerate(names, start=1):
        if why := flaw(name):
            yield Slip(
                field=f"{field} {number}, name",
                found=f"{name!r}: {why}",
                advice="write it with usual characters",
            )
        elif name != canonical(name):
            yield Slip(
                field=f"{field} {number}, name",
                found=f"{name!r} is not its usual spelling",
                advice=f"write {canonical(name)!r}",
            )
    for one, other in _same([comparable(name) for name in names]):
        yield Slip(
            field=f"{field} {other}, name",
            advice="give each a name of its own",
            found=f"{names[other - 1]!r} cannot be told from {names[one - 1]!r} of {field} {one}",
        )


def _same(keys: Sequence[object]) -> Iterator[tuple[int, int]]:
    """Yield the numbers, from 1, of an entry that was there before and of its repetition."""
    for number, key in enumerate(keys, start=1):
        if (first := keys.index(key) + 1) < number:
            yield first, number


def _repeated(values: tuple[object, ...]) -> list[object]:
    return [value for value in dict.fromkeys(values) if values.count(value) > 1]


_CHECKS: tuple[tuple[tuple[str, ...], Callable[[Parts], Iterator[Slip]]], ...] = (
    (("target",), _target),
    (("horizons",), _horizons),
    (("origins_days", "forecasts_until_day", "primary_horizon_weeks", "horizons"), _days),
    (("target", "milestones"), _milestones),
    (("sensitive",), _sensitive),
    (("clusters",), _clusters),
    (("target", "inputs"), _inputs),
)
