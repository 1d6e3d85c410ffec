"""Fetches what became of a version's outcomes, bound by digest to its signed bundle."""

from __future__ import annotations

import hashlib
from io import BytesIO

import pandas as pd

from contracts.errors import IntegrityError
from training.registry.model_versions import FOLLOW_UP_FILE, ModelVersion, fetch
from training.tracking import Store


def fetch_follow_up(
    store: Store, model_version: ModelVersion, digest: str | None
) -> pd.DataFrame | None:
    """Return a version's follow-up table (`contracts.predictions`).

    Parameters
    ----------
    digest
        As the signed bundle's manifest has it; None in bundles from before it was recorded, and
        then there is no table.

    Raises
    ------
    IntegrityError
        The run's table is another.
    """
    if digest is None:
        return None
    content = fetch(store, model_version, FOLLOW_UP_FILE).read_bytes()
    # Before anything reads the content: it may be anybody's.
    if hashlib.sha256(content).hexdigest() != digest:
        raise IntegrityError(
            f"{model_version}: the run's {FOLLOW_UP_FILE} is not the one its bundle was made with",
            "train the version again",
        )
    return pd.read_parquet(BytesIO(content))
