"""The same sessions of therapy by `/v1`, as FHIR and in a table: the same therapy on each day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, SUBJECT, TIME
from contracts.observation import Observation
from contracts.sequences import Layout, SequenceBatch
from contracts.task import Task
from contracts.therapy import DISCIPLINES, THERAPY
from contracts.vocabulary import vocabulary
from contracts.vocabulary.code import REHABCAST_SYSTEM
from features.importing import import_source
from inference.record import record_batch
from serving.forecast.audit_status import ServedModel
from serving.forecast.rests_on import rests_on
from serving.formats.fhir.record import record_of
from serving.http.examples import BUNDLE, CONDITION, PATIENT
from serving.monitoring.series import series_of
from tests.features.importing.test_therapy_kinds import LONG, NAMES, SESSIONS, source

SCORE = Observation(code="REHABCAST//FUGL_MEYER_UE", day_since_onset=10, value=22)
ENROLLED, ASKED = 10, 40
ONSET = datetime.fromisoformat(CONDITION["onsetDateTime"])
PHYSIO, SPEECH, GROUP = NAMES["physio"], NAMES["speech"], "REHABCAST//THERAPY_GROUP"

Session = tuple[int, str, int]
sessions = st.lists(
    st.tuples(st.integers(11, 40), st.sampled_from(DISCIPLINES), st.sampled_from([15, 30, 45])),
    max_size=8,
)


def by_discipline(drawn: Iterable[Session]) -> list[Observation]:
    """What a caller of `/v1` sends who keeps minutes by discipline, and no total."""
    minutes: Counter[tuple[str, int]] = Counter()
    for day, code, length in drawn:
        minutes[code, day] += length
    sent = (
        Observation(code=code, day_since_onset=day, value=float(value))
        for (code, day), value in minutes.items()
    )
    return [SCORE, *sent]


def procedures(drawn: Iterable[Session]) -> list[dict[str, Any]]:
    """The same as FHIR, one session after the other."""
    used: Counter[int] = Counter()
    made = []
    for number, (day, code, length) in enumerate(drawn):
        start = ONSET + timedelta(days=day, hours=8, minutes=used[day])
        used[day] += length
        coding = {"system": REHABCAST_SYSTEM, "code": code.partition("//")[2]}
        made.append({
            "resourceType": "Procedure", "id": f"session-{number}", "status": "completed",
            "subject": {"reference": f"Patient/{PATIENT['id']}"}, "code": {"coding": [coding]},
            "performedPeriod": {
                "start": f"{start.isoformat()}Z",
                "end": f"{(start + timedelta(minutes=length)).isoformat()}Z",
            },
        })  # fmt: skip
    return made


def reading_therapy(layout: Layout) -> Layout:
    """The layout of a model that reads the day's therapy as well."""
    return replace(
        layout,
        channels_C=(*layout.channels_C, THERAPY),
        modality_C=(*layout.modality_C, vocabulary()[THERAPY].modality),
    )


def read(batch: SequenceBatch) -> dict[int, float]:
    """The day's therapy as a model reads it, by day since onset."""
    column = batch.layout.channels_C.index(THERAPY)
    seen_T = batch.observed_BTC[0, :, column]
    days = batch.days_since_onset_BT[0][seen_T].astype(int).tolist()
    return dict(zip(days, batch.values_BTC[0, seen_T, column].tolist(), strict=True))


def imported(drawn: Sequence[Session]) -> dict[int, float]:
    names = {code: name for name, code in NAMES.items()}
    rows = "".join(f"1,{day},{names[code]},{length / 60}\n" for day, code, length in drawn)
    with TemporaryDirectory() as folder:
        map_ = source(Path(folder), SESSIONS, LONG, f"id,day,kind,hours\n{rows}")
        events = import_source(map_, Path(folder) / "cohort").cohort.events
    own = events[(events[CODE] == THERAPY) & (events[SUBJECT] == 1)]
    days = (own[TIME] - pd.Timestamp("2000-01-01")).dt.days
    return dict(zip(days.tolist(), own[NUMBER].tolist(), strict=True))


@settings(max_examples=5, deadline=None)
@given(drawn=sessions)
def test_each_door_gives_the_same_therapy_on_each_day(
    drawn: list[Session], batch: SequenceBatch, task: Task
) -> None:
    wanted: Counter[int] = Counter()
    for day, _, length in drawn:
        wanted[day] += length
    inline = by_discipline(drawn)
    documents = [BUNDLE, *procedures(drawn)]
    resources = record_of(documents, task).observations
    records = {"/v1": inline, "FHIR": resources}
    for door, record in records.items():
        found = record_batch(ENROLLED, record, task, reading_therapy(batch.layout), ASKED)
        assert read(found) == pytest.approx(dict(wanted)), door
        watched = series_of(record, ASKED)
        kept_T = watched.daily.get(THERAPY, np.empty(0))
        days = watched.first_day + np.flatnonzero(np.isfinite(kept_T))
        assert dict(zip(days.tolist(), kept_T[np.isfinite(kept_T)], strict=True)) == pytest.approx(
            dict(wanted)
        ), door
    assert imported(drawn) == pytest.approx(dict(wanted))


@pytest.mark.parametrize(
    ("record", "therapy"),
    [
        ([(PHYSIO, 30.0), (SPEECH, 15.0)], 45),
        ([(PHYSIO, 30.0), (GROUP, 30.0)], 30),
        ([(GROUP, 30.0)], None),
        ([(PHYSIO, 30.0), (THERAPY, 60.0)], 60),
        ([(PHYSIO, 50.0), (THERAPY, 20.0)], None),
        ([(PHYSIO, 500.0), (SPEECH, 400.0)], None),
    ],
)
def test_what_a_day_comes_to(
    record: list[tuple[str, float]], therapy: float | None, batch: SequenceBatch, task: Task,
    served: ServedModel,
) -> None:  # fmt: skip
    sent = [SCORE, *(Observation(code=c, day_since_onset=12, value=v) for c, v in record)]
    layout = reading_therapy(batch.layout)
    found = record_batch(ENROLLED, sent, task, layout, ASKED)
    assert read(found) == ({} if therapy is None else {12: therapy})
    ignored = rests_on(replace(served.bundle, layout=layout), found, sent).ignored_codes
    assert (GROUP in ignored) == (GROUP in dict(record))
    assert (PHYSIO in ignored) == (PHYSIO in dict(record) and THERAPY in dict(record))
