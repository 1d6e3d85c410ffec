"""The contract of a prediction table: everything in it that could distort a score."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from contracts.predictions import (
    CANDIDATE,
    CHANCE,
    CLUSTER,
    DAYS_SINCE_ONSET,
    GROUP,
    HORIZON,
    LAST_SCORE,
    MODEL,
    ORIGIN,
    PATTERN,
    QUANTILE_COLUMNS,
    REACHED,
    REFUSED,
    SUBJECT,
    TRUTH,
)

KEY = [SUBJECT, ORIGIN, HORIZON]
"""Identifies a forecast; together with the model, it identifies a row."""

REQUIRED_COLUMNS = (*KEY, DAYS_SINCE_ONSET)
SCORE_COLUMNS = (LAST_SCORE, TRUTH, *QUANTILE_COLUMNS)
"""All of these, or, for a task that forecasts a milestone only, none."""


def contract_violations(table: pd.DataFrame) -> list[str]:
    """Check a prediction table against its contract (`contracts.predictions`).

    Returns
    -------
    What is missing, not finite, out of order or duplicated; empty where the table is sound.
    """
    return list(_missing_columns(table)) or [
        *_bad_values(table),
        *_bad_milestones(table),
        *_bad_groups(table),
        *_bad_clusters(table),
        *_bad_patterns(table),
        *_different_outcomes(table),
    ]


def has_forecast(table: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows hold a forecast: a refused one is a row without."""
    if REFUSED not in table.columns:
        return pd.Series(True, index=table.index)
    return ~table[REFUSED].astype("bool")


def _has_scores(table: pd.DataFrame) -> bool:
    milestone_only = any(str(name).startswith(CHANCE) for name in table.columns)
    return not milestone_only or any(name in table.columns for name in SCORE_COLUMNS)


def _missing_columns(table: pd.DataFrame) -> Iterator[str]:
    for name in (MODEL, *REQUIRED_COLUMNS, *(SCORE_COLUMNS if _has_scores(table) else ())):
        if name not in table.columns:
            yield f"{name}: column is missing"
    names = [str(name) for name in table.columns]
    if len(set(names)) < len(names):
        yield f"columns: {len(names) - len(set(names))} occur twice"
    for one, other in ((CHANCE, REACHED), (REACHED, CHANCE)):
        for name in names:
            if name.startswith(one) and other + name.removeprefix(one) not in names:
                yield f"{other}{name.removeprefix(one)}: column is missing beside {name}"
    if not any(name.startswith(GROUP) for name in names):
        yield f"{GROUP}*: no sensitive attribute, so that nothing can be compared"


def _bad_values(table: pd.DataFrame) -> Iterator[str]:
    if table[MODEL].isna().any():
        yield f"{MODEL}: {int(table[MODEL].isna().sum())} row(s) name no model"
    numbers = [*REQUIRED_COLUMNS, *(SCORE_COLUMNS if _has_scores(table) else ())]
    not_numeric = [name for name in numbers if not pd.api.types.is_numeric_dtype(table[name])]
    if not_numeric:
        yield f"{', '.join(not_numeric)}: not numeric"
        return
    if REFUSED in table.columns and table[REFUSED].isna().any():
        yield f"{REFUSED}: {int(table[REFUSED].isna().sum())} row(s) are neither true nor false"
    forecasts = table[has_forecast(table)]
    for name in numbers:
        rows = forecasts if name in QUANTILE_COLUMNS else table
        if bad := int((~np.isfinite(rows[name].to_numpy(dtype=np.float64))).sum()):
            yield f"{name}: {bad} row(s) are not finite; a missing forecast is not skipped"
    if _has_scores(table):
        quantiles_NQ = forecasts[list(QUANTILE_COLUMNS)].to_numpy(dtype=np.float64)
        if falling := int((np.diff(quantiles_NQ, axis=1) < 0).any(axis=1).sum()):
            yield f"q05 to q95: {falling} row(s) have falling quantiles"
    if repeated := int(table.duplicated([MODEL, *KEY]).sum()):
        yield f"{MODEL}, {', '.join(KEY)}: {repeated} row(s) repeat an earlier one"


def _bad_milestones(table: pd.DataFrame) -> Iterator[str]:
    for column in table.columns:
        name = str(column)
        if name.startswith(CHANCE):
            chances = pd.to_numeric(table.loc[has_forecast(table), name], errors="coerce")
            chance_N = chances.to_numpy(dtype=np.float64)
            if bad := int((~((chance_N >= 0) & (chance_N <= 1))).sum()):
                yield f"{name}: {bad} row(s) are not a chance from 0 to 1"
        if name.startswith(REACHED) and not pd.api.types.is_bool_dtype(table[name]):
            yield f"{name}: type {table[name].dtype}, expected true or false"
        elif name.startswith(REACHED) and table[name].isna().any():
            yield f"{name}: {int(table[name].isna().sum())} row(s) are neither true nor false"


def _bad_groups(table: pd.DataFrame) -> Iterator[str]:
    for column in table.columns:
        name = str(column)
        if not name.startswith(GROUP):
            continue
        labels = table[name].dropna()
        if len(labels) < len(table):
            missing = len(table) - len(labels)
            yield f'{name}: {missing} row(s) have no label; "not recorded" is a label'
        if not all(isinstance(label, str) and label.strip() for label in labels.unique()):
            yield f"{name}: a label is blank or not text"


def _bad_clusters(table: pd.DataFrame) -> Iterator[str]:
    """Nobody is in two clusters; the rows of comparators need none."""
    candidate = table[table[MODEL] == CANDIDATE]
    for column in (str(name) for name in table.columns if str(name).startswith(CLUSTER)):
        labels = candidate.groupby(SUBJECT)[column]
        if missing := int(candidate[column].isna().sum()):
            yield f'{column}: {missing} row(s) have no label; "not recorded" is a label'
        if several := int((labels.nunique() > 1).sum()):
            yield f"{column}: {several} person(s) are in more than one"


def _bad_patterns(table: pd.DataFrame) -> Iterator[str]:
    """A forecast without a pattern would drop out of all; comparators' rows need none."""
    candidate = table[table[MODEL] == CANDIDATE]
    for column in (str(name) for name in table.columns if str(name).startswith(PATTERN)):
        if missing := int(candidate[column].isna().sum()):
            yield f"{column}: {missing} row(s) have no label"


def _different_outcomes(table: pd.DataFrame) -> Iterator[str]:
    """Models are compared on the same people at the same time, so outcomes must be the same."""
    always = {TRUTH, LAST_SCORE}
    observed = [str(c) for c in table.columns if str(c) in always or str(c).startswith(REACHED)]
    distinct_values = table.groupby(KEY)[observed].nunique()
    for name in observed:
        if bad := int((distinct_values[name] > 1).sum()):
            yield f"{name}: differs between models for {bad} forecast(s)"
