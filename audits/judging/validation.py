"""Checks of the prediction table before any score: contract, split, duplicates and leaks.

These checks find leaks that leave a trace in the table; other leaks cannot be found from it. What
they say is published, so it counts neither people nor records: there may be few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from audits.measure.groups import EVERYONE
from audits.measure.metric_definitions import MEDIAN
from audits.measure.prediction_table import contract_violations
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
"""Metric of the findings that check the table itself."""

CONTRACT = "contract"
EXACT_AT_MOST = 0.5
"""Share of medians that may equal the truth: scores are whole numbers, forecasts are not."""

MINIMUM_SHARED_OUTCOMES = 3
"""Outcomes that two records must share before they are taken for the same person's."""


def validate(table: pd.DataFrame, *, least_error: float) -> list[Finding]:
    """Check a table; where the contract is broken, the other checks are skipped.

    Parameters
    ----------
    table
        A table that should be a prediction table (`contracts.predictions`).
    least_error
        Mean error in score points; a smaller one means that the outcome was seen.

    Returns
    -------
    One finding per check, blocked where the check fails; all of them bind.
    """
    violations = contract_violations(table)
    contract = _checked(CONTRACT, table, violations, "every column and value is as required")
    if violations:
        return [contract]
    return [
        contract,
        _split_by_subject(table),
        _checked("overlap", table, list(_overlaps(table)), "no person occurs under two numbers"),
        _checked("time", table, list(_known_outcomes(table)), "no outcome is from before its"
                 " forecast"),
        _checked("leak", table, list(_leaks(table, least_error)), "no forecast looks as if it had"
                 " seen its outcome"),
    ]  # fmt: skip


def breaks_contract(findings: Iterable[Finding]) -> bool:
    """Return whether the findings say that a table broke its contract, so nothing was scored."""
    rule = _rule(CONTRACT)
    return any(f.rule == rule and f.outcome is Outcome.BLOCKED for f in findings)


def _split_by_subject(table: pd.DataFrame) -> Finding:
    if FOLD not in table.columns:
        why = f"the table has no column {FOLD!r}, so there is no telling how it was split"
        return _finding("split", table, Outcome.INSUFFICIENT, why)
    folds = table.groupby([MODEL, SUBJECT])[FOLD].nunique()
    if (folds > 1).any():
        why = "a person is in several folds: split by subject, not by row"
        return _finding("split", table, Outcome.BLOCKED, why)
    if table[FOLD].nunique() < 2:
        why = "everyone is in one fold, so people were forecast by a network trained on them"
        return _finding("split", table, Outcome.BLOCKED, why)
    return _finding("split", table, Outcome.PASS, "each person is in one fold")


def _overlaps(table: pd.DataFrame) -> Iterator[str]:
    """Find people whose complete records are identical, but who are in different folds."""
    rows = table[table[MODEL] == CANDIDATE].sort_values([SUBJECT, ORIGIN, HORIZON])
    if TRUTH not in rows.columns or FOLD not in rows.columns or rows.empty:
        return
    record = [c for c in rows.columns if c in _RECORD or str(c).startswith(GROUP)]
    hashed = pd.util.hash_pandas_object(rows[record].astype("str"), index=False)
    people = pd.DataFrame(
        {
            "record": hashed.groupby(rows[SUBJECT]).agg(lambda hashes: hash(tuple(hashes))),
            "outcomes": rows.groupby(SUBJECT)[HORIZON].size(),
            FOLD: rows.groupby(SUBJECT)[FOLD].first(),
        }
    )
    people = people[people["outcomes"] >= MINIMUM_SHARED_OUTCOMES]
    folds = people.groupby("record")[FOLD].nunique()
    if (folds > 1).any():
        yield "the same record occurs under several subject numbers, in different folds"


_RECORD = {ORIGIN, HORIZON, DAYS_SINCE_ONSET, LAST_SCORE, TRUTH}


def _known_outcomes(table: pd.DataFrame) -> Iterator[str]:
    if (table[HORIZON] <= table[ORIGIN]).any():
        yield "a horizon is not after its origin, so nothing was forecast"


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
                f"the mean error is {error_N.mean():.2f}, but the instrument itself cannot be read"
                f" more precisely than to {least_error:g}"
            )
    for name in (str(c).removeprefix(CHANCE) for c in rows.columns if str(c).startswith(CHANCE)):
        reached_N = rows[REACHED + name].to_numpy(dtype=np.bool_)
        chance_N = rows[CHANCE + name].to_numpy(dtype=np.float64)
        if reached_N.all() or not reached_N.any():
            continue
        if min(reached_N.sum(), (~reached_N).sum()) >= MINIMUM_SHARED_OUTCOMES and (
            chance_N[reached_N].min() > chance_N[~reached_N].max()
        ):
            yield f"{name}: the chances separate those who reached it from the others perfectly"


def _checked(check: str, table: pd.DataFrame, faults: list[str], sound: str) -> Finding:
    if faults:
        return _finding(check, table, Outcome.BLOCKED, "; ".join(faults))
    return _finding(check, table, Outcome.PASS, sound)


def _rule(check: str) -> str:
    return f"{CHECK}: {check}"


def _finding(check: str, table: pd.DataFrame, outcome: Outcome, why: str) -> Finding:
    return Finding(
        rule=_rule(check),
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
