"""Puts together what was read of a hospital's database, be it OMOP or REDCap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contracts.cohort import Provenance
from features.recording import Collected
from features.sources.hospital.omop_map import OmopMap
from features.sources.hospital.redcap_map import RedcapMap
from features.sources.table_cohort import TableCohort, vocabulary_file
from features.sources.table_rows import Found, people_records


def assembled(
    folder: Path,
    map_file: Path | None,
    declared: OmopMap | RedcapMap,
    found: Found,
    *,
    reader: str,
    source: str,
    read: Sequence[str],
    also: Sequence[str],
    identity: str,
) -> TableCohort:
    """Return what the tables of a folder hold as a whole.

    Parameters
    ----------
    found
        What was read of them.
    reader, source
        Name of the format, and what the provenance says that the cohort was made from.
    read, also
        Files whose rows were read, and those that say what they mean.
    identity
        What identifies people.
    """
    files = {name: folder / name for name in (*read, *also)}
    beside = folder
    if map_file is not None:
        files["map"], beside = map_file, map_file.parent
    return TableCohort(
        collected=Collected(
            records=people_records(found, nominal=False),
            read=dict.fromkeys(read, reader),
            dropped=list(dict.fromkeys(found.problems)),
        ),
        provenance=Provenance(
            name=declared.name or folder.resolve().name,
            source=source,
            simulated=declared.simulated,
            details=declared.model_dump(mode="json", exclude_defaults=True),
        ),
        dates_shifted=declared.dates_shifted,
        files=files | vocabulary_file(declared.vocabulary, beside),
        identity=(identity,),
        clock="timestamps",
    )
