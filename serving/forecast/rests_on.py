"""The data that a forecast rests on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contracts.cohort import ENROLMENT, ONSET, WEAR_TIME
from contracts.observation import Observation
from contracts.sequences import SequenceBatch
from contracts.therapy import DISCIPLINES, THERAPY
from contracts.vocabulary import Kind, vocabulary
from features.past.groups import is_of_wearable
from features.sequences import present_modalities
from inference.bundle import Bundle
from serving.schemas import RestsOn


def rests_on(bundle: Bundle, batch: SequenceBatch, observations: Sequence[Observation]) -> RestsOn:
    """Say what of a record was used, what is missing and what was ignored."""
    entries, layout = vocabulary(), bundle.layout
    is_daily = np.array([entries[code].kind is Kind.DAILY for code in layout.channels_C])
    is_worn = np.array([is_of_wearable(code) for code in layout.channels_C])
    observed_TC = batch.observed_BTC[0]
    person = (covariate.code for covariate in layout.person_S)
    sent = {observation.code for observation in observations}
    if THERAPY not in sent and THERAPY in layout.channels_C:
        # They were read as parts of the day's therapy.
        sent -= {*DISCIPLINES}
    ignored = sent - {*layout.channels_C, *person} - {ONSET, ENROLMENT}
    present_M = present_modalities(batch, bundle.manifest.modalities)[0]
    return RestsOn(
        assessments=int(observed_TC[:, ~is_daily].sum()),
        days_with_wearable=int(observed_TC[:, is_worn].any(axis=1).sum()),
        median_wear_hours=_wear_hours(batch),
        missing_modalities=[
            name
            for name, seen in zip(bundle.manifest.modalities, present_M, strict=True)
            if not seen
        ],
        missing_channels=[
            entries[code].name
            for code, seen in zip(layout.channels_C, observed_TC.any(axis=0), strict=True)
            if not seen
        ],
        ignored_codes=sorted(ignored),
    )


def _wear_hours(batch: SequenceBatch) -> float | None:
    if WEAR_TIME not in batch.layout.channels_C:
        return None
    column = batch.layout.channels_C.index(WEAR_TIME)
    seen_T = batch.observed_BTC[0, :, column]
    return float(np.median(batch.values_BTC[0, seen_T, column])) if seen_T.any() else None
