"""What a source of tables holds as a whole: column maps, OMOP exports and REDCap projects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contracts.cohort import Provenance
from contracts.onset import STROKE, OnsetCodes
from features.recording import Collected


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCohort:
    """What the tables of a source hold.

    Parameters
    ----------
    collected
        Their records, and what was left out.
    provenance
        Where they come from.
    dates_shifted
        Whether their dates are not real ones.
    files
        Everything that was read, by the name under which its digest is taken.
    identity
        What identifies people, so that a cohort grows by no other identifiers.
    clock
        How days are counted.
    onset, settings
        The diagnoses whose onset counts, and what else holds for the cohort as a whole.
    """

    collected: Collected
    provenance: Provenance
    dates_shifted: bool
    files: Mapping[str, Path]
    identity: tuple[str, ...]
    clock: str
    onset: OnsetCodes = STROKE
    settings: Mapping[str, str] = field(default_factory=dict)


def vocabulary_file(named: str, folder: Path) -> dict[str, Path]:
    """Return the file of codes that a map names: with others the same tables say something else."""
    return {"the vocabulary": folder / named} if named else {}
