"""The table of a shadow beside the champion: signed when made, and bound to both bundles."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from audits.sequential.in_service import ServedPairs
from contracts.changes.comparison import ServedComparison
from contracts.errors import ContractError
from inference.bundle import Bundle
from rehabcast.auditing.signed_tables import read_stated, write_stated
from rehabcast.settings import Settings

METADATA = b"rehabcast.auditing.served_pairs"


def write_pairs(
    settings: Settings, rows: pd.DataFrame, comparison: ServedComparison, output: Path
) -> ServedComparison:
    """Write a table of pairs and sign it; return where it comes from, with its digest."""
    digest = write_stated(settings, rows, comparison, METADATA, output)
    return comparison.model_copy(update={"pairs_digest": digest})


def open_pairs(
    settings: Settings, file: Path, bundle: Bundle, champion: str, champion_digest: str
) -> ServedPairs:
    """Read a signed table of pairs for the audit of a bundle.

    Parameters
    ----------
    champion, champion_digest
        The version last in service, and the digest of its bundle.

    Raises
    ------
    IntegrityError
        It is not signed by a trusted key, or a byte was changed.
    ContractError
        It cannot be read, is of another bundle or beside another one, or of simulated people for a
        model of real ones.
    """
    advice = "make it with `rehabcast monitor compare`, and keep its signature beside it"
    comparison, rows, digest = read_stated(
        settings, file, ServedComparison, METADATA,
        ContractError(f"{file.name}: not a table of a shadow beside the champion", advice),
    )  # fmt: skip
    if comparison.bundle_digest != bundle.digest:
        raise ContractError(
            f"{file.name}: its shadow is bundle {comparison.bundle_digest[:12]}, and the audit"
            f" is of {bundle.digest[:12]}",
            "compare the version that is audited",
        )
    if comparison.champion_bundle_digest != champion_digest:
        raise ContractError(
            f"{file.name}: it is beside bundle {comparison.champion_bundle_digest[:12]}, and"
            f" {champion} was last in service ({champion_digest[:12]})",
            "compare it with the version last in service",
        )
    if comparison.simulated and not bundle.manifest.simulated:
        raise ContractError(
            f"{file.name}: its people are SIMULATED, and those of the model are real",
            "compare them in the service of real people",
        )
    return ServedPairs(comparison=comparison.model_copy(update={"pairs_digest": digest}), rows=rows)
