"""Beat intervals that records state one by one: which of them count, over all files at once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from contracts.cohort import CODE, NUMBER, TIME
from features.biomarkers.reduction import reduce_reading
from features.measurements.identity import without_server
from features.measurements.records import AMOUNT, BEATS, FILE, SOURCE, SUBJECT_LABEL, Amount
from features.measurements.versions import newest_versions
from features.recording import Collected, Quantity, Reading, Signal, SourceFile


def reduce_beats(collected: Collected, *, dates_shifted: bool) -> None:
    """Turn records of beat intervals into samples, each statement once and in its newest version.

    A beat that stands in two files is one, however they overlap; and a correction in one file
    replaces the beat of another.
    """
    stated = [table[CODE] == BEATS for table in collected.records]
    beats = [table[own] for table, own in zip(collected.records, stated, strict=True) if own.any()]
    if not beats:
        return
    collected.records = [
        table[~own] for table, own in zip(collected.records, stated, strict=True) if not own.all()
    ]
    known, _ = without_server(pd.concat(beats, ignore_index=True))
    current, undecided = newest_versions(known)
    collected.dropped += undecided
    current = current[(current[AMOUNT] == str(Amount.READING)) & current[TIME].notna()]
    for (label, source), points in current.groupby([SUBJECT_LABEL, SOURCE], sort=True):
        ordered = points.sort_values([TIME, NUMBER])
        signal = Signal(
            subject_label=str(label),
            quantity=Quantity.BEAT_INTERVAL,
            time_N=ordered[TIME].to_numpy(dtype="datetime64[ns]"),
            values_NC=ordered[[NUMBER]].to_numpy(dtype="float32"),
            epoch_s=1.0,
            device=f"beats {source}".strip(),
            maker=str(source) or "not stated",
            clock="offset in every record",
        )
        names = sorted(points[FILE].unique())
        file = SourceFile(
            path=Path(), name=names[0], subject_label=str(label), dates_shifted=dates_shifted
        )
        reduce_reading(file, Reading(signals=(signal,)), collected, {})
