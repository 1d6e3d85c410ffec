"""The champion's forecasts of a candidate's people, for the rules that compare the two."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from audits.ledger.ledger import Ledger
from contracts.errors import ContractError, EvidenceMissing
from contracts.predictions import (
    CANDIDATE,
    CHAMPION,
    HORIZON,
    MODEL,
    ORIGIN,
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
) -> tuple[str | None, str | None, pd.DataFrame]:
    """Return the champion to compare with, its table's digest, and the forecasts of both.

    Both are None where no other version is in service.

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
        return None, None, predictions
    table = champion_table(settings, champion, champion_predictions)
    return champion, table.digest, with_champion(predictions, table.rows)


def with_champion(predictions: pd.DataFrame, champion_rows: pd.DataFrame) -> pd.DataFrame:
    """Append the champion's forecasts of the subjects and days that the candidate forecast.

    Raises
    ------
    ContractError
        The two tables give one subject other outcomes: the same numbers are other people, as two
        cohorts each have a subject 1.
    """
    champion = champion_rows[champion_rows[MODEL] == CANDIDATE].assign(**{MODEL: CHAMPION})
    shared = [name for name in predictions.columns if name in champion.columns]
    keys = [SUBJECT, ORIGIN, HORIZON]
    candidate = predictions.loc[predictions[MODEL] == CANDIDATE]
    # Milestones are only compared where there is no score: a task may have moved one since.
    reached = [name for name in shared if name.startswith(REACHED)]
    outcomes = [TRUTH] if TRUTH in shared else reached
    _require_same_outcomes(champion, candidate, keys, outcomes)
    beside = champion[shared].merge(candidate[keys], on=keys)
    return pd.concat([predictions, beside], ignore_index=True)


def _require_same_outcomes(
    champion: pd.DataFrame, candidate: pd.DataFrame, keys: list[str], outcomes: list[str]
) -> None:
    both = champion[[*keys, *outcomes]].merge(
        candidate[[*keys, *outcomes]], on=keys, suffixes=("", " of the candidate")
    )
    differs = pd.Series(False, index=both.index)
    for name in outcomes:
        one, other = both[name], both[f"{name} of the candidate"]
        differs |= (one != other) & ~(one.isna() & other.isna())
    if differs.any():
        people = both.loc[differs, SUBJECT].nunique()
        raise ContractError(
            f"the champion's prediction table has other outcomes for {people} of"
            f" {both[SUBJECT].nunique()} subjects, so it is of another cohort",
            "run `rehabcast evaluate` with the champion on the candidate's cohort, and give its"
            " table with --champion-predictions",
        )
