"""Arms of randomised stroke trials (SCOAR; CC BY-SA 4.0), read in place, as contrasts by dose.

Dose is the table's `time_MIN`: hours of therapy. Its other readings count the hours in which a mitt
was worn as hours of therapy, and make the slope look certain. Letters: A arms, K contrasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from support.effects.meta_regression import Trial

Array = NDArray[np.float64]

TABLE = "data_SCOAR_20160331.txt"
RETEST = 0.8
"""Correlation of a score before and after, assumed: the table's own 0.5 is a placeholder."""
PER_HOURS = 10.0
"""The unit of a slope."""
MUCH = 2.0
"""Hours by which doses have to differ for a contrast to say anything of dose."""

NUMBERS = ("base_n", "base_m", "base_sd", "term_n", "term_m", "term_sd", "time_MIN", "days_ps")
OTHER_KIND = {"wuB2007": "modified CIMT"}
"""An arm that the table labels a control though it is the trial's treatment."""
EARLY, LATE = "within 90 days", "from a year on"


@dataclass(frozen=True)
class Outcome:
    """An outcome, as the table names it."""

    name: str
    columns: tuple[str, ...]
    """Names of it in the table, the preferred first: of a trial only one is read."""
    sd: float
    """Between patients, in its unit: what differences are divided by."""
    least: float
    most: float
    """Means outside are of another unit."""


OUTCOMES = (
    Outcome("Fugl-Meyer, upper limb", ("fma-ue", "fma ue"), 12, 0, 66),
    Outcome("ARAT", ("arat",), 15, 0, 57),
    Outcome(
        "gait speed, m/s",
        (
            "gait speed SSV", "10mwt SSV", "gait speed comfortable", "gait speed", "10mwt",
            "gait speed 4.6m SSV", "gait speed 4.3m SSV", "gait speed 9m SSV",
            "gait speed 3.7m SSV", "gait speed 4.6m", "gait speed overground", "gait speed-max",
            "10mwt-max", "10mwt MAX", "gait speed 12m MAX",
        ),
        0.25, 0.03, 2,
    ),
    Outcome("6-minute walk, m", ("6minwt",), 110, 1, 800),
)  # fmt: skip


def read_table(source: Path) -> pd.DataFrame:
    """Read the rows that can be used: after exclusions by name, each for its reason."""
    table = pd.read_csv(source / TABLE, sep="\t", encoding="latin-1", dtype=str)
    table[list(NUMBERS)] = table[list(NUMBERS)].apply(pd.to_numeric, errors="coerce")
    upper = table["outcome_name"] == "fma-ue"
    log_score = (table["id"] == "feys1998") & upper
    lower_limb = (table["id"] == "duncan2003") & upper & (table["SCOAR_outcome"] == "lohse")
    medians = table["id"] == "rodgers2003"
    table = table[~(log_score | lower_limb | medians)]
    # Where the spread at the end is not told, that of the beginning stands for it.
    return table.assign(term_sd=table["term_sd"].fillna(table["base_sd"]))


def trials_of(table: pd.DataFrame, outcome: Outcome, when: str | None = None) -> list[Trial]:
    """Return the contrasts of each trial, in standard deviations of the outcome.

    The design is a constant (another kind of therapy) and 10-hour steps of dose. Contrasts are with
    the arm of the lowest dose; among equals with the one labelled control.

    Parameters
    ----------
    when
        `EARLY` or `LATE`: only trials whose people had had their stroke by then, on average.
    """
    rows = table[table["outcome_name"].isin(outcome.columns)]
    rows = rows.dropna(subset=[*NUMBERS[:-1]])
    means = rows[["base_m", "term_m"]]
    rows = rows[((means >= outcome.least) & (means <= outcome.most)).all(axis=1)]
    found = []
    for name, group in rows.groupby("id"):
        days = group["days_ps"].mean()
        if {EARLY: not days < 90, LATE: not days >= 365}.get(when or "", False):
            continue
        trial = _trial(str(name), group, outcome)
        if trial is not None:
            found.append(trial)
    return found


def _trial(name: str, group: pd.DataFrame, outcome: Outcome) -> Trial | None:
    parts = [part for part in map(_against_lowest, _told_once(group, outcome)) if part is not None]
    if not parts:
        return None
    sizes = np.cumsum([0, *(len(difference) for difference, _, _ in parts)])
    covariance_KK = np.zeros((sizes[-1], sizes[-1]))
    for (_, own_KK, _), start, end in zip(parts, sizes[:-1], sizes[1:], strict=True):
        covariance_KK[start:end, start:end] = own_KK
    hours_K = np.concatenate([hours for _, _, hours in parts])
    return Trial(
        name,
        np.concatenate([difference for difference, _, _ in parts]) / outcome.sd,
        covariance_KK / outcome.sd**2,
        np.stack([np.ones(len(hours_K)), hours_K / PER_HOURS], axis=1),
    )


def _told_once(group: pd.DataFrame, outcome: Outcome) -> Iterator[pd.DataFrame]:
    """Yield the arms of each part of a trial, by the preferred name of the outcome only."""
    names = [name for name in outcome.columns if (group["outcome_name"] == name).sum() > 1]
    if names:
        for _, part in group[group["outcome_name"] == names[0]].groupby("SCOAR_outcome"):
            yield part.assign(
                control=(part["group"] == "ctrl")
                & (part["group_desc"] != OTHER_KIND.get(str(part["id"].iloc[0])))
            )


def _against_lowest(part: pd.DataFrame) -> tuple[Array, Array, Array] | None:
    """Return differences, their covariance and hours of the arms against that of least dose."""
    part = part.sort_values(["time_MIN", "control"], ascending=[True, False], kind="stable")
    first = part.iloc[0]
    # Of two arms of one dose that are both treatments, or both controls, neither is the other kind.
    told = (part["time_MIN"] > first["time_MIN"]) | (part["control"] != first["control"])
    others = part[told & (part.index != first.name)]
    if others.empty:
        return None
    change_K = (others["term_m"] - others["base_m"]).to_numpy()
    own_K = _error(others).to_numpy()
    shared = float(_error(part.iloc[[0]]).iloc[0])
    return (
        change_K - float(first["term_m"] - first["base_m"]),
        np.asarray(np.diag(own_K) + shared, dtype=np.float64),
        (others["time_MIN"] - first["time_MIN"]).to_numpy(),
    )


def _error(arms: pd.DataFrame) -> pd.Series[float]:
    """Return the squared standard errors of the arms' mean changes."""
    before, after = arms["base_sd"], arms["term_sd"]
    return (before**2 + after**2 - 2 * RETEST * before * after) / arms["term_n"]
