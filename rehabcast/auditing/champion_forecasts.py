"""The champion's forecasts of a candidate's people, for the rules that compare the two."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from audits.ledger.ledger import Ledger
from contracts.errors import EvidenceMissing
from contracts.predictions import CANDIDATE, CHAMPION, HORIZON, MODEL, ORIGIN, SUBJECT
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import (
    PredictionTable,
    open_bundle,
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
    return open_predictions(settings, version, open_bundle(settings, version))


def with_champion(predictions: pd.DataFrame, champion_rows: pd.DataFrame) -> pd.DataFrame:
    """Append the champion's forecasts of the subjects and days that the candidate forecast."""
    champion = champion_rows[champion_rows[MODEL] == CANDIDATE].assign(**{MODEL: CHAMPION})
    shared = [name for name in predictions.columns if name in champion.columns]
    keys = [SUBJECT, ORIGIN, HORIZON]
    candidate = predictions.loc[predictions[MODEL] == CANDIDATE, keys]
    return pd.concat([predictions, champion[shared].merge(candidate, on=keys)], ignore_index=True)
