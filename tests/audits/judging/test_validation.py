from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audits.judging.validation import validate
from contracts.verdict import Finding, Outcome

TableOf = Callable[..., pd.DataFrame]


def checked(table: pd.DataFrame, check: str) -> Finding:
    (finding,) = (f for f in validate(table, least_error=1.0) if f.rule.endswith(f": {check}"))
    return finding


def test_a_sound_table_passes_every_check_and_all_of_them_bind(table_of: TableOf) -> None:
    findings = validate(table_of(60), least_error=1.0)
    assert [f.rule.rpartition(": ")[2] for f in findings] == [
        "contract", "split", "overlap", "time", "leak",
    ]  # fmt: skip
    assert all((f.outcome, f.binding) == (Outcome.PASS, True) for f in findings)


def test_a_broken_contract_leaves_the_rest_unchecked(table_of: TableOf) -> None:
    (only,) = validate(table_of(60).drop(columns="q50"), least_error=1.0)
    assert only.outcome is Outcome.BLOCKED
    assert "q50: column is missing" in only.reason


def by_row(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(fold=np.arange(len(table)) % 5)


@pytest.mark.parametrize(
    ("change", "outcome", "why"),
    [
        (by_row, Outcome.BLOCKED, "split by subject, not by row"),
        (lambda table: table.assign(fold=0), Outcome.BLOCKED, "everyone is in one fold"),
        (
            lambda table: table.drop(columns="fold"),
            Outcome.INSUFFICIENT,
            "no telling how it was split",
        ),
    ],
)
def test_a_split_that_is_not_by_subject_is_found(
    table_of: TableOf, change: Callable[[pd.DataFrame], Any], outcome: Outcome, why: str
) -> None:
    finding = checked(change(table_of(60)), "split")
    assert finding.outcome is outcome
    assert why in finding.reason


@pytest.mark.parametrize(("fold", "outcome"), [(1, Outcome.BLOCKED), (0, Outcome.PASS)])
def test_a_person_under_two_numbers_in_different_folds_is_found(
    table_of: TableOf, fold: int, outcome: Outcome
) -> None:
    table = table_of(60, horizons=(21, 42, 84))
    twin = table[table["subject_id"] == 0].assign(subject_id=999, fold=fold)
    assert checked(pd.concat([table, twin]), "overlap").outcome is outcome


def test_an_outcome_from_before_its_forecast_is_found(table_of: TableOf) -> None:
    finding = checked(table_of(60).assign(origin_day=42), "time")
    assert finding.outcome is Outcome.BLOCKED
    assert "a horizon is not after its origin" in finding.reason
    assert "180" not in finding.reason


def test_an_error_smaller_than_the_instruments_own_is_found(table_of: TableOf) -> None:
    table = table_of(60)
    quantiles = [name for name in table.columns if name[0] == "q"]
    nearer = 0.8 * (table["truth"] - table["q50"])
    finding = checked(table.assign(**{q: table[q] + nearer for q in quantiles}), "leak")
    assert finding.outcome is Outcome.BLOCKED
    assert "cannot be read more precisely than to 1" in finding.reason


def test_chances_without_a_fault_are_found(table_of: TableOf) -> None:
    table = table_of(60)
    reached = table["reached:important gain"]
    finding = checked(table.assign(**{"chance:important gain": reached * 0.2 + 0.4}), "leak")
    assert finding.outcome is Outcome.BLOCKED
    assert "perfectly" in finding.reason
