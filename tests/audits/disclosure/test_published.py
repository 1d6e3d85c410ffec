"""Whole reports, attacked as their readers could: from `report.json` and nothing of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from audits.disclosure import published, suppress
from audits.disclosure.cells import Cell, small
from audits.disclosure.published import pattern_of
from audits.disclosure.quantities import Counted, Quantity, quantity_of
from audits.judging.policy import Policy
from audits.judging.rules import rows_of
from audits.measure.disparity import ALL_GROUPS, Statistic
from audits.measure.metrics import Metric
from audits.report.content import Report
from contracts.forecast import QUANTILE_LEVELS
from contracts.predictions import CANDIDATE, CHANCE, FOLD, MODEL, QUANTILE_COLUMNS, REFUSED
from contracts.task import Task
from contracts.verdict import Finding, Outcome
from features.sequences import training_sequences
from features.sources.cohorts.stroke_specs import import_stroke_specs
from support.disclosure_attack import cohort, recovered, recovered_counts, uneven
from training.predictions import prediction_table

ReportOf = Callable[..., Report]
TableOf = Callable[..., pd.DataFrame]
SHARED = Path(__file__).resolve().parents[4] / "shared"
REAL = SHARED / "data" / "stroke_specs"


def attacked(report: Report, table: pd.DataFrame) -> list[Any]:
    """Return the numbers of fewer than 11 people that a reader of the JSON has."""
    read = json.loads(report.model_dump_json())
    rows = rows_of(table, CANDIDATE)
    found = recovered(read, rows) + recovered_counts(read, rows) + uneven(read, rows)
    return [each for each in found if each.people < 11]


def test_no_cell_of_fewer_than_eleven_is_worked_out(report_of: ReportOf) -> None:
    """Of the cohort that the attacker of a later test does work some out of."""
    table = cohort(6)
    assert attacked(report_of(table), table) == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1_000))
def test_nor_in_any_of_a_thousand_cohorts(report_of: ReportOf, seed: int) -> None:
    table = cohort(seed)
    assert attacked(report_of(table), table) == []


def test_the_attacker_does_find_what_hiding_small_cells_alone_leaves_open(
    report_of: ReportOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "hidden_sets", lambda cells, *_: small(cells.people_SD))
    table = cohort(6)
    found = attacked(report_of(table), table)
    assert len(found) > 5
    np.testing.assert_allclose([f.computed for f in found], [f.true for f in found], atol=1e-6)


def real_stroke_table(task: Task) -> pd.DataFrame:
    """Return forecasts of the real cohort: the last score and a fixed spread, in five folds."""
    events, _ = import_stroke_specs(REAL)
    batch = training_sequences(events, task)
    spread_Q = 8.0 * norm.ppf(QUANTILE_LEVELS)
    last_BH = np.repeat(batch.last_score_B[:, None], batch.truth_BH.shape[1], axis=1)
    quantiles_BHQ = np.clip(last_BH[..., None] + 3 + spread_Q, 0, 66)
    tables = []
    for number, model in enumerate((CANDIDATE, "last observation", "proportional recovery")):
        table = prediction_table(batch, quantiles_BHQ - number, task, model=model)
        tables.append(table.assign(**{FOLD: table["subject_id"] % 5}))
    return pd.concat(tables, ignore_index=True)


@pytest.mark.soak
@pytest.mark.skipif(not REAL.exists(), reason="the real cohort is not part of this repository")
def test_one_person_of_the_real_cohort_was_worked_out_and_is_not_now(
    report_of: ReportOf, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The issue's example: hospital 0, and hospital 0 without aphasia, which lacks one of them."""
    table = real_stroke_table(task)
    report = report_of(table)
    assert attacked(report, table) == []
    pair = ("hospital 0", "hospital 0 & no")
    people = {f.group: f.subjects for f in report.verdict.findings if f.group in pair
              and f.rule.startswith("no ") and f.metric == Metric.MEAN_ABSOLUTE_ERROR
              and f.horizon_day is None}  # fmt: skip
    assert set(people) == set(pair)
    assert None in people.values()
    rows = rows_of(table, CANDIDATE)
    inside = rows["group:hospital"] == "hospital 0"
    apart = rows[inside & (rows["group:aphasia"] != "no")]["subject_id"].nunique()
    assert 0 < apart < 11
    monkeypatch.setattr(published, "hidden_sets", lambda cells, *_: small(cells.people_SD))
    assert len(attacked(report_of(table), table)) > 20


def test_a_group_of_nine_that_is_harmed_is_named_as_harmed_without_a_number(
    table_of: TableOf, report_of: ReportOf, finding_of: Callable[..., Finding]
) -> None:
    harmed = finding_of(
        group="rare",
        subjects=9,
        value=20.0,
        outcome=Outcome.BLOCKED,
        reason="sex: rare (n = 9): 20.",
    )
    hidden = suppress._without_numbers(harmed)
    assert hidden.outcome is Outcome.BLOCKED
    assert hidden.reason == (
        "sex: rare: mean absolute error: beyond the limit; no number is shown: it would be about"
        " fewer than 11 people, or let their number be worked out."
    )
    numbers = (
        hidden.subjects,
        hidden.events,
        hidden.value,
        hidden.low,
        hidden.high,
        hidden.p_value,
    )
    assert set(numbers) == {None}


def test_a_statistic_over_all_groups_is_hidden_with_any_of_them(
    table_of: TableOf, report_of: ReportOf
) -> None:
    """The worst group's value is some group's own."""
    table = table_of(120, groups={"sex": ("f", "m"), "arm": ("left", "right")})
    table["group:arm"] = table["group:arm"].mask(table["subject_id"] < 9, "both")
    found = {
        f.axis: f.value for f in report_of(table).verdict.findings
        if f.group == ALL_GROUPS and f.rule == "error ratio of the groups"
    }  # fmt: skip
    assert found["arm"] is None
    assert found["sex"] is not None


def test_a_difference_from_the_rest_is_hidden_where_everyone_is(
    finding_of: Callable[..., Finding], verdict_of: Callable[..., Any], quickest_policy: Policy
) -> None:
    """A group's value and how it differs from the rest tell everyone's, and so a hidden group's."""
    women = Cell(axis="sex", group="female", horizon_day=42)
    everyone = Cell(axis="everyone", group="everyone", horizon_day=42)
    one = finding_of(axis="sex", group="female", horizon_day=42)
    assert one.statistic == Statistic.DIFFERENCE
    verdict = verdict_of(findings=(one,))
    for shown, subjects in ((frozenset({women}), None), (frozenset({women, everyone}), 60)):
        pattern = published.Pattern(shown={Quantity(): shown}, groups={"sex": ("female",)})
        (left,) = suppress.suppress_in_verdict(verdict, pattern, quickest_policy).findings
        assert left.subjects == subjects
        assert pattern.shows_all(Quantity(), "sex", 42) == (subjects is not None)


def test_a_finding_on_other_people_than_the_pattern_knows_gets_no_number(
    finding_of: Callable[..., Finding],
    candidate: pd.DataFrame,
    quickest_policy: Policy,
    verdict_of: Callable[..., Any],
) -> None:
    pattern = pattern_of(candidate, quickest_policy)
    strange = (
        finding_of(group="in scope"), finding_of(metric="a new metric"),
        finding_of(horizon_day=43), finding_of(axis="sex & sex", group="female & female"),
    )  # fmt: skip
    verdict = verdict_of(findings=(finding_of(), *strange))
    left = suppress.suppress_in_verdict(verdict, pattern, quickest_policy).findings
    assert [f.subjects for f in left] == [60, None, None, None, None]


def test_forecasts_refused_to_a_few_do_not_tell_them_apart(
    table_of: TableOf, report_of: ReportOf
) -> None:
    """Two groups of the same people with a forecast, of which one has three more without."""
    table = table_of(100, groups={"sex": ("f", "m")})
    one = table["subject_id"] < 45
    few = table["subject_id"].between(45, 47)
    table = table.assign(**{
        "group:ward": np.where(one | few, "a", "b"), "group:room": np.where(one, "a", "b"),
        REFUSED: few & (table[MODEL] == CANDIDATE),
    })  # fmt: skip
    shown = {
        row.axis for row in report_of(table).performance
        if row.metric == Metric.DAYS_SINCE_ONSET and row.group == "a" and row.value is not None
    }  # fmt: skip
    assert len(shown) < 2


def test_what_hides_forecasts_hides_every_quantity(quickest_policy: Policy) -> None:
    pattern = pattern_of(cohort(1), quickest_policy)
    given = pattern.shown[Quantity()]
    quantities = {quantity.counted for quantity in pattern.shown}
    assert quantities == {Counted.GIVEN, Counted.OF_MILESTONE, Counted.REQUESTED}
    for quantity, shown in pattern.shown.items():
        if quantity.counted is not Counted.REQUESTED:
            assert shown <= given, quantity


@pytest.mark.parametrize("metric", list(Metric))
def test_every_metric_belongs_to_a_quantity(metric: Metric) -> None:
    quantity = quantity_of(metric, "gain" if metric.of_milestone else None)
    assert (quantity.milestone is not None) == metric.of_milestone
    assert replace(quantity, milestone=None).comparator is None


def test_a_table_with_a_milestone_only_is_hidden_by_the_same_rules(
    table_of: TableOf, quickest_policy: Policy
) -> None:
    table = table_of(60).drop(columns=["last_score", "truth", *QUANTILE_COLUMNS])
    pattern = pattern_of(table, quickest_policy)
    milestone = next(c for c in table.columns if c.startswith(CHANCE)).removeprefix(CHANCE)
    cell = Cell(axis="everyone", group="everyone")
    assert pattern.shows(Quantity(counted=Counted.OF_MILESTONE, milestone=milestone), cell)
