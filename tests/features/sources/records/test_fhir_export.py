"""FHIR in bulk: how an export was split into files, and packed, decides nothing."""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import CohortInvalid, ContractError
from features.importing import Imported, grow_cohort, import_source

FEW = settings(max_examples=6, deadline=None)
FM, STEPS, THERAPY = "REHABCAST//FUGL_MEYER_UE", "LOINC//41950-7", "REHABCAST//THERAPY"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
OURS = "urn:rehabcast:vocabulary"
Resource = dict[str, Any]


def observation(number: int, code: str, system: str = OURS, **more: Any) -> Resource:
    return {
        "resourceType": "Observation", "id": f"o-{number}", "status": "final",
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": f"2024-03-{number:02d}T09:00:00-05:00", **more,
    }  # fmt: skip


def score(number: int, value: float, **more: Any) -> Resource:
    return observation(
        number, "FUGL_MEYER_UE", **{"valueQuantity": {"value": value, "code": "{score}"}, **more}
    )


def omb(name: str, display: str) -> Resource:
    coding = {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "x", "display": display}
    return {
        "url": f"{US_CORE}{name}",
        "extension": [{"url": "ombCategory", "valueCoding": coding},
                      {"url": "text", "valueString": display}],
    }  # fmt: skip


PATIENT: Resource = {
    "resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1950-02-03",
    "identifier": [{"system": "urn:mrn", "value": "M-1"}],
    "extension": [omb("race", "White"), omb("ethnicity", "Not Hispanic or Latino")],
}  # fmt: skip
STROKE: Resource = {
    "resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"},
    "clinicalStatus": {"coding": [{"code": "active"}]},
    "verificationStatus": {"coding": [{"code": "confirmed"}]},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "230690007"}]},
    "onsetDateTime": "2024-03-01T10:00:00-05:00",
}  # fmt: skip
SESSION: Resource = {
    "resourceType": "Procedure", "id": "t1", "status": "completed",
    "subject": {"reference": "Patient/p1"},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91251008"}]},
    "performedPeriod": {"start": "2024-03-05T09:00:00-05:00", "end": "2024-03-05T09:45:00-05:00"},
}  # fmt: skip
ARM = observation(3, "AFFECTED_ARM", valueString="left")
SIDED = score(4, 22, bodySite={"text": "left arm"})
BY_IDENTIFIER = score(6, 25, subject={"identifier": {"system": "urn:mrn", "value": "M-1"}})
PANEL = observation(
    7, "panel", "urn:local",
    component=[{"code": {"coding": [{"system": OURS, "code": "FUGL_MEYER_UE"}]},
                "valueQuantity": {"value": 27, "code": "{score}"}}],
)  # fmt: skip
ENCOUNTER: Resource = {"resourceType": "Encounter", "id": "e1", "status": "finished",
                       "class": {"code": "IMP"}, "subject": {"reference": "Patient/p1"}}  # fmt: skip
EVERYTHING = [PATIENT, STROKE, SESSION, ARM, SIDED, BY_IDENTIFIER, PANEL, ENCOUNTER]


def write_lines(path: Path, resources: list[Resource]) -> None:
    text = "".join(f"{json.dumps(each)}\n" for each in resources)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def held(done: Imported) -> set[tuple[Any, ...]]:
    labels = done.cohort.labels
    rows = done.cohort.events[[SUBJECT, TIME, CODE, NUMBER, TEXT]].itertuples(index=False)
    return {
        (labels[who], str(time), str(code), f"{number:.3f}", str(text))
        for who, time, code, number, text in rows
    }


def imported(folder: Path, *files: list[Resource], ending: str = "ndjson", **more: Any) -> Imported:
    source = folder / "source"
    source.mkdir(parents=True)
    for number, resources in enumerate(files):
        if resources:
            write_lines(source / f"{number:03d}.{ending}", resources)
    return import_source(source, folder / "cohort", **more)


def test_files_by_resource_type_are_one_export(tmp_path: Path) -> None:
    done = imported(
        tmp_path, [PATIENT], [STROKE], [SESSION], [ARM], [SIDED, BY_IDENTIFIER, PANEL], [ENCOUNTER]
    )
    scores = done.cohort.events[done.cohort.events[CODE] == FM]
    assert scores[NUMBER].tolist() == [22, 25, 27]
    assert str(scores[TIME].iloc[0]) == "2024-03-04 09:00:00"
    texts = done.cohort.events.set_index(CODE)[TEXT]
    assert texts["REHABCAST//RACE"] == "White"
    assert texts["REHABCAST//ETHNICITY"] == "non-Hispanic White"
    numbers = done.cohort.events.set_index(CODE)[NUMBER]
    assert numbers[THERAPY] == 45
    assert any("Encounter is not used" in each.found for each in done.unreadable)


@FEW
@given(
    places=st.lists(st.integers(0, 2), min_size=len(EVERYTHING), max_size=len(EVERYTHING)),
    seed=st.integers(0, 99), ending=st.sampled_from(["ndjson", "ndjson.gz"]),
)  # fmt: skip
def test_split_order_and_packing_decide_nothing(places: list[int], seed: int, ending: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        whole = held(imported(Path(temporary) / "a", EVERYTHING))
        files: list[list[Resource]] = [[], [], []]
        for place, resource in zip(places, EVERYTHING, strict=True):
            files[place].append(resource)
        for resources in files:
            random.Random(seed).shuffle(resources)
        assert held(imported(Path(temporary) / "b", *files, ending=ending)) == whole


@pytest.mark.parametrize("form", ["urn:uuid", "absolute", "relative"])
def test_a_bundle_of_each_patient_says_the_same_as_lines(tmp_path: Path, form: str) -> None:
    uuid = "5cbc121b-cd71-4428-b8b7-31e53eba8184"
    address = {
        "urn:uuid": f"urn:uuid:{uuid}", "absolute": f"https://h.example/fhir/Patient/{uuid}",
        "relative": f"Patient/{uuid}",
    }[form]  # fmt: skip
    base = "urn:uuid:" if form == "urn:uuid" else "https://h.example/fhir/Observation/"
    resources = [
        {**PATIENT, "id": uuid},
        *({**each, "subject": {"reference": address}} for each in (STROKE, ARM, SIDED, SESSION)),
    ]
    bundle = {
        "resourceType": "Bundle", "type": "collection",
        "entry": [
            {
                "fullUrl": (f"urn:uuid:{uuid}" if form == "urn:uuid"
                            else f"https://h.example/fhir/Patient/{uuid}")
                if each["resourceType"] == "Patient"
                else f"{base.replace('Observation', each['resourceType'])}{each['id']}",
                "resource": each,
            }
            for each in resources
        ],
    }  # fmt: skip
    lines = [{**each, "subject": {"reference": f"Patient/{uuid}"}} if "subject" in each else each
             for each in resources]  # fmt: skip
    as_lines = held(imported(tmp_path / "lines", lines[:2], lines[2:]))
    other = {**PATIENT, "id": "p9", "identifier": []}
    as_bundle = imported(tmp_path / "bundle", [bundle], [other, {**STROKE, "id": "c9",
                         "subject": {"reference": "Patient/p9"}}])  # fmt: skip
    assert {row for row in held(as_bundle) if row[0] != "p9"} == as_lines


def synthea(address: str, others: str) -> list[Resource]:
    """Return a person as Synthea's R4 exporter writes one: its elements, in the shape of its files.

    In a Bundle references are `urn:uuid:...`, in bulk files `Kind/id`.
    """
    own = "0a56854c-d96f-e6b8-40fb-d55b3e438d27"
    meta = {"profile": [f"{US_CORE}patient"]}
    about = {"subject": {"reference": address}, "encounter": {"reference": others}}

    def status(kind: str, code: str) -> Resource:
        system = f"http://terminology.hl7.org/CodeSystem/condition-{kind}"
        return {"coding": [{"system": system, "code": code}]}

    def coded(system: str, code: str, display: str) -> Resource:
        return {"coding": [{"system": system, "code": code, "display": display}], "text": display}

    patient = {
        "resourceType": "Patient", "id": own, "meta": meta,
        "text": {"status": "generated",
                 "div": '<div xmlns="http://www.w3.org/1999/xhtml">Generated by Synthea</div>'},
        "extension": [
            omb("race", "Black or African American"), omb("ethnicity", "Hispanic or Latino"),
            {"url": f"{US_CORE}birthsex", "valueCode": "F"},
            {"url": "http://synthetichealth.github.io/synthea/quality-adjusted-life-years",
             "valueDecimal": 40.1},
        ],
        "identifier": [{"system": "https://github.com/synthetichealth/synthea", "value": own}],
        "name": [{"use": "official", "family": "Doe1", "given": ["Jane2"], "prefix": ["Mrs."]}],
        "gender": "female", "birthDate": "1950-02-03", "multipleBirthBoolean": False,
        "deceasedDateTime": "2024-06-07T20:41:48-04:00",
    }  # fmt: skip
    condition = {
        "resourceType": "Condition", "id": "7e590a6e-2e78-e6fb-fd5d-36c4fa68308f", **about,
        "clinicalStatus": status("clinical", "resolved"),
        "verificationStatus": status("ver-status", "confirmed"),
        "code": coded("http://snomed.info/sct", "230690007", "Stroke"),
        "onsetDateTime": "2024-03-01T19:41:48-05:00",
        "abatementDateTime": "2024-06-01T20:41:48-04:00",
        "recordedDate": "2024-03-01T19:41:48-05:00",
    }  # fmt: skip
    throat = {
        **condition, "id": "7ebe6f7c-940a-7f5d-f559-50cdc67e3e49",
        "code": coded("http://snomed.info/sct", "195662009", "Acute viral pharyngitis (disorder)"),
    }  # fmt: skip
    steps = {
        "resourceType": "Observation", "id": "o1", "status": "final", **about,
        "category": [coded("http://terminology.hl7.org/CodeSystem/observation-category",
                           "activity", "activity")],
        "code": coded("http://loinc.org", "41950-7", "Number of steps in 24 hour"),
        "effectiveDateTime": "2024-03-04T19:41:48-05:00",
        "issued": "2024-03-04T19:41:48.123-05:00",
        "valueQuantity": {"value": 2500.0, "unit": "/d", "system": "http://unitsofmeasure.org",
                          "code": "/d"},
    }  # fmt: skip
    pressure = {
        **steps, "id": "o2",
        "code": coded("http://loinc.org", "85354-9", "Blood Pressure"),
        "component": [{"code": coded("http://loinc.org", "8480-6", "Systolic Blood Pressure"),
                       "valueQuantity": {"value": 120, "unit": "mm[Hg]", "code": "mm[Hg]",
                                         "system": "http://unitsofmeasure.org"}}],
    }  # fmt: skip
    del pressure["valueQuantity"]
    therapy = {
        "resourceType": "Procedure", "id": "p1", "status": "completed", **about,
        "code": coded("http://snomed.info/sct", "91251008", "Physical therapy procedure"),
        "performedPeriod": {"start": "2024-03-05T19:41:48-05:00",
                            "end": "2024-03-05T20:26:48-05:00"},
    }  # fmt: skip
    device = {"resourceType": "Device", "id": "d1", "status": "active",
              "patient": {"reference": address}}  # fmt: skip
    return [patient, condition, throat, steps, pressure, therapy, device, ENCOUNTER]


def test_the_shapes_of_synthea_say_the_same(tmp_path: Path) -> None:
    own = "0a56854c-d96f-e6b8-40fb-d55b3e438d27"
    in_lines = synthea(f"Patient/{own}", "Encounter/088cf06d")
    in_bundle = synthea(f"urn:uuid:{own}", "urn:uuid:088cf06d-75b3-bafb-5670-b0ae9efba494")
    by_kind: dict[str, list[Resource]] = {}
    for each in in_lines:
        by_kind.setdefault(each["resourceType"], []).append(each)
    bulk = imported(tmp_path / "bulk", *by_kind.values())
    bundle = {
        "resourceType": "Bundle", "type": "transaction",
        "entry": [
            {"fullUrl": f"urn:uuid:{each['id']}", "resource": each,
             "request": {"method": "POST", "url": each["resourceType"]}}
            for each in in_bundle
        ],
    }  # fmt: skip
    assert held(imported(tmp_path / "bundle", [bundle])) == held(bulk)
    events = bulk.cohort.events.set_index(CODE)
    assert events.loc[STEPS, NUMBER] == 2500
    assert events.loc[THERAPY, NUMBER] == 45
    assert events.loc["REHABCAST//ETHNICITY", TEXT] == "Hispanic"
    assert events.loc["REHABCAST//RACE", TEXT] == "Black or African American"
    assert events.loc[ONSET, TIME] == pd.Timestamp("2024-03-01 19:41:48")
    found = [each.found for each in (*bulk.dropped, *bulk.unreadable)]
    assert any("195662009 is no stroke" in each for each in found)
    assert any("Blood Pressure, not in the vocabulary" in each for each in found)
    assert any("resource Device is not used" in each for each in found)
    assert "Doe1" not in repr(bulk)


def test_codes_of_the_hospitals_own_are_named_in_the_map(tmp_path: Path) -> None:
    own = observation(9, "FMA", "https://h.example/codes", valueQuantity={"value": 30})
    session = {**SESSION, "code": {"coding": [{"system": "https://h.example/codes", "code": "PT"}]}}
    entry = '[[codes]]\nsystem = "https://h.example/codes"\ncode = "{}"\nmeans = "{}"\n'
    plan = tmp_path / "map.toml"
    plan.write_text(entry.format("FMA", FM) + entry.format("PT", THERAPY), "utf-8")
    done = imported(tmp_path, [PATIENT, STROKE], [own, session], map_file=plan)
    numbers = done.cohort.events.set_index(CODE)[NUMBER]
    assert (numbers[FM], numbers[THERAPY]) == (30, 45)
    plan.write_text(entry.format("FMA", "REHABCAST//NOTHING"), "utf-8")
    with pytest.raises(ContractError, match="not in the vocabulary"):
        import_source(tmp_path / "source", tmp_path / "other", map_file=plan)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({**SIDED, "id": "w", "status": "entered-in-error"}, "entered-in-error"),
        ({**STROKE, "id": "w", "verificationStatus": {"coding": [{"code": "refuted"}]}}, "refuted"),
        ({**SESSION, "id": "w", "status": "not-done"}, "not-done"),
        ({**SIDED, "id": "w", "bodySite": {"text": "right arm"}}, "of the right side"),
        ({**SIDED, "id": "w", "subject": {"reference": "#p"}}, "contained Patient"),
    ],
)
def test_what_does_not_count_is_left_out_and_counted(
    tmp_path: Path, wrong: Resource, words: str
) -> None:
    whole = held(imported(tmp_path / "a", EVERYTHING))
    done = imported(tmp_path / "b", EVERYTHING[:4], [*EVERYTHING[4:], wrong])
    assert held(done) == whole
    assert any(words in each.found for each in done.dropped)


def test_references_in_a_circle_end(tmp_path: Path) -> None:
    one = {**PATIENT, "link": [{"other": {"reference": "Patient/p2"}, "type": "replaced-by"}]}
    two = {**PATIENT, "id": "p2", "identifier": [],
           "link": [{"other": {"reference": "Patient/p1"}, "type": "replaced-by"}]}  # fmt: skip
    loop = score(8, 30, hasMember=[{"reference": "Observation/o-8"}])
    done = imported(tmp_path, [one, two], [STROKE, loop])
    assert FM in done.cohort.events[CODE].tolist()


def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    write_lines(source / "a.ndjson", [PATIENT, STROKE, ARM])
    write_lines(source / "b.ndjson", [SIDED])
    whole = (source / "b.ndjson").read_bytes()
    (source / "c.ndjson").write_bytes(whole + b'{"resourceType": "Observation", "id": "cut')
    done = import_source(source, tmp_path / "cohort")
    assert [each.file for each in done.unreadable] == ["c.ndjson"]
    assert done.cohort.events[CODE].tolist().count(FM) == 1


def test_nothing_but_other_resources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortInvalid, match="Encounter is not used"):
        imported(tmp_path, [ENCOUNTER], [{**ENCOUNTER, "id": "e2"}])


def test_an_export_is_not_distributed(tmp_path: Path) -> None:
    def runner(jobs: Any) -> None:
        raise AssertionError(jobs)

    with pytest.raises(ContractError, match="are one export"):
        imported(tmp_path, [PATIENT], [STROKE], runner=runner)


def test_the_next_export_adds_and_the_same_one_changes_nothing(tmp_path: Path) -> None:
    imported(tmp_path, [PATIENT, STROKE], [ARM, SIDED])
    more = tmp_path / "more"
    more.mkdir()
    write_lines(more / "p.ndjson", [PATIENT, STROKE])
    write_lines(more / "o.ndjson", [ARM, BY_IDENTIFIER])
    grown = grow_cohort(more, tmp_path / "cohort")
    whole = imported(tmp_path / "whole", [PATIENT, STROKE], [ARM, SIDED, BY_IDENTIFIER])
    assert held(grown) == held(whole)
    again = grow_cohort(more, tmp_path / "cohort")
    assert again.changes is not None
    assert again.changes.is_known
    onset = whole.cohort.events[whole.cohort.events[CODE] == ONSET][TIME].iloc[0]
    assert onset == pd.Timestamp("2024-03-01 10:00")
