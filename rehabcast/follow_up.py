"""Opens what became of a version's outcomes, bound to its signed bundle."""

from __future__ import annotations

import hashlib
from io import BytesIO

import pandas as pd

from contracts.errors import IntegrityError
from inference.bundle import Bundle
from rehabcast.settings import Settings
from training.registry.model_versions import FOLLOW_UP_FILE, ModelVersion, fetch


def open_follow_up(
    settings: Settings, version: ModelVersion, bundle: Bundle
) -> pd.DataFrame | None:
    """Return a version's follow-up table (`contracts.predictions`), if its signed bundle names it.

    None where the bundle is from before this was recorded.

    Raises
    ------
    IntegrityError
        The run's table is another.
    """
    digest = bundle.manifest.follow_up_digest
    if digest is None:
        return None
    content = fetch(settings.store, version, FOLLOW_UP_FILE).read_bytes()
    # Before anything reads the content: it may be anybody's.
    if hashlib.sha256(content).hexdigest() != digest:
        raise IntegrityError(
            f"{version}: the run's {FOLLOW_UP_FILE} is not the one its bundle was made with",
            "train the version again",
        )
    return pd.read_parquet(BytesIO(content))
