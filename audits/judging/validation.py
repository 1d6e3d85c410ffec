"""Checks of the prediction table that come before any score: broken, leaking, or split wrongly.

What a table can show of a leak is shown here; a leak that leaves no trace in it cannot be.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from audits.measure.admission import problems
from audits.measure.definitions import MEDIAN
from audits.measure.partitions import EVERYONE
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
    REACHED,
    REFUSED,
    SUBJECT,
    TRUTH,
)
from contracts.verdict import Finding, Outcome

CHECK = "check of the prediction table"
EXACT_AT_MOST = 0.5
"""Share of medians that may equal the truth: scores are whole numbers, forecasts are not."""

FEWEST_ALIKE = 3
"""Outcomes that two records must share before they are taken for one person's."""


def validate(table: pd.DataFrame, *, least_error: float) -> list[Finding]:
    """Check a table; a contract that is broken leaves the other checks undone.

    Parameters
    ----------
    table
        Any table that calls itself a prediction table (`contracts.predictions`).
    least_error
        Mean error, score points, below which the outcome must have been seen.

    Returns
    -------
    One finding per check, blocked where it fails; all bind.
    """
    broken = problems(table)
    told = [_checked("contract", table, broken, "every column and value is as it must be")]
    if broken:
        return told
    return [
        *told,
        _split_by_subject(table),
        _checked("overlap", table, list(_overlaps(table)), "no person is there under two numbers"),
        _checked("time", table, list(_known_outcomes(table)), "no outcome is from before its"
                 " forecast"),
        _checked("leak", table, list(_leaks(table, least_error)), "no forecast looks as if it had"
                 " seen its outcome"),
    ]  # fmt: skip


def _split_by_subject(table: pd.DataFrame) -> Finding:
    if FOLD not in table.columns:
        why = f"the table has no column {FOLD!r}, so that nobody can tell how it was split"
        return _finding("split", table, Outcome.INSUFFICIENT, why)
    folds = table.groupby([MODEL, SUBJECT])[FOLD].nunique()
    if torn := int((folds > 1).sum()):
        why = f"{torn} time(s) a person is in several folds: split by subject, not by row"
        return _finding("split", table, Outcome.BLOCKED, why)
    if table[FOLD].nunique() < 2:
        why = "everyone is in one fold: forecasts of people the network was trained on"
        return _finding("split", table, Outcome.BLOCKED, why)
    return _finding("split", table, Outcome.PASS, "each person is in one fold")


def _overlaps(table: pd.DataFrame) -> Iterator[str]:
    """Find people whose whole records are alike, and who lie in different folds."""
    rows = table[table[MODEL] == CANDIDATE].sort_values([SUBJECT, ORIGIN, HORIZON])
    if TRUTH not in rows.columns or FOLD not in rows.columns or rows.empty:
        return
    record = [c for c in rows.columns if c in _RECORD or str(c).startswith(GROUP)]
    hashed = pd.util.hash_pandas_object(rows[record].astype("str"), index=False)
    people = pd.DataFrame(
        {
            "record": hashed.groupby(rows[SUBJECT]).agg(lambda each: hash(tuple(each))),
            "outcomes": rows.groupby(SUBJECT)[HORIZON].size(),
            FOLD: rows.groupby(SUBJECT)[FOLD].first(),
        }
    )
    people = people[people["outcomes"] >= FEWEST_ALIKE]
    folds = people.groupby("record")[FOLD].nunique()
    if twice := int((folds > 1).sum()):
        yield f"{twice} record(s) are there under several subject numbers, in different folds"


_RECORD = {ORIGIN, HORIZON, DAYS_SINCE_ONSET, LAST_SCORE, TRUTH}


def _known_outcomes(table: pd.DataFrame) -> Iterator[str]:
    if early := int((table[HORIZON] <= table[ORIGIN]).sum()):
        yield f"{early} row(s) have a horizon that is not after the origin: nothing was forecast"


def _leaks(table: pd.DataFrame, least_error: float) -> Iterator[str]:
    rows = table[table[MODEL] == CANDIDATE]
    if REFUSED in rows.columns:
        rows = rows[~rows[REFUSED].astype("bool")]
    if rows.empty:
        return
    if TRUTH in rows.columns:
        error_N = np.abs(rows[MEDIAN].to_numpy() - rows[TRUTH].to_numpy())
        if (exact := float((error_N < 1e-6).mean())) > EXACT_AT_MOST:
            yield f"{exact:.0%} of the medians are the outcome itself"
        elif error_N.mean() < least_error:
            yield (
                f"mean error {error_N.mean():.2f} points: the instrument itself cannot be read"
                f" better than to {least_error:g}"
            )
    for name in (str(c).removeprefix(CHANCE) for c in rows.columns if str(c).startswith(CHANCE)):
        reached_N = rows[REACHED + name].to_numpy(dtype=np.bool_)
        chance_N = rows[CHANCE + name].to_numpy(dtype=np.float64)
        if reached_N.all() or not reached_N.any():
            continue
        if min(reached_N.sum(), (~reached_N).sum()) >= FEWEST_ALIKE and (
            chance_N[reached_N].min() > chance_N[~reached_N].max()
        ):
            yield f"{name}: the chances part those who reached it from the others without a fault"


def _checked(check: str, table: pd.DataFrame, wrong: list[str], right: str) -> Finding:
    if wrong:
        return _finding(check, table, Outcome.BLOCKED, "; ".join(wrong))
    return _finding(check, table, Outcome.PASS, right)


def _finding(check: str, table: pd.DataFrame, outcome: Outcome, why: str) -> Finding:
    return Finding(
        rule=f"{CHECK}: {check}",
        metric=CHECK,
        statistic=CHECK,
        axis=EVERYONE,
        group=EVERYONE,
        subjects=table[SUBJECT].nunique() if SUBJECT in table.columns else 0,
        events=None,
        value=None,
        low=None,
        high=None,
        limit=None,
        binding=True,
        outcome=outcome,
        reason=f"{check}: {why}.",
    )
