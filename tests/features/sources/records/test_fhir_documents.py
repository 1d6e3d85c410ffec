"""Bundles taken apart: versions, deletions, pages, Bundles within Bundles."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from contracts.cohort import CODE, NUMBER
from features.importing import import_source

SCORE = "REHABCAST//FUGL_MEYER_UE"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_highest_version_counts_in_any_order(
    decide: Any, score: Any, order: tuple[int, ...]
) -> None:
    given = [score(20 + n, meta={"versionId": str(n + 8)}) for n in range(3)]
    assert decide([given[n] for n in order]).of(SCORE) == [("2024-03-05", 22)]
    assert decide(*([given[n]] for n in order)).of(SCORE) == [("2024-03-05", 22)]


def test_without_numbers_the_last_change_counts_as_an_instant(decide: Any, score: Any) -> None:
    early, late = "2024-03-05T10:30:00+02:00", "2024-03-05T09:00:00Z"
    given = [
        score(25, meta={"lastUpdated": early, "versionId": "abc"}),
        score(21, meta={"lastUpdated": late}),
    ]
    for order in (given, given[::-1]):
        assert decide(order).of(SCORE) == [("2024-03-05", 21)]
    issued = [score(25, issued=early), score(21, issued=late)]
    assert decide(issued).of(SCORE) == [("2024-03-05", 21)]


@pytest.mark.parametrize(
    "newest",
    [
        {"status": "entered-in-error"},
        {"status": "cancelled"},
        {"status": "preliminary"},
        {"subject": {"reference": "Group/g"}},
        {"code": {"text": "mood"}},
        {"status": 17},
        {"effectiveDateTime": "2024-03"},
        {"modifierExtension": [{"url": "urn:negated", "valueBoolean": True}]},
        {"valueQuantity": None, "dataAbsentReason": {"coding": [{"code": "error"}]}},
    ],
)
def test_a_newest_version_that_is_of_no_use_takes_the_older_ones_with_it(
    decide: Any, score: Any, newest: dict[str, Any]
) -> None:
    old, new = score(meta={"versionId": "1"}), score(meta={"versionId": "2"}, **newest)
    for order in ([old, new], [new, old]):
        assert decide(order).of(SCORE) == []
    assert decide([old]).of(SCORE) == [("2024-03-05", 22)]


def deletion(**response: str) -> dict[str, Any]:
    return {
        "fullUrl": "https://here.test/fhir/Observation/o1",
        "request": {"method": "DELETE", "url": "Observation/o1"},
        **({"response": {"status": "204", **response}} if response else {}),
    }


def test_what_a_bundle_deletes_is_gone(decide: Any, score: Any, bundle: Any) -> None:
    url = "https://here.test/fhir/Observation/o1"
    first, third = score(21, meta={"versionId": "1"}), score(23, meta={"versionId": "3"})
    deleted = deletion(etag='W/"2"', lastModified="2024-03-06T00:00:00Z")
    assert decide(bundle(deleted, (url, first), type="history")).of(SCORE) == []
    again = decide(bundle((url, third), deleted, (url, first), type="history"))
    assert again.of(SCORE) == [("2024-03-05", 23)]
    assert decide(bundle((url, score()), deletion(), type="transaction")).of(SCORE) == []


def history(score: Any, value: int, response: dict[str, Any], **meta: Any) -> dict[str, Any]:
    """An entry of a history: the server says its version, the resource may."""
    return {
        "fullUrl": "https://here.test/fhir/Observation/o1",
        "resource": score(value, **({"meta": meta} if meta else {})),
        "request": {"method": "PUT", "url": "Observation/o1"},
        "response": {"status": "200", **response},
    }


@pytest.mark.parametrize(
    "written", ['W/"{}"', '"{}"', "{}", 'W/"00{}"'], ids=["weak", "strong", "bare", "zeros"]
)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_history_says_versions_that_its_resources_do_not(
    decide: Any, score: Any, bundle: Any, written: str, order: tuple[int, ...]
) -> None:
    entries = [history(score, 20 + n, {"etag": written.format(n + 9)}) for n in range(3)]
    got = decide(bundle(*(entries[n] for n in order), type="history"))
    assert got.of(SCORE) == [("2024-03-05", 22)]
    assert got.said == ""


def test_a_history_says_when_its_versions_were_made(decide: Any, score: Any, bundle: Any) -> None:
    early, late = "2024-03-05T10:30:00+02:00", "2024-03-05T09:00:00Z"
    entries = [
        history(score, 25, {"lastModified": early}),
        history(score, 21, {"lastModified": late}),
    ]
    for order in (entries, entries[::-1]):
        assert decide(bundle(*order, type="history")).of(SCORE) == [("2024-03-05", 21)]


def test_what_a_resource_says_of_its_version_counts_before_the_history(
    decide: Any, score: Any, bundle: Any
) -> None:
    entries = [
        history(score, 25, {"etag": 'W/"9"'}, versionId="1"),
        history(score, 21, {"etag": 'W/"1"'}, versionId="2"),
    ]
    assert decide(bundle(*entries, type="history")).of(SCORE) == [("2024-03-05", 21)]


def test_a_version_that_is_no_number_leaves_it_open(decide: Any, score: Any, bundle: Any) -> None:
    entries = [history(score, 25, {"etag": 'W/"a"'}), history(score, 21, {"etag": 'W/"b"'})]
    got = decide(bundle(*entries, type="history"))
    assert got.of(SCORE) == []
    assert "different content and no version" in got.said


def test_a_withdrawn_version_of_a_history_takes_the_earlier_ones_with_it(
    decide: Any, score: Any, bundle: Any
) -> None:
    wrong = history(score, 25, {"etag": 'W/"1"'})
    gone = history(score, 25, {"etag": 'W/"2"'})
    gone["resource"]["status"] = "entered-in-error"
    assert decide(bundle(gone, wrong, type="history")).of(SCORE) == []
    assert decide(bundle(wrong, type="history")).of(SCORE) == [("2024-03-05", 25)]


def test_a_page_of_a_search_is_named_as_one(decide: Any, score: Any, bundle: Any) -> None:
    page = bundle(score(), type="searchset", link=[{"relation": "next", "url": "https://x.test"}])
    assert "only one page of a search" in decide(page).said


def test_a_bundle_within_a_bundle_is_read(decide: Any, score: Any, bundle: Any) -> None:
    assert decide(bundle(bundle(score()))).of(SCORE) == [("2024-03-05", 22)]


def test_a_record_that_moves_to_another_person_is_named(decide: Any, score: Any) -> None:
    moved = score(meta={"versionId": "2"}, subject={"reference": "Patient/p2"})
    got = decide([score(meta={"versionId": "1"}), moved])
    assert got.of(SCORE, "p1") == []
    assert got.of(SCORE, "p2") == [("2024-03-05", 22)]
    assert "belongs to 'p1' and 'p2'" in got.said


def test_other_line_ends_within_a_text_do_not_end_a_line(tmp_path: Any, read: Any) -> None:
    text = '{"resourceType": "Patient", "id": "p%d", "gender": "male", "language": "a\u2028b"}'
    file = tmp_path / "bulk.ndjson"
    file.write_text("\n".join(text % n for n in (1, 2)), "utf-8")
    assert set(read(file).records["subject_label"]) == {"p1", "p2"}


def test_a_file_that_only_withdraws_takes_versions_of_other_files_with_it(
    tmp_path: Path, score: Any, stroke: Any
) -> None:
    wrong = score(40, id="o2", effectiveDateTime="2024-03-12", meta={"versionId": "1"})
    gone = {**wrong, "status": "entered-in-error", "meta": {"versionId": "2"}}
    source = tmp_path / "source"
    source.mkdir()
    for name, resources in (("1", [stroke(), score(), wrong]), ("2", [gone])):
        (source / name).write_text("\n".join(json.dumps(resource) for resource in resources))
    done = import_source(source, tmp_path / "cohort")
    events = done.cohort.events
    assert list(events.loc[events[CODE] == SCORE, NUMBER]) == [22]
    assert "entered-in-error" in done.unreadable[0].found
