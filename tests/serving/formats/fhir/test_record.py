"""FHIR documents as the record of a forecast: the same as in an import, or why there is none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, TEXT, TIME
from contracts.errors import CohortInvalid, ForecastRefused
from contracts.task import Task
from contracts.vocabulary import vocabulary
from features.importing import import_source
from serving.formats.cds.hooks import HookRequest
from serving.formats.cds.prefetch import prefetched
from serving.formats.fhir.record import FhirRecord, bundle_of, record_of
from serving.http.examples import BUNDLE, CONDITION, HOOK, OBSERVATION, PATIENT
from tests.refusals import refuses

SCORE = "REHABCAST//FUGL_MEYER_UE"
AGE = "REHABCAST//AGE"


def bundle(*resources: Any) -> dict[str, Any]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def test_a_bundle_becomes_a_record_that_starts_with_its_first_score(task: Task) -> None:
    later = {**OBSERVATION, "id": "b", "effectiveDateTime": "2026-02-20"}
    record = record_of([BUNDLE, later], task)
    assert record.enrolment_day == 10
    assert record.patient == PATIENT["id"]
    assert record.notes == ()
    values = {(item.code, item.day_since_onset): item for item in record.observations}
    assert values[SCORE, 46].value == 22
    # Born on 1 March, the onset is in January.
    assert values[AGE, None].value == 68
    assert values["REHABCAST//SEX", None].label == "female"


def test_a_hooks_prefetch_is_the_same_record(task: Task) -> None:
    hook = msgspec.convert(HOOK, HookRequest)
    given = prefetched(hook.prefetch, HOOK["prefetch"])
    record = record_of(given.documents, task, patient=hook.context.patientId)
    assert record == record_of([bundle_of(BUNDLE)], task)


PNEUMONIA = {**CONDITION, "code": {"coding": [{"system": "http://snomed.info/sct",
                                               "code": "233604007"}]}}  # fmt: skip
REFUTED = {**CONDITION, "verificationStatus": {"coding": [{"code": "refuted"}]}}
LESS = {
    **OBSERVATION,
    "valueQuantity": {"value": 22, "comparator": "<", "code": "{score}"},
}
OTHER = {"reference": "Patient/other"}


@pytest.mark.parametrize(
    ("resources", "refusal"),
    [
        ([PATIENT, OBSERVATION], "onset is not known: there is no Condition of stroke"),
        ([PATIENT, PNEUMONIA, OBSERVATION], "onset is not known: Condition 233604007 is no stroke"),
        ([PATIENT, REFUTED, OBSERVATION], "onset is not known: stroke that is refuted"),
        ([PATIENT, CONDITION], "no score of .* since the onset"),
        ([PATIENT, CONDITION, LESS], "no score of .* comparator"),
        ([], "hold nothing that the model knows"),
        ([PATIENT, {**PATIENT, "id": "other"}, CONDITION], "several patients"),
        # Even what is of no use for a forecast shows that two people are mixed up.
        ([PATIENT, CONDITION, OBSERVATION, {**PNEUMONIA, "subject": OTHER}], "several patients"),
        (
            [PATIENT, CONDITION, OBSERVATION, {"resourceType": "Encounter", "subject": OTHER}],
            "several patients",
        ),
        ([None, 5, {"resourceType": "Patient"}], "hold nothing that the model knows"),
        ([{**PATIENT, "deceasedBoolean": True}, CONDITION, OBSERVATION], "the patient died"),
        ([{**PATIENT, "deceasedDateTime": "2199-01-01"}, CONDITION, OBSERVATION], "died"),
    ],
)
def test_resources_that_make_no_record_say_what_is_missing(
    task: Task, resources: list[Any], refusal: str
) -> None:
    with refuses(ForecastRefused, match=refusal):
        record_of([bundle(*resources)], task)


def test_a_record_of_another_patient_than_asked_about_is_refused(task: Task) -> None:
    assert record_of([BUNDLE], task, patient=PATIENT["id"]).patient == PATIENT["id"]
    with refuses(ForecastRefused, match="another patient"):
        record_of([BUNDLE], task, patient="p2")


def test_a_task_without_diagnoses_says_so(task: Task) -> None:
    with refuses(ForecastRefused, match="declares no diagnosis"):
        record_of([BUNDLE], task.model_copy(update={"onset": None}))


def test_of_two_strokes_the_latest_counts_unless_one_is_named(task: Task) -> None:
    earlier = {**CONDITION, "id": "first", "onsetDateTime": "2020-05-01"}
    both = bundle(PATIENT, CONDITION, earlier, OBSERVATION)
    record = record_of([both], task)
    assert record.enrolment_day == 10
    assert "several onsets of stroke: 2026-01-05 counts, 2020-05-01 does not" in record.notes[0]
    assert record_of([both], task, condition="first").enrolment_day > 2000
    assert record_of([both], task, condition=f"Condition/{CONDITION['id']}").enrolment_day == 10
    with refuses(ForecastRefused, match="the Condition that the request names"):
        record_of([both], task, condition="nobody")


def test_what_was_left_out_is_noted_and_what_no_model_uses_is_not(task: Task) -> None:
    less = {**LESS, "id": "less", "effectiveDateTime": "2026-01-20"}
    mood = {**OBSERVATION, "id": "mood", "code": {"text": "mood"}}
    (note,) = record_of([bundle(PATIENT, CONDITION, OBSERVATION, less, mood)], task).notes
    assert note.startswith("Fugl-Meyer upper extremity: ")
    assert "comparator (< 22)" in note


def test_a_child_keeps_its_age_which_refuses_the_forecast(task: Task) -> None:
    child = {**PATIENT, "birthDate": "2015-01-01"}
    record = record_of([bundle(child, CONDITION, OBSERVATION)], task)
    assert [o.value for o in record.observations if o.code == AGE] == [11]


# --- the same document imported and asked about ------------------------------------------------

OFFSETS = ("", "Z", "+01:00", "-05:00", "+14:00")
DAYS = [f"2026-01-{day:02}" for day in range(1, 29)]


@st.composite
def times(draw: st.DrawFn, *, days: Sequence[str] = DAYS) -> str:
    day, offset = draw(st.sampled_from(days)), draw(st.sampled_from(OFFSETS))
    hour = draw(st.integers(0, 23))
    return f"{day}T{hour:02}:15:00{offset}" if offset else day


CODES = {
    "FUGL_MEYER_UE": "{score}", "BARTHEL": "{score}", "WALK_TEST_SPEED": "m/s", "SLEEP": "h/d",
    "41950-7": "/d", "40443-4": "/min",
}  # fmt: skip


@st.composite
def observations(draw: st.DrawFn) -> dict[str, Any]:
    code = draw(st.sampled_from([*CODES] + ["FUGL_MEYER_UE"] * 3))
    system = "http://loinc.org" if code[0].isdigit() else "urn:rehabcast:vocabulary"
    unit = draw(st.sampled_from([CODES[code]] * 5 + ["kg"]))
    quantity: dict[str, Any] = {"value": draw(st.integers(0, 70)), "code": unit}
    if draw(st.integers(0, 5)) == 0:
        quantity["comparator"] = "<"
    start = draw(times())
    period = {"start": start, "end": draw(times(days=[start[:10]]))}
    status = st.sampled_from(["final"] * 5 + ["amended", "preliminary", "entered-in-error"])
    return {
        "resourceType": "Observation",
        "id": draw(st.sampled_from("abcdefghijklmnop")),
        "status": draw(status),
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": {"reference": draw(st.sampled_from(["Patient/p", "Patient/p/_history/2"]))},
        "valueQuantity": quantity,
        **draw(st.sampled_from([{"effectiveDateTime": start}, {"effectivePeriod": period}])),
        **draw(versions()),
        **draw(st.sampled_from([{}, {"device": {"display": "watch"}}])),
    }


@st.composite
def versions(draw: st.DrawFn) -> dict[str, Any]:
    number = draw(st.integers(0, 3))
    return {"meta": {"versionId": str(number)}} if number else {}


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    snomed, icd = "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10"
    coding = st.sampled_from([(snomed, "230690007"), (icd, "I63.9"), (icd, "J18.9")])
    system, code = draw(coding)
    word = draw(st.sampled_from(["confirmed"] * 3 + ["refuted"]))
    return {
        "resourceType": "Condition",
        "id": draw(st.sampled_from(["a", "b", "c"])),
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": system, "code": code}]},
        "verificationStatus": {"coding": [{"code": word}]},
        "onsetDateTime": draw(times(days=[*DAYS[:9], "2025-06-01"])),
        **draw(versions()),
    }


@st.composite
def procedures(draw: st.DrawFn) -> dict[str, Any]:
    day, hour = draw(st.sampled_from(DAYS)), draw(st.integers(8, 12))
    at = [f"{day}T{hour:02}:{minute:02}:00+01:00" for minute in sorted(
        draw(st.lists(st.integers(0, 59), min_size=2, max_size=2)))]  # fmt: skip
    return {
        "resourceType": "Procedure",
        "id": draw(st.sampled_from(["a", "b", "c"])),
        "status": draw(st.sampled_from(["completed"] * 3 + ["not-done"])),
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91251008"}]},
        "subject": {"reference": "Patient/p"},
        "performedPeriod": {"start": at[0], "end": at[1]},
        **draw(versions()),
    }


BORN = {"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1960-01-09"}


SURE = [
    {**CONDITION, "subject": {"reference": "Patient/p"}, "onsetDateTime": "2026-01-02"},
    {**OBSERVATION, "subject": {"reference": "Patient/p"}, "effectiveDateTime": "2026-01-29"},
]
"""A stroke and a score that nothing casts doubt on."""


def asked(document: dict[str, Any], task: Task) -> FhirRecord | ForecastRefused:
    try:
        return record_of([document], task)
    except ForecastRefused as refusal:
        return refusal


def imported(document: dict[str, Any]) -> tuple[pd.DataFrame, str]:
    with TemporaryDirectory() as folder:
        source = Path(folder, "bundle.json")
        source.write_text(json.dumps(document), "utf-8")
        try:
            done = import_source(source, Path(folder, "cohort"))
        except CohortInvalid:
            return pd.DataFrame(), "nothing"
        rules = " ".join(rule.rule for rule in done.cohort.provenance.rules)
        return done.cohort.events, rules


Values = set[tuple[str, int | None, float | None, str | None]]


def in_cohort(events: pd.DataFrame) -> Values:
    onset = events.loc[events[CODE] == ONSET, TIME].iloc[0].normalize()
    rows = events.loc[~events[CODE].isin([ONSET, ENROLMENT]), [CODE, TIME, NUMBER, TEXT]]
    return {
        (
            code,
            None if pd.isna(time) else (time.normalize() - onset).days,
            None if pd.isna(number) else round(float(number), 6),
            None if pd.isna(text) else text,
        )
        for code, time, number, text in rows.itertuples(index=False, name=None)
    }


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(
    resources=st.lists(observations() | procedures(), min_size=2, max_size=14),
    diagnoses=st.lists(conditions(), max_size=3),
    sure=st.sampled_from([SURE] * 5 + [SURE[:1], SURE[1:]]),
    data=st.data(),
)
def test_an_import_and_the_service_make_the_same_record_of_a_document(
    task: Task, resources: list[Any], diagnoses: list[Any], sure: list[Any], data: st.DataObject
) -> None:
    everything = [BORN, *resources, *diagnoses, *sure]
    record = asked(bundle(*everything), task)
    # In any order of its entries.
    again = asked(bundle(*data.draw(st.permutations(everything))), task)
    assert str(again) == str(record) or values_of(again) == values_of(record)
    events, rules = imported(bundle(*everything))
    if isinstance(record, ForecastRefused):
        if "onset" in record.reason and "since" not in record.reason:
            assert "no onset" in rules or rules == "nothing"
        elif "since the onset" in record.reason and len(events):
            assert not (events[CODE] == SCORE).any()
        return
    assert "no onset" not in rules
    assert values_of(record) == in_cohort(events)
    assert all(code in vocabulary() for code, *_ in in_cohort(events))


def values_of(record: FhirRecord | ForecastRefused) -> Values | str:
    if isinstance(record, ForecastRefused):
        return record.reason.partition(":")[0]
    return {
        (o.code, o.day_since_onset, None if o.value is None else round(o.value, 6), o.label)
        for o in record.observations
    }


@pytest.mark.parametrize("storage", ["python", "pyarrow"])
def test_a_record_is_the_same_however_pandas_keeps_texts(task: Task, storage: str) -> None:
    """The service keeps them as Python does (`serving.http.service`), an import as Arrow does."""
    later = {**OBSERVATION, "id": "b", "effectiveDateTime": "2026-02-20"}
    expected = record_of([BUNDLE, later], task)
    with pd.option_context("mode.string_storage", storage):
        assert record_of([BUNDLE, later], task) == expected


def arm(side: str) -> dict[str, Any]:
    code = {"coding": [{"system": "urn:rehabcast:vocabulary", "code": "AFFECTED_ARM"}]}
    kept = {name: OBSERVATION[name] for name in ("resourceType", "status", "subject")}
    return {**kept, "id": "arm", "code": code, "valueString": side}


SNOMED = "http://snomed.info/sct"
SITES: dict[str, dict[str, Any]] = {
    "left": {"coding": [{"system": SNOMED, "code": "368208006", "display": "Left upper arm"}]},
    "right": {"text": "RIGHT arm"},
    "unknown": {"coding": [{"system": SNOMED, "code": "368208006"}]},
    "": {"text": "upper limb"},
}


@pytest.mark.parametrize("affected", ["left", "right", "both", "1", None])
@pytest.mark.parametrize("side", SITES)
def test_a_score_of_the_other_arm_is_not_one_of_the_affected_arm(
    task: Task, side: str, affected: str | None
) -> None:
    """It was taken as one, without a word."""
    known = [] if affected is None else [arm(affected)]
    sided = {**OBSERVATION, "bodySite": SITES[side]}
    counts = side == "" or affected in {side, "both"}
    resources = [PATIENT, CONDITION, *known, sided]
    if counts:
        assert record_of([bundle(*resources)], task).enrolment_day == 10
        return
    with refuses(ForecastRefused, "no score"):
        record_of([bundle(*resources)], task)
    later = {**OBSERVATION, "id": "b", "effectiveDateTime": "2026-02-20"}
    record = record_of([bundle(*resources, later)], task)
    assert record.enrolment_day == 46
    assert any("side" in note for note in record.notes)


@given(
    year=st.sampled_from([1900, 1989, 2100, 2150]),
    of=st.sampled_from(["everything", "the score", "the condition"]),
)
def test_a_date_that_cannot_be_has_an_advice_that_a_caller_can_follow(
    task: Task, year: int, of: str
) -> None:
    """It was to declare something in the map of an import, or to send what had been sent."""
    sent = json.loads(json.dumps(BUNDLE))
    for entry in sent["entry"]:
        kind = entry["resource"]["resourceType"]
        if of == "everything" or (kind == "Observation") == (of == "the score"):
            shifted = json.dumps(entry["resource"]).replace("2026-", f"{year}-")
            entry["resource"] = json.loads(shifted)
    with pytest.raises(ForecastRefused) as refusal:
        record_of([sent], task)
    assert refusal.value.what_to_do.startswith("correct the date")
    assert "days since onset" in refusal.value.what_to_do
    assert "dates_shifted" not in str(refusal.value)
