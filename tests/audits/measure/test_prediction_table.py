from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audits.measure.prediction_table import contract_violations

Change = Callable[[pd.DataFrame], Any]


def put(column: str, value: Any) -> Change:
    """Put a value in the first row."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        changed = table.astype({column: object}) if value is None else table.copy()
        changed.loc[0, column] = value
        return changed

    return change


def refused(table: pd.DataFrame) -> pd.DataFrame:
    """Refuse the first row of each model: no quantiles, no chance."""
    is_first = ~table.duplicated("model")
    blank = [c for c in table.columns if c.startswith("chance:") or c[0] == "q"]
    return table.assign(refused=is_first, **{c: table[c].mask(is_first) for c in blank})


def milestone_only(table: pd.DataFrame) -> pd.DataFrame:
    scores = [c for c in table.columns if c in {"truth", "last_score"} or c[0] == "q"]
    return table.drop(columns=scores)


@pytest.mark.parametrize("change", [lambda table: table, refused, milestone_only])
def test_a_sound_table_has_no_problem(
    table_of: Callable[..., pd.DataFrame], change: Change
) -> None:
    assert contract_violations(change(table_of(20))) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda table: table.drop(columns="q50"), "q50: column is missing"),
        (lambda table: table.drop(columns="reached:important gain"), "reached:important gain: col"),
        (lambda table: table.drop(columns="chance:important gain"), "chance:important gain: col"),
        (lambda table: table.drop(columns="group:sex"), "no sensitive attribute"),
        (lambda table: pd.concat([table, table["q50"]], axis=1), "1 occur twice"),
        (lambda table: table.assign(q50=table["q50"].astype(str)), "q50: not numeric"),
        (lambda table: table.assign(q50=[0.0, *table["q50"][1:]]), "1 row(s) have falling quant"),
        (lambda table: pd.concat([table, table[:2]]), "2 row(s) repeat an earlier one"),
        (put("q95", np.inf), "q95: 1 row(s) are not finite"),
        (put("truth", np.nan), "truth: 1 row(s) are not finite"),
        (put("truth", 1.0), "truth: differs between models for 1 forecast(s)"),
        (put("model", None), "model: 1 row(s) name no model"),
        (put("chance:important gain", 1.01), "1 row(s) are not a chance from 0 to 1"),
        (put("chance:important gain", np.nan), "1 row(s) are not a chance from 0 to 1"),
        (put("reached:important gain", None), "expected true or false"),
        (lambda table: refused(table).assign(refused=None), "neither true nor false"),
        (lambda table: refused(table).assign(refused=False), "q50: 3 row(s) are not finite"),
        (put("group:sex", None), "1 row(s) have no label"),
        (put("group:sex", " "), "a label is blank or not text"),
        (lambda table: table.assign(**{"group:sex": 1}), "a label is blank or not text"),
        (
            lambda table: table.assign(
                **{"reached:important gain": pd.array([None] * len(table), dtype="boolean")}
            ),
            "neither true nor false",
        ),
    ],
)
def test_what_could_bend_a_score_is_refused(
    table_of: Callable[..., pd.DataFrame], change: Change, why: str
) -> None:
    assert why in "\n".join(contract_violations(change(table_of(20))))


def test_all_problems_are_listed_at_once(table_of: Callable[..., pd.DataFrame]) -> None:
    broken = put("group:sex", None)(put("q95", np.nan)(table_of(20)))
    assert [problem.partition(":")[0] for problem in contract_violations(broken)] == [
        "q95",
        "group",
    ]
