"""What an audit compares itself with, and whom it does not count because of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.disclosure.published import pattern_of
from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import load_policy
from audits.report.content import ModelFacts, Report, compose
from audits.report.editions import write_report
from contracts.digests import file_digest
from contracts.errors import EvidenceMissing, IntegrityError
from rehabcast.auditing import earlier_reports as module
from rehabcast.auditing.earlier_reports import Earlier, earlier_reports, had_another_external
from rehabcast.auditing.reports import KEPT_FOLDER, fetch_earlier_report
from training.registry import model_versions

POLICY = load_policy().model_copy(update={"replicates": 20, "required": (), "lost": None})
FACTS = ModelFacts(
    developer=None, contact=None, funding=None, family="f", condition="c", target="t",
    target_low=0, target_high=66, horizon_weeks=(12,), milestones=(), inputs=(),
    audited_attributes={}, cohort_name="made up", simulated=True, subjects=9, seed=0,
    created="2026-11-27",
)  # fmt: skip


def people(count: int) -> pd.DataFrame:
    """Return SIMULATED people, the first ones always the same."""
    rng = np.random.default_rng(0)
    truth_N, error_N = rng.uniform(0, 60, 200), rng.normal(0, 3, 200)
    sex_N = rng.choice(["f", "m"], 200)
    table = pd.DataFrame(
        {
            "model": "candidate", "subject_id": np.arange(200), "origin_day": 0,
            "horizon_day": 84, "days_since_onset": rng.integers(5, 90, 200) * 1.0,
            "fold": np.arange(200) % 5, "last_score": 10.0, "truth": truth_N, "group:sex": sex_N,
        }
    )  # fmt: skip
    for q in range(5, 100, 5):
        table[f"q{q:02}"] = truth_N + error_N + (q - 50) / 10
    both = [table, *(table.assign(model=name) for name in ("last observation", "x"))]
    kept = pd.concat(both, ignore_index=True)
    return kept[kept["subject_id"] < count].reset_index(drop=True)


def audited(name: str, table: pd.DataFrame, earlier: Earlier | None = None) -> Report:
    inputs = AuditInputs(
        model_version=name, bundle_digest=name, predictions_digest="a", data_digest="d",
        code_digest="c", simulated=True,
    )  # fmt: skip
    counted = table if earlier is None else earlier.counted(table)
    return compose(
        counted, judge(counted, POLICY, inputs), POLICY, FACTS, made_at="now", valid_until="then",
        earlier=() if earlier is None else earlier.reports,
        some_wait=earlier is not None and bool(earlier.waiting),
    )  # fmt: skip


@dataclass
class Store:
    """Audited versions with tables and reports, as a ledger and a registry have them."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    audits: list[str] = field(default_factory=list)
    kept: dict[str, Report] = field(default_factory=dict)
    """By digest, here the number of the audit."""

    def audit(self, name: str, table: pd.DataFrame) -> Report:
        self.reports[name] = audited(name, table, self.earlier(table))
        self.kept[str(len(self.audits))] = self.reports[name]
        self.audits.append(name)
        self.tables[name] = table
        return self.reports[name]

    def earlier(self, table: pd.DataFrame) -> Earlier:
        trail = [
            SimpleNamespace(
                kind="audit", about=name, details=partial(dict, report_digest=str(number))
            )
            for number, name in enumerate(self.audits)
        ]
        return earlier_reports(cast(Any, SimpleNamespace(store=None)), cast(Any, trail), table)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    return stored(monkeypatch)


def stored(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()

    def report_of(_: object, name: str) -> tuple[Report, str]:
        if made.tables[name].empty:
            raise EvidenceMissing(f"{name}: no report", "restore it")
        report = made.reports[name]
        return report, next((d for d, known in made.kept.items() if known is report), "another")

    def kept(_: object, name: str, digest: str) -> Report:
        if digest not in made.kept:
            raise EvidenceMissing(f"{name}: no report {digest}", "restore it")
        return made.kept[digest]

    monkeypatch.setattr(module, "find", lambda _, name: name)
    monkeypatch.setattr(module, "open_description", lambda _, name: name)
    monkeypatch.setattr(module, "fetch_report", report_of)
    monkeypatch.setattr(module, "fetch_earlier_report", kept)

    def predictions(_: object, name: str, __: object) -> SimpleNamespace:
        if made.tables[name].empty:
            raise EvidenceMissing(f"{name}: no predictions", "restore them")
        return SimpleNamespace(rows=made.tables[name])

    monkeypatch.setattr(module, "open_predictions", predictions)
    return made


def numbers(report: Report) -> list[Any]:
    """Everything that is published of what is recorded of people, whatever the model."""
    return [
        (row.axis, row.group, row.horizon_day, row.subjects, row.value)
        for row in report.performance
        if row.metric == "days from onset to forecast"
    ]


def test_ten_who_came_wait_and_eleven_are_counted(store: Store) -> None:
    first = store.audit("arm/1", people(60))
    second = store.audit("arm/2", people(61))
    assert (second.people, second.some_wait) == (60, True)
    assert numbers(second) == numbers(first)
    third = store.audit("arm/3", people(70))
    # Ten more than were counted, though nine more than the table before.
    assert (third.people, third.some_wait) == (60, True)
    fourth = store.audit("arm/4", people(71))
    assert (fourth.people, fourth.some_wait) == (71, False)
    assert "some_wait" not in fourth.model_dump()
    fifth = store.audit("other/1", people(72))
    assert (fifth.people, fifth.some_wait) == (71, True)


def test_the_same_people_audited_again_get_the_same_report(store: Store) -> None:
    first = store.audit("arm/1", people(120))
    again = store.audit("arm/1", people(120))
    other = store.audit("arm/2", people(120))
    for report in (again, other):
        assert report.performance == first.performance
        assert not report.some_wait


def counted_of(found: Earlier) -> list[int]:
    return [report.rows["subject_id"].nunique() for report in found.reports]


def test_every_report_of_a_version_audited_again_is_known(store: Store) -> None:
    """Whoever has the first one still has it; who waits follows from the reports of then."""
    assert store.audit("arm/1", people(65)).people == 65
    assert store.audit("arm/2", people(60)).people == 60
    again = store.audit("arm/1", people(65))
    assert (again.people, again.some_wait) == (60, True)
    found = store.earlier(people(66))
    assert (counted_of(found), found.not_read) == ([65, 60, 60], ())
    # Whoever waited then is still not counted: 65 beside the last reports would show five.
    third = store.audit("arm/3", people(66))
    assert (third.people, third.some_wait) == (60, True)
    assert counted_of(store.earlier(people(66))) == [65, 60, 60, 60]


def test_what_an_earlier_report_of_the_same_version_showed_is_not_told_beside_it(
    store: Store,
) -> None:
    """Of 65 people and, once the version was audited again, of 60: five would show."""
    store.audit("arm/1", people(65))
    store.audit("arm/2", people(60))
    store.audit("arm/1", people(65))
    everyone = [row for row in numbers(store.audit("arm/3", people(60))) if row[0] == "everyone"]
    assert everyone
    assert all(row[3] is None and row[4] is None for row in everyone)


def test_an_earlier_report_that_was_not_kept_is_named(store: Store) -> None:
    store.audit("arm/1", people(60))
    store.audit("arm/1", people(60))
    del store.kept["0"]
    assert store.earlier(people(61)).not_read == ("arm/1",)


@pytest.mark.soak
@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=2, max_size=5))
def test_after_any_audits_everybody_counted_is_known(order: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        made, sizes = stored(patch), {1: 65, 2: 60, 3: 72}
        for version in order:
            made.audit(f"arm/{version}", people(sizes[version]))
        found = made.earlier(people(75))
        assert {*counted_of(found)} == {report.people for report in made.kept.values()}
        assert found.not_read == ()


def test_a_report_of_another_number_of_people_than_follows_is_named(store: Store) -> None:
    store.audit("arm/1", people(65))
    store.reports["arm/1"] = store.reports["arm/1"].model_copy(update={"people": 50})
    store.kept["0"] = store.reports["arm/1"]
    found = store.earlier(people(66))
    assert (found.reports, found.not_read, found.waiting) == ((), ("arm/1",), frozenset())


def test_a_report_in_the_run_that_is_not_the_ledgers_is_not_taken_for_it(store: Store) -> None:
    """An audit that signed its report and was not recorded, or an older one that was restored."""
    recorded = store.audit("arm/1", people(65))
    store.reports["arm/1"] = recorded.model_copy(update={"people": 50})
    found = store.earlier(people(66))
    assert (counted_of(found), found.not_read) == ([65], ())


def test_where_one_left_whatever_differs_by_few_has_no_number(store: Store) -> None:
    whole = people(60)
    first = store.audit("arm/1", whole)
    second = store.audit("arm/2", whole[whole["subject_id"] != 7].reset_index(drop=True))
    assert any(row[3] is not None for row in numbers(first))
    everyone = [row for row in numbers(second) if row[0] == "everyone"]
    assert everyone
    assert all(row[3] is None and row[4] is None for row in everyone)
    # It was judged all the same.
    assert second.verdict.findings
    assert second.people == 59


def test_a_report_that_cannot_be_read_is_named(store: Store) -> None:
    store.audit("arm/1", people(60))
    store.tables["arm/1"] = pd.DataFrame()
    found = store.earlier(people(61))
    assert (found.reports, found.not_read, found.waiting) == ((), ("arm/1",), frozenset())


def test_what_was_shown_is_what_the_pattern_shows(store: Store) -> None:
    table = people(120)
    store.audit("arm/1", table)
    (found,) = store.earlier(table).reports
    pattern = pattern_of(table, POLICY)
    for quantity, cells in found.shown.items():
        assert cells <= pattern.shown[quantity]
    assert found.shown


def test_another_external_table_of_a_bundle_gets_no_numbers() -> None:
    def entry(bundle: str, table: str | None) -> Any:
        external = None if table is None else {"predictions_digest": table}
        details = {"bundle_digest": bundle, "external": external}
        return SimpleNamespace(kind="audit", details=lambda: details)

    trail = [entry("b", None), entry("b", "t"), entry("c", "u")]
    assert not had_another_external(trail, "b", "t")
    assert had_another_external(trail, "b", "u")
    assert not had_another_external(trail, "d", "u")


def test_a_kept_report_is_read_by_its_digest_and_a_changed_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = audited("arm/1", people(60))
    # A policy that is read has more replicates than these tests draw.
    report = made.model_copy(update={"policy": load_policy()})
    file = write_report(report, tmp_path)
    digest = file_digest(file)
    kept = tmp_path / KEPT_FOLDER / f"{digest}.json"
    kept.parent.mkdir()
    file.rename(kept)
    monkeypatch.setattr(model_versions, "fetch", lambda _, __, path: tmp_path / path)
    settings_of: Any = SimpleNamespace(store=None)
    version: Any = "arm/1"
    assert fetch_earlier_report(settings_of, version, digest) == report
    kept.write_bytes(kept.read_bytes().replace(b"made up", b"changed"))
    with pytest.raises(IntegrityError):
        fetch_earlier_report(settings_of, version, digest)
