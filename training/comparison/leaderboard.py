"""The leaderboard: scores of every family, with paired intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from contracts import predictions as columns
from contracts.groups import MINIMUM_SHOWN, is_few
from contracts.task import Task
from training.scores import Difference, paired_difference, skill

FLOOR = "Bayes floor"
"""Name of the best possible forecasts: those of the simulator itself, given the same past."""

BASELINE = "last observation"
"""Family whose skill is 0."""

REPEAT = "repeat"
WHEN = [columns.ORIGIN, columns.HORIZON]
MINIMUM_SUBJECTS = MINIMUM_SHOWN
"""A horizon or population with fewer subjects is left out of the table."""

MINIMUM_EVENTS = MINIMUM_SHOWN
"""A milestone with fewer events, or fewer non-events, is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardRow:
    """Scores of one family at one horizon from one origin in one population.

    Parameters
    ----------
    population
        `all`, or `early`: forecasts made within the task's `early_days` of onset.
    origin_day, weeks, subjects
        Days after enrolment of the forecast, its horizon, and the number of subjects.
    mae, median_absolute_error, crps, interval_score, width_80, width_90, bias
        Score points; bias is forecast median minus truth.
    coverage_80, coverage_90
        Share of truths inside the interval.
    skill
        CRPS relative to the last observation (0) and the Bayes floor (1); None without a floor.
    mae_difference, crps_difference
        First family minus this one, paired by subject; below 0 the first is better. None for the
        first family itself.
    """

    model: str
    population: str
    origin_day: int
    weeks: int
    subjects: int
    mae: float
    median_absolute_error: float
    crps: float
    interval_score: float
    coverage_80: float
    coverage_90: float
    width_80: float
    width_90: float
    bias: float
    skill: float | None
    mae_difference: Difference | None
    crps_difference: Difference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneRow:
    """Scores of one family's chances of one milestone at one horizon from one origin.

    Parameters
    ----------
    subjects, events
        Number of subjects, and of those who reached it.
    auroc, brier
        Discrimination, and mean squared error of the chance.
    slope
        Slope of a logistic regression of the event on the logit of the chance: 1 is calibrated,
        below 1 the chances are too extreme (Cox 1958). None if all chances are equal.
    """

    model: str
    milestone: str
    origin_day: int
    weeks: int
    subjects: int
    events: int
    auroc: float
    brier: float
    slope: float | None


def leaderboard_rows(scored: pd.DataFrame, task: Task, names: list[str]) -> list[LeaderboardRow]:
    """Return a row per population, origin, horizon and family.

    Parameters
    ----------
    scored
        Prediction tables of all families on the same subjects, with the columns of
        `training.scores.with_losses` and `repeat`.
    names
        The families in their order; the others are compared with the first.
    """
    early = scored[scored[columns.DAYS_SINCE_ONSET] < task.early_days]
    people = _people(scored)
    shown = _shown(scored, people)
    late = people.sub(_people(early), fill_value=0)
    kept = {
        "all": shown,
        # Beside all of them, the early ones tell of those who are not.
        "early": {when for when in shown if not is_few(int(late[when]))},
    }
    rows: list[LeaderboardRow] = []
    for population, table in (("all", scored), ("early", early)):
        for (origin, day), group in table.groupby(WHEN):
            few = group[columns.SUBJECT].nunique() < MINIMUM_SUBJECTS
            if few or (origin, day) not in kept[population]:
                continue
            ordered = group.sort_values([REPEAT, columns.SUBJECT])
            by_model = {name: ordered[ordered[columns.MODEL] == name] for name in names}
            # A floor may be known for one origin only.
            by_model = {
                name: predictions
                for name, predictions in by_model.items()
                if name != FLOOR or len(predictions) == len(by_model[names[0]])
            }
            crps = {
                name: float(predictions["crps"].mean()) for name, predictions in by_model.items()
            }
            rows += [
                _row(
                    name,
                    population,
                    int(str(origin)),
                    int(str(day)) // 7,
                    by_model[name],
                    by_model[names[0]],
                    _skill(crps, name),
                )
                for name in by_model
            ]
    return rows


def _people(scored: pd.DataFrame) -> pd.Series[int]:
    return scored.groupby(WHEN)[columns.SUBJECT].nunique()


def _shown(scored: pd.DataFrame, people: pd.Series[int]) -> set[tuple[int, int]]:
    """Return the origins and horizons to show.

    The standings are over all of them: few people left out would be told by what is left over.
    """
    ordered = people.sort_values(kind="stable")
    left_out = int((ordered < MINIMUM_SUBJECTS).sum())
    at = pd.MultiIndex.from_frame(scored[WHEN])
    while left_out and left_out < len(ordered):
        of_left_out = scored[at.isin(ordered.index[:left_out])]
        if not is_few(of_left_out[columns.SUBJECT].nunique()):
            break
        left_out += 1
    return set(ordered.index[left_out:])


def milestone_rows(scored: pd.DataFrame, task: Task, names: list[str]) -> list[MilestoneRow]:
    """Return a row per milestone, origin, horizon and family, where there are enough events."""
    rows = []
    for milestone in task.milestones:
        chance, reached = columns.CHANCE + milestone.name, columns.REACHED + milestone.name
        keys = [columns.ORIGIN, columns.HORIZON, columns.MODEL]
        for (origin, day, model), group in scored.groupby(keys):
            by_subject = group.groupby(columns.SUBJECT)[[chance, reached]].mean()
            event_P = by_subject[reached].to_numpy() > 0.5
            if model not in names or min(event_P.sum(), (~event_P).sum()) < MINIMUM_EVENTS:
                continue
            chance_N = group[chance].to_numpy(dtype=np.float64)
            reached_N = group[reached].to_numpy(dtype=np.bool_)
            rows.append(
                MilestoneRow(
                    model=str(model),
                    milestone=milestone.name,
                    origin_day=int(str(origin)),
                    weeks=int(str(day)) // 7,
                    subjects=len(by_subject),
                    events=int(event_P.sum()),
                    auroc=float(roc_auc_score(reached_N, chance_N)),
                    brier=float(((chance_N - reached_N) ** 2).mean()),
                    slope=calibration_slope(chance_N, reached_N),
                )
            )
    return rows


def calibration_slope(chance_N: NDArray[np.float64], reached_N: NDArray[np.bool_]) -> float | None:
    """Return the slope of a logistic regression of the event on the logit of the chance."""
    inside_N = np.clip(chance_N, 0.005, 0.995)
    logit_N1 = np.log(inside_N / (1 - inside_N))[:, None]
    if np.ptp(logit_N1) == 0:
        return None
    return float(LogisticRegression(C=np.inf).fit(logit_N1, reached_N).coef_[0, 0])


def _skill(crps: dict[str, float], name: str) -> float | None:
    if FLOOR not in crps or BASELINE not in crps:
        return None
    return skill(crps[name], base=crps[BASELINE], floor=crps[FLOOR])


def _row(
    name: str,
    population: str,
    origin: int,
    weeks: int,
    predictions: pd.DataFrame,
    first: pd.DataFrame,
    skill_of_row: float | None,
) -> LeaderboardRow:
    def difference(loss: str) -> Difference | None:
        if predictions is first:
            return None
        subject_N = predictions[columns.SUBJECT].to_numpy()
        return paired_difference(first[loss].to_numpy(), predictions[loss].to_numpy(), subject_N)

    means = predictions[_MEANS].mean()
    return LeaderboardRow(
        model=name,
        population=population,
        origin_day=origin,
        weeks=weeks,
        subjects=predictions[columns.SUBJECT].nunique(),
        median_absolute_error=float(predictions["mae"].median()),
        skill=skill_of_row,
        mae_difference=difference("mae"),
        crps_difference=difference("crps"),
        **{name: float(means[name]) for name in _MEANS},
    )


_MEANS = [
    "mae",
    "crps",
    "interval_score",
    "coverage_80",
    "coverage_90",
    "width_80",
    "width_90",
    "bias",
]
