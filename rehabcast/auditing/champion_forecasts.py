"""The champion's forecasts of a candidate's people, for the rules that compare the two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from audits.ledger.ledger import Ledger
from audits.measure.prediction_table import KEY
from contracts.errors import ContractError, EvidenceMissing
from contracts.predictions import (
    CANDIDATE,
    CHAMPION,
    MODEL,
    REACHED,
    SUBJECT,
    TRUTH,
)
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import (
    PredictionTable,
    open_description,
    open_predictions,
    read_predictions,
)
from training.registry.model_versions import find

OF_CANDIDATE = " of the candidate"

LEAST_AGREEMENT = 0.5
"""Cohen's kappa of the outcomes in two tables of the same people, at least: halfway from chance to
always. Of other people with the same numbers it is about 0, however few values a score has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A candidate's forecasts with those of the champion.

    Parameters
    ----------
    rows
        A prediction table with the rows of both.
    other_outcomes
        Subjects of whom at least one forecast has another outcome in the champion's table; such
        forecasts of the champion are left out.
    """

    rows: pd.DataFrame
    other_outcomes: frozenset[int] = frozenset()


def champion_beside(ledger: Ledger, model_version: str) -> str | None:
    """Return the version in service to compare with; None where there is no other one."""
    try:
        champion = ledger.champion(model_version.rpartition("/")[0])
    except EvidenceMissing:
        return None
    if champion.model_version == model_version or champion.revoked is not None:
        return None
    return champion.model_version


def champion_table(settings: Settings, champion: str, file: Path | None) -> PredictionTable:
    """Return the champion's prediction table: from a file, or its own, which its bundle names."""
    if file is not None:
        return read_predictions(file)
    version = find(settings.store, champion)
    return open_predictions(settings, version, open_description(settings, version))


def beside_champion(
    settings: Settings,
    ledger: Ledger,
    model_version: str,
    predictions: pd.DataFrame,
    champion_predictions: Path | None,
    *,
    other_use: bool,
) -> tuple[str | None, str | None, Beside]:
    """Return the champion to compare with, its table's digest, and the forecasts of both.

    The first two are None where no other version is in service.

    Parameters
    ----------
    champion_predictions
        A table of the champion's forecasts; None for that of its own run.
    other_use
        Whether that table is used elsewhere, so that it may be given without a champion.

    Raises
    ------
    ContractError
        There is no champion, and the table is of no use.
    """
    champion = champion_beside(ledger, model_version)
    if champion is None:
        if champion_predictions is not None and not other_use:
            raise ContractError(
                f"{model_version}: no other version is in service to compare with",
                "leave --champion-predictions out",
            )
        return None, None, Beside(rows=predictions)
    table = champion_table(settings, champion, champion_predictions)
    return champion, table.digest, with_champion(predictions, table.rows)


def with_champion(predictions: pd.DataFrame, champion_rows: pd.DataFrame) -> Beside:
    """Append the champion's forecasts of the subjects and days that the candidate forecast.

    Forecasts of which the two tables have another outcome are left out: a later visit may have
    come since, nearer to the horizon.

    Raises
    ------
    ContractError
        The two tables mostly give other outcomes: the same numbers are other people, as two cohorts
        each have a subject 1.
    """
    champion = champion_rows[champion_rows[MODEL] == CANDIDATE].assign(**{MODEL: CHAMPION})
    shared = [name for name in predictions.columns if name in champion.columns]
    candidate = predictions.loc[predictions[MODEL] == CANDIDATE]
    # Milestones are only compared where there is no score: a task may have moved one since.
    reached = [name for name in shared if name.startswith(REACHED)]
    outcomes = [TRUTH] if TRUTH in shared else reached
    both = champion[[*KEY, *outcomes]].merge(
        candidate[[*KEY, *outcomes]], on=KEY, suffixes=("", OF_CANDIDATE)
    )
    differs = _differs(both, outcomes)
    people = frozenset(map(int, both.loc[differs, SUBJECT]))
    if differs.any() and _agreement(both, outcomes, differs) < LEAST_AGREEMENT:
        raise ContractError(
            f"the champion's prediction table has other outcomes for {len(people)} of"
            f" {both[SUBJECT].nunique()} subjects, so it is of another cohort",
            "run `rehabcast evaluate` with the champion on the candidate's cohort, and give its"
            " table with --champion-predictions",
        )
    beside = champion[shared].merge(both.loc[~differs, KEY], on=KEY)
    rows = pd.concat([predictions, beside], ignore_index=True)
    return Beside(rows=rows, other_outcomes=people)


def _differs(both: pd.DataFrame, outcomes: list[str]) -> pd.Series[bool]:
    differs = pd.Series(False, index=both.index)
    for name in outcomes:
        one, other = both[name], both[f"{name}{OF_CANDIDATE}"]
        differs |= (one != other) & ~(one.isna() & other.isna())
    return differs


def _agreement(both: pd.DataFrame, outcomes: list[str], differs: pd.Series[bool]) -> float:
    """Return Cohen's kappa of two tables' outcomes: 1 where all agree, 0 as often as by chance."""
    one, other = both[outcomes], both[[f"{name}{OF_CANDIDATE}" for name in outcomes]]
    stacked = pd.concat([one, other.set_axis(outcomes, axis=1)], ignore_index=True)
    code_2N = stacked.groupby(outcomes, dropna=False).ngroup().to_numpy()
    counts_2K = [np.bincount(code, minlength=code_2N.max() + 1) for code in np.split(code_2N, 2)]
    by_chance = float(counts_2K[0] @ counts_2K[1]) / len(both) ** 2
    return (1 - float(differs.mean()) - by_chance) / (1 - by_chance)
