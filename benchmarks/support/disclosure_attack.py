"""A reader who works out hidden groups from a published report, and the cohorts he tries it on.

He has `report.json` and nothing of ours: he knows that an attribute's groups add up to everyone,
intersections to the group and horizons to all horizons, sets up these equations for every metric,
and solves them. So that nothing depends on what he can guess, he is also given of everybody which
cells they are in, and so what each row weighs: people weigh alike, however many rows they have.
Everything here is SIMULATED. Letters: N rows, E equations, C cells.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric, addends
from contracts.forecast import QUANTILE_LEVELS
from contracts.predictions import (
    CANDIDATE,
    CHANCE,
    DAYS_SINCE_ONSET,
    FOLD,
    GROUP,
    HORIZON,
    LAST_SCORE,
    MODEL,
    ORIGIN,
    QUANTILE_COLUMNS,
    REACHED,
    REFUSED,
    SUBJECT,
    TRUTH,
)

Array = NDArray[np.float64]
Key = tuple[str, str, int | None]
"""Axis, group and horizon of a cell."""

EVERYONE = "everyone"
ATTACKED = (
    Metric.MEAN_ABSOLUTE_ERROR, Metric.COVERAGE, Metric.FALSE_NEGATIVE_RATE,
    Metric.FALSE_POSITIVE_RATE, Metric.POSITIVE_PREDICTIVE_VALUE, Metric.SELECTION_RATE,
    Metric.REFUSAL_RATE,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A hidden cell whose value the reader has: what he computed, and what it is."""

    measure: str
    cell: Key
    people: int
    computed: float
    true: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _System:
    """Linear equations between the sums of cells."""

    cells: dict[Key, int]
    equations: list[tuple[dict[int, float], float]] = field(default_factory=list)

    def add(self, terms: Mapping[Key, float], value: float = 0.0) -> None:
        self.equations.append(({self.cells[key]: each for key, each in terms.items()}, value))

    def solved(self) -> dict[int, float]:
        """Return every cell's sum that the equations determine."""
        left_EC = np.zeros((len(self.equations), len(self.cells)))
        right_E = np.zeros(len(self.equations))
        for number, (terms, value) in enumerate(self.equations):
            for cell, weight in terms.items():
                left_EC[number, cell] = weight
            right_E[number] = value
        scale_E = np.abs(left_EC).max(axis=1)
        left_EC, right_E = left_EC / scale_E[:, None], right_E / scale_E
        _, singular, rows = np.linalg.svd(left_EC, full_matrices=False)
        known = rows[singular > 1e-9 * singular[0]]
        determined = np.flatnonzero((known**2).sum(axis=0) > 1 - 1e-9)
        solution = np.linalg.lstsq(left_EC, right_E, rcond=1e-9)[0]
        return {int(cell): float(solution[cell]) for cell in determined}


def recovered(report: Mapping[str, Any], table: pd.DataFrame) -> list[Recovered]:
    """Return the cells that the report hides and a reader of it can compute.

    Parameters
    ----------
    report
        `report.json`, as it was published.
    table
        The candidate's rows: the truth, and the numbers of rows that he is given.
    """
    cells = _cells(table)
    policy = report["policy"]
    thresholds = MetricThresholds(
        important_difference=policy["important_difference"],
        decision_threshold=policy["decision_threshold"],
    )
    found = []
    for measure in _measures(report):
        added_NK = addends(table, measure, thresholds)
        weight_2N = _weights(table, added_NK[:, 1])
        added = {
            key: added_NK[held] * weight_2N[int(key[2] is not None), held, None]
            for key, held in cells.items()
        }
        rows = {key: float(each[:, 1].sum()) for key, each in added.items()}
        sums = {key: float(each[:, 0].sum()) for key, each in added.items()}
        even = {
            key for key, held in cells.items() if (np.ptp(weight_2N[:, held], axis=0) == 0).all()
        }
        system = _equations(report, measure, rows, even)
        numbers = {number: key for key, number in system.cells.items()}
        shown = _shown(report, measure)
        for number, total in system.solved().items():
            key = numbers[number]
            if key not in shown and rows[key] > 0:
                people = _fewest(table, added_NK, cells[key], measure)
                true, computed = sums[key] / rows[key], total / rows[key]
                found.append(
                    Recovered(
                        measure=measure.name, cell=key, people=people, computed=computed, true=true
                    )
                )
    return found


def _weights(table: pd.DataFrame, counted_N: Array) -> Array:
    """Return what each row weighs where all horizons count, and where only its own does, (2, N)."""
    counted = table.assign(counted=counted_N).groupby
    each = [counted(by)["counted"].transform("sum") for by in ([SUBJECT], [SUBJECT, HORIZON])]
    return np.stack([np.nan_to_num(1.0 / total, posinf=0.0) for total in each])


def uneven(report: Mapping[str, Any], table: pd.DataFrame) -> list[Recovered]:
    """Return the few people whom a group's horizons leave over from all its horizons.

    Those with as many rows at each horizon as most cancel; only forecasts given are attacked.
    """
    measure = Measure(metric=Metric.MEAN_ABSOLUTE_ERROR)
    shown = {key: row for key, row in _rows_of(report, measure) if row["value"] is not None}
    given_N = (~table[REFUSED]).to_numpy() if REFUSED in table else np.ones(len(table), bool)
    error_N = np.abs((table["q50"] - table[TRUTH]).to_numpy(dtype=np.float64))
    weight_2N = _weights(table, given_N.astype(np.float64))
    found = []
    for (axis, group, day), held_N in _cells(table).items():
        if day is not None or (axis, group, None) not in shown:
            continue
        left_N = (held_N & given_N) * weight_2N[0]
        told = shown[axis, group, None]["value"] * left_N.sum()
        for other in (key for key in shown if key[:2] == (axis, group) and key[2] is not None):
            at_N = held_N & given_N & (table[HORIZON] == other[2]).to_numpy()
            values, counts = np.unique(weight_2N[0, at_N] / weight_2N[1, at_N], return_counts=True)
            scaled_N = at_N * weight_2N[1] * values[counts.argmax()]
            left_N, told = left_N - scaled_N, told - shown[other]["value"] * scaled_N.sum()
        left_N[np.abs(left_N) < 1e-12] = 0.0
        people = int(table.loc[left_N != 0, SUBJECT].nunique())
        if people:
            found.append(
                Recovered(
                    measure="horizons left over", cell=(axis, group, None), people=people,
                    computed=told, true=float((left_N * error_N).sum()),
                )
            )  # fmt: skip
    return found


def _fewest(
    table: pd.DataFrame, added_NK: Array, held_N: NDArray[np.bool_], measure: Measure
) -> int:
    """Return the fewest people who stand behind a number: all, or with or without a milestone."""
    if measure.milestone is None:
        return int(table.loc[held_N & (added_NK[:, 1] > 0), SUBJECT].nunique())
    rows = table[held_N]
    rows = rows[~rows[REFUSED]] if REFUSED in rows else rows
    reached = rows[REACHED + measure.milestone].astype("bool")
    return min(rows.loc[which, SUBJECT].nunique() for which in (reached, ~reached))


def _cells(table: pd.DataFrame) -> dict[Key, NDArray[np.bool_]]:
    """Return the rows of every cell that a report could name."""
    names = [str(name).removeprefix(GROUP) for name in table if str(name).startswith(GROUP)]
    varied = [name for name in names if table[GROUP + name].nunique() > 1]
    cells: dict[Key, NDArray[np.bool_]] = {}
    for day in (None, *sorted(table[HORIZON].unique())):
        at = (
            np.ones(len(table), dtype=np.bool_)
            if day is None
            else (table[HORIZON] == day).to_numpy()
        )
        horizon = None if day is None else int(day)
        cells[EVERYONE, EVERYONE, horizon] = at
        for name in names:
            for label in table[GROUP + name].unique():
                cells[name, str(label), horizon] = at & (table[GROUP + name] == label).to_numpy()
        # The shipped policy shows no intersection at one horizon: these would only be unknown.
        for one, other in itertools.combinations(varied if day is None else (), 2):
            both = table[[GROUP + one, GROUP + other]].drop_duplicates()
            for first, second in both.itertuples(index=False):
                cells[f"{one} & {other}", f"{first} & {second}", horizon] = (
                    cells[one, str(first), horizon] & cells[other, str(second), horizon]
                )
    return cells


def _measures(report: Mapping[str, Any]) -> Iterator[Measure]:
    """Yield what is attacked: of metrics that count the same forecasts one says it all."""
    seen = dict.fromkeys((row["metric"], row["milestone"]) for row in report["performance"])
    for metric, milestone in seen:
        if metric in ATTACKED:
            yield Measure(metric=Metric(metric), milestone=milestone)


def _rows_of(report: Mapping[str, Any], measure: Measure) -> Iterator[tuple[Key, dict[str, Any]]]:
    for row in report["performance"]:
        if (row["metric"], row["milestone"]) == (measure.metric, measure.milestone):
            yield (row["axis"], row["group"], row["horizon_day"]), row


def _findings_of(
    report: Mapping[str, Any], measure: Measure
) -> Iterator[tuple[Key, dict[str, Any]]]:
    for row in report["verdict"]["findings"]:
        if row["metric"] == measure.name and row["value"] is not None:
            yield (row["axis"], row["group"], row["horizon_day"]), row


def _shown(report: Mapping[str, Any], measure: Measure) -> set[Key]:
    shown = {key for key, row in _rows_of(report, measure) if row["value"] is not None}
    return shown | {key for key, _ in _findings_of(report, measure)}


def _equations(
    report: Mapping[str, Any], measure: Measure, rows: Mapping[Key, float], even: set[Key]
) -> _System:
    """Return his equations; horizons add up only where all people have one of them (`even`)."""
    system = _System(cells={key: number for number, key in enumerate(rows)})
    _add_lines(system, rows, even)
    for key, row in _rows_of(report, measure):
        if row["value"] is not None:
            system.add({key: 1.0}, row["value"] * rows[key])
    statistics = {row["name"]: row["statistic"] for row in report["policy"]["rules"]}
    for key, row in _findings_of(report, measure):
        everyone = (EVERYONE, EVERYONE, key[2])
        rest = rows.get(everyone, 0.0) - rows.get(key, 0.0)
        if key not in rows or rows[key] == 0:
            continue
        if statistics.get(row["rule"]) == "value":
            system.add({key: 1.0}, row["value"] * rows[key])
        elif statistics.get(row["rule"]) == "difference from the rest" and rest > 0:
            system.add({key: 1 / rows[key] + 1 / rest, everyone: -1 / rest}, row["value"])
    for row in report["label_sensitivity"]:
        key = (row["axis"], row["group"], None)
        everyone = (EVERYONE, EVERYONE, None)
        rest = rows[everyone] - rows[key]
        if row["metric"] == measure.name and rest > 0:
            system.add({key: 1 / rows[key] + 1 / rest, everyone: -1 / rest}, row["observed"])
    return system


def recovered_counts(report: Mapping[str, Any], table: pd.DataFrame) -> list[Recovered]:
    """Return the numbers of people that the report hides and a reader of it can compute.

    Only where a person is in one group of an attribute and has one row do they add up.
    """
    found = []
    for measure in _measures(report):
        for counted, held_N in _counted(table, measure):
            people = {
                key: float(table.loc[held & held_N, SUBJECT].nunique())
                for key, held in _cells(table).items()
            }
            system = _System(cells={key: number for number, key in enumerate(people)})
            _add_lines(system, people, set(people), only_if_they_add_up=True)
            shown = set()
            for key, row in _rows_of(report, measure):
                if row[counted] is not None and measure.metric in ADD_UP[counted]:
                    shown.add(key)
                    system.add({key: 1.0}, row[counted])
            numbers = {number: key for key, number in system.cells.items()}
            found += [
                Recovered(
                    measure=f"{counted} of {measure.name}", cell=numbers[number],
                    people=int(people[numbers[number]]), computed=total,
                    true=people[numbers[number]],
                )
                for number, total in system.solved().items()
                if numbers[number] not in shown and people[numbers[number]] > 0
            ]  # fmt: skip
    return found


ADD_UP = {
    "subjects": {Metric.MEAN_ABSOLUTE_ERROR, Metric.SELECTION_RATE},
    "events": {Metric.FALSE_NEGATIVE_RATE, Metric.FALSE_POSITIVE_RATE},
}


def _counted(table: pd.DataFrame, measure: Measure) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    given_N = (~table[REFUSED]).to_numpy() if REFUSED in table else np.ones(len(table), bool)
    if measure.metric in ADD_UP["subjects"]:
        yield "subjects", given_N
    if measure.metric in ADD_UP["events"]:
        reached_N = table[f"{REACHED}{measure.milestone}"].to_numpy(dtype=np.bool_)
        is_missed = measure.metric is Metric.FALSE_NEGATIVE_RATE
        yield "events", given_N & (reached_N if is_missed else ~reached_N)


def _add_lines(
    system: _System,
    rows: Mapping[Key, float],
    even: set[Key],
    *,
    only_if_they_add_up: bool = False,
) -> None:
    for key, count in rows.items():
        if count == 0:
            system.add({key: 1.0})
    for (parent, by), parts in _parts(rows).items():
        if by == "horizons" and parent not in even:
            continue
        if only_if_they_add_up and rows[parent] != sum(rows[part] for part in parts):
            continue
        system.add({parent: -1.0, **dict.fromkeys(parts, 1.0)})


def _parts(keys: Iterable[Key]) -> dict[tuple[Key, str], list[Key]]:
    """Return the cells that make up a cell, by what it is divided."""
    parts: dict[tuple[Key, str], list[Key]] = {}
    for axis, group, day in keys:
        if day is not None:
            parts.setdefault(((axis, group, None), "horizons"), []).append((axis, group, day))
        if axis == EVERYONE:
            continue
        if " & " not in axis:
            parts.setdefault(((EVERYONE, EVERYONE, day), axis), []).append((axis, group, day))
            continue
        one, other = axis.split(" & ")
        first, second = group.split(" & ")
        for parent, by in (((one, first, day), other), ((other, second, day), one)):
            parts.setdefault((parent, by), []).append((axis, group, day))
    return parts


MILESTONE = "important gain"


def cohort(seed: int) -> pd.DataFrame:
    """Return a SIMULATED prediction table with all that makes small groups: of 30 to 600 people.

    Rare labels, labels nested in each other, one that changes with the origin, horizons with few
    outcomes, refused forecasts, a rare or a common milestone, and comparators.
    """
    rng = np.random.default_rng(seed)
    people = int(rng.integers(30, 600))
    visits = [
        (origin, horizon)
        for origin in ((0,) if rng.random() < 0.6 else (0, 21))
        for horizon in ((84,) if rng.random() < 0.4 else (42, 84, 182))
    ]
    table = pd.DataFrame(
        {
            SUBJECT: np.repeat(np.arange(people), len(visits)),
            ORIGIN: np.tile([origin for origin, _ in visits], people),
            HORIZON: np.tile([horizon for _, horizon in visits], people),
        }
    )
    shares = {day: rng.uniform(0.05, 1) for day in (42, 182)} | {84: 1.0}
    table = table[rng.random(len(table)) < table[HORIZON].map(shares)].reset_index(drop=True)
    table = table.assign(**_labels(rng, people, table))
    last_S, gain_S = rng.uniform(5, 40, people), rng.normal(8, 7, people)
    subject_N = table[SUBJECT].to_numpy()
    truth_N = np.clip(last_S + gain_S, 0, 66)[subject_N] + rng.normal(0, 1, len(table))
    needed_N = last_S[subject_N] + rng.choice([-5.0, 4.25, 8.0, 18.0])
    outcomes: dict[str, Any] = {
        DAYS_SINCE_ONSET: rng.integers(3, 60, people)[subject_N].astype(np.float64),
        FOLD: subject_N % 5,
        LAST_SCORE: last_S[subject_N],
        TRUTH: truth_N,
        REACHED + MILESTONE: truth_N >= needed_N,
    }
    table = table.assign(**outcomes)
    models = [_forecasts(table, name, needed_N, rng) for name in MODELS]
    return pd.concat(models, ignore_index=True)


MODELS = (CANDIDATE, "last observation", "proportional recovery")


def _labels(rng: np.random.Generator, people: int, table: pd.DataFrame) -> dict[str, NDArray[Any]]:
    subject_N = table[SUBJECT].to_numpy()
    labels: dict[str, NDArray[Any]] = {}
    for number in range(int(rng.integers(2, 6))):
        names = [f"{number}{letter}" for letter in "abcdefg"[: rng.integers(2, 7)]]
        share = rng.dirichlet(np.full(len(names), rng.choice([0.3, 1.0, 5.0])))
        labels[f"attribute {number}"] = rng.choice(names, people, p=share)
    # A ward is in one hospital, except for a person or two.
    hospital, ward = rng.choice(["x", "y", "z"], people), rng.choice(["1", "2"], people)
    ward = np.char.add(hospital, ward)
    ward[rng.random(people) < 0.01] = "x1"
    labels |= {"hospital": hospital, "ward": ward}
    columns = {GROUP + name: label[subject_N].astype(object) for name, label in labels.items()}
    band = rng.choice(["worn", "half", "none"], len(table), p=(0.7, 0.25, 0.05))
    first = rng.choice(["worn", "half", "none"], people, p=(0.7, 0.25, 0.05))[subject_N]
    columns[f"{GROUP}wear band"] = np.where(table[ORIGIN] == 0, first, band).astype(object)
    return columns


def _forecasts(
    table: pd.DataFrame, model: str, needed_N: Array, rng: np.random.Generator
) -> pd.DataFrame:
    spread = 4.0 if model == CANDIDATE else 7.0
    median_N = table[TRUTH].to_numpy() + rng.normal(0, spread, len(table))
    made = table.assign(**{MODEL: model})
    made[REFUSED] = rng.random(len(table)) < 0.02
    made[list(QUANTILE_COLUMNS)] = median_N[:, None] + spread * norm.ppf(QUANTILE_LEVELS)
    made[CHANCE + MILESTONE] = norm.sf((needed_N - median_N) / spread)
    return made
