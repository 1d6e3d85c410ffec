"""Where a record stands in time, decisions on alerts, and what an erasure leaves of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.naming.formats import NEWEST
from contracts.observation import Observation
from serving.amendments import Correction, CorrectionRequest
from serving.monitoring.alert import Alert, Kind, Urgency
from serving.monitoring.series import WINDOW_DAYS
from serving.state.alerting.webhook import take
from serving.state.consent import ConsentWithdrawn, set_consent
from serving.state.corrections import correct
from serving.state.privacy import erase, export
from serving.state.store import NotOnRecord, Store
from serving.state.tables import COMPUTED, OF_A_PERSON, watch_table
from serving.state.verification import verify
from serving.state.watch.caseload import Place, keep, page, read_recent, waiting
from serving.state.watch.days import NO_DATE, day_on, onset_by
from serving.state.watch.decisions import Decision, decide, decisions_of
from tests.refusals import refuses

NOW = datetime(2026, 3, 1, 23, tzinfo=UTC)
TODAY = NOW.date()
SCORE = "REHABCAST//FUGL_MEYER_UE"
ALERT = Alert(
    kind=Kind.SCORE_FELL, code=SCORE, urgency=Urgency.TODAY, since_day=30, last_day=30, rises=False,
    before=44, now=22, days_before=2, days_now=1, limit=7.8, false_alarms=0.025,
)  # fmt: skip
DECISION = Decision(
    decision="acknowledged", person="Dr Moor", reason="seen", until="", day=31, urgency=3,
    time=NOW.isoformat(timespec="seconds"),
)  # fmt: skip


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'own.db'}")) as opened:
        yield opened


def put(store: Store, subject: str, *days: int, now: datetime = NOW, tenant: str = "ward") -> None:
    values = [Observation(code=SCORE, day_since_onset=day, value=20.0) for day in days]
    store.add(tenant, subject, 5, values, actor="dr", now=now)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 20)), min_size=1, max_size=6))
def test_today_is_never_later_than_it_is_and_is_right_once_a_value_came_on_its_day(
    sent: list[tuple[int, int]],
) -> None:
    """Values of day D, sent so many days late: the true onset is a fixed date."""
    onset, known = date(2025, 1, 1), NO_DATE
    for day, late in sent:
        received = datetime(2025, 1, 1, 12, tzinfo=UTC) + timedelta(days=day + late)
        known = onset_by(known, [None, day], received.isoformat())
    asked = onset + timedelta(days=400)
    found = day_on(known, asked)
    assert found is not None
    assert found == 400 - min(late for _, late in sent)


def test_facts_of_the_person_date_nothing() -> None:
    assert onset_by(NO_DATE, [None], NOW.isoformat()) == NO_DATE
    assert onset_by("2026-01-30", [None], NOW.isoformat()) == "2026-01-30"
    assert day_on(NO_DATE, TODAY) is None


def test_a_record_is_read_as_of_today_and_only_its_last_weeks(own: Store) -> None:
    put(own, "P", 10, 30)
    watched = read_recent(own.engine, "ward", "P", TODAY + timedelta(days=45))
    assert watched is not None
    assert (watched.today, watched.enrolment_day) == (75, 5)
    assert [o.day_since_onset for o in watched.observations] == [30]
    assert read_recent(own.engine, "clinic", "P", TODAY) is None


def test_whose_record_has_new_values_or_a_new_day_waits_to_be_looked_at(own: Store) -> None:
    put(own, "P", 10)
    put(own, "Q", 10)
    put(own, "R", 10, tenant="clinic")
    assert waiting(own.engine, "ward", TODAY, 9) == ([("ward", "Q"), ("ward", "P")], 2)
    assert waiting(own.engine, "ward", TODAY, 1) == ([("ward", "Q")], 2)
    assert waiting(own.engine, None, TODAY, 9)[1] == 3
    for subject in "PQ":
        watched = read_recent(own.engine, "ward", subject, TODAY)
        assert watched is not None
        keep(own.engine, [(watched, [ALERT])], TODAY)
    assert waiting(own.engine, "ward", TODAY, 9) == ([], 0)
    put(own, "P", 11)
    assert waiting(own.engine, "ward", TODAY, 9) == ([("ward", "P")], 1)
    assert waiting(own.engine, "ward", TODAY + timedelta(days=1), 9)[1] == 2


def test_a_page_is_in_order_and_each_alert_is_on_one_page(own: Store) -> None:
    pages_in_order(own)


def test_pages_and_what_is_sent_on_postgresql(store: Store) -> None:
    pages_in_order(store)
    decide(store.engine, "ward", "P", ALERT, DECISION, actor="ehr", now=NOW)
    with store.engine.begin() as connection:
        sent = take(connection, NOW)
    # Of Q consent is withdrawn; of P the more urgent one is acknowledged.
    assert [(message.subject, message.kind) for message in sent] == [
        ("R", "score fell"), ("R", "biomarker changed"), ("P", "biomarker changed"),
    ]  # fmt: skip
    with store.engine.begin() as connection:
        assert take(connection, NOW) == []
    assert waiting(store.engine, "ward", TODAY, 1) == ([], 0)
    assert verify(store).findings == ()


def pages_in_order(own: Store) -> None:
    for number, subject in enumerate("PQR"):
        put(own, subject, 10 + number)
        watched = read_recent(own.engine, "ward", subject, TODAY)
        assert watched is not None
        steps = replace(ALERT, kind=Kind.BIOMARKER, urgency=Urgency.THIS_WEEK, since_day=3)
        keep(own.engine, [(watched, [ALERT, steps])], TODAY)
    found, after = [], None
    while part := page(own.engine, "ward", TODAY, after, 2):
        found += part
        after = part[-1][0]
    # The onset of R is the earliest, so her alerts are the oldest.
    assert [(place.subject, alert.urgency) for place, alert in found] == [
        ("R", 3), ("Q", 3), ("P", 3), ("R", 2), ("Q", 2), ("P", 2),
    ]  # fmt: skip
    assert [place for place, _ in found] == sorted(place for place, _ in found)
    assert found[0] == (Place(-3, "2026-03-19", "R", ALERT.id), ALERT)
    assert page(own.engine, "clinic", TODAY, None, 9) == []
    set_consent(own.engine, "ward", "Q", "withdrawn", actor="dr", now=NOW)
    assert {place.subject for place, _ in page(own.engine, "ward", TODAY, None, 9)} == {"P", "R"}


HIDDEN = [
    (DECISION, ALERT, True),
    (DECISION, replace(ALERT, since_day=31), True),
    (DECISION, replace(ALERT, since_day=32), False),
    (replace(DECISION, urgency=2), ALERT, False),
    (replace(DECISION, decision="muted", until="2026-03-02"), ALERT, True),
    (replace(DECISION, decision="muted", until="2026-03-02"), replace(ALERT, since_day=32), True),
    (replace(DECISION, decision="muted", until="2026-03-01"), ALERT, False),
    (replace(DECISION, decision="muted", until="2026-03-02", urgency=1), ALERT, False),
    (replace(DECISION, decision="shown again"), ALERT, False),
]


@pytest.mark.parametrize(("decision", "alert", "hidden"), HIDDEN)
def test_what_is_hidden_comes_back_when_it_is_new_worse_or_the_mute_ends(
    own: Store, decision: Decision, alert: Alert, hidden: bool
) -> None:
    """The page of the database, and the rule itself, say the same."""
    put(own, "P", 40)
    watched = read_recent(own.engine, "ward", "P", TODAY)
    assert watched is not None
    keep(own.engine, [(watched, [alert])], TODAY)
    decide(own.engine, "ward", "P", alert, decision, actor="ehr", now=NOW)
    assert decision.hides(alert, TODAY) is hidden
    assert (page(own.engine, "ward", TODAY, None, 9) == []) is hidden
    assert decisions_of(own.engine, "ward", "P") == {alert.id: decision}
    assert decisions_of(own.engine, "clinic", "P") == {}


def test_a_decision_is_on_record_verified_handed_out_and_erased(own: Store) -> None:
    put(own, "P", 40)
    decide(own.engine, "ward", "P", ALERT, DECISION, actor="ehr", now=NOW)
    later = replace(DECISION, decision="muted", until="2026-04-01", reason="reason-canary")
    decide(own.engine, "ward", "P", ALERT, later, actor="ehr", now=NOW)
    seen = verify(own)
    assert seen.findings == ()
    assert seen.entries["alert"] == 2
    handed = [entry["content"] for entry in export(own, "ward", "P", actor="op", now=NOW)]
    assert [content.get("decision") for content in handed] == [None, "acknowledged", "muted"]
    assert (handed[2]["person"], handed[2]["reason"]) == ("Dr Moor", "reason-canary")
    with own.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE service_alert_decision SET until = '2030-01-01'")
        connection.exec_driver_sql("UPDATE service_watch SET onset_by = '2020-01-01'")
    assert sorted(finding.reason for finding in verify(own).findings) == [
        "dates of onset: a row of it was changed",
        "decisions about alerts: a row of it was changed",
    ]
    erase(own, "ward", "P", reason="asked", actor="op", now=NOW)
    assert verify(own).findings == ()
    with own.engine.connect() as connection:
        assert [connection.execute(sa.select(table)).all() for table in OF_A_PERSON] == [[]] * len(
            OF_A_PERSON
        )


def test_nothing_is_kept_of_who_was_erased_or_withdrew_meanwhile(own: Store) -> None:
    put(own, "P", 40)
    watched = read_recent(own.engine, "ward", "P", TODAY)
    assert watched is not None
    erase(own, "ward", "P", reason="asked", actor="op", now=NOW)
    keep(own.engine, [(watched, [ALERT])], TODAY)
    assert page(own.engine, "ward", TODAY, None, 9) == []
    put(own, "Q", 40)
    set_consent(own.engine, "ward", "Q", "withdrawn", actor="dr", now=NOW)
    with refuses(ConsentWithdrawn):
        decide(own.engine, "ward", "Q", ALERT, DECISION, actor="ehr", now=NOW)


def test_a_store_from_before_monitoring_is_taken_over(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    with closing(Store(url)) as store:
        put(store, "P", 10, 30)
        put(store, "P", 31, now=NOW + timedelta(days=5))
        with store.engine.begin() as connection:
            expected = connection.execute(sa.select(watch_table)).all()
            for table in OF_A_PERSON:
                connection.exec_driver_sql(f"DROP TABLE {table.name}")
    with closing(Store(url)) as store:
        with store.engine.connect() as connection:
            assert connection.execute(sa.select(watch_table)).all() == expected
        assert verify(store).findings == ()


def take_back(store: Store, subject: str, *days: int, now: datetime = NOW) -> None:
    withdrawn = [Correction(code=SCORE, day_since_onset=day, withdrawn=True) for day in days]
    request = CorrectionRequest(subject=subject, corrections=withdrawn, reason="mistyped")
    correct(store, "ward", request, actor="dr", now=now)


def today_of(store: Store, subject: str, today: date = TODAY) -> int | None:
    watched = read_recent(store.engine, "ward", subject, today)
    return None if watched is None else watched.today


def test_a_day_that_was_mistyped_and_withdrawn_does_not_move_today(own: Store) -> None:
    put(own, "P", 30, 300)
    assert today_of(own, "P") == 300
    take_back(own, "P", 300)
    assert today_of(own, "P") == 30
    put(own, "P", 31, now=NOW + timedelta(days=1))
    assert today_of(own, "P", TODAY + timedelta(days=1)) == 31
    take_back(own, "P", 30, 31, now=NOW + timedelta(days=1))
    assert today_of(own, "P") is None
    assert verify(own).findings == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 300), st.booleans()), min_size=1, max_size=12
    )
)
@settings(max_examples=25, deadline=None)
def test_today_is_as_if_what_was_withdrawn_had_never_come(
    steps: list[tuple[int, int, bool]],
) -> None:
    """Values come and are withdrawn in any order; what is kept is what the record adds up to."""
    with TemporaryDirectory() as folder, closing(Store(f"sqlite:///{folder}/own.db")) as store:
        in_force: dict[int, date] = {}
        for after, day, withdraws in steps:
            now = NOW + timedelta(days=after)
            if withdraws and in_force:
                gone = sorted(in_force)[day % len(in_force)]
                take_back(store, "P", gone, now=now)
                del in_force[gone]
            elif day not in in_force:
                put(store, "P", day, now=now)
                in_force[day] = now.date() - timedelta(days=day)
        expected = min(in_force.values(), default=None)
        seen = read_recent(store.engine, "ward", "P", TODAY)
        assert seen is not None
        assert seen.onset_by == ("" if expected is None else expected.isoformat())
        assert verify(store).findings == ()


def watch_rows(store: Store) -> list[Any]:
    with store.engine.connect() as connection:
        return list(connection.execute(sa.select(watch_table).order_by("subject")).all())


@pytest.mark.parametrize("opened_between", [True, False])
def test_what_a_version_without_monitoring_added_is_taken_over(
    tmp_path: Path, opened_between: bool
) -> None:
    """That version writes entries and observations, and no row of monitoring."""
    url = f"sqlite:///{tmp_path / 'own.db'}"
    with closing(Store(url)) as store:
        put(store, "P", 10)
        put(store, "Q", 10)
        with store.engine.connect() as connection:
            before = connection.execute(sa.select(watch_table)).all()
        put(store, "P", 30)
        put(store, "R", 12)
        with store.engine.begin() as connection:
            connection.execute(sa.delete(watch_table))
            connection.execute(sa.insert(watch_table), [dict(row._mapping) for row in before])
        assert len(verify(store).findings) == 2
        if not opened_between:
            for subject in "PR":
                put(store, subject, 31)
            assert verify(store).findings == ()
            return
    with closing(Store(url)) as store:
        assert verify(store).findings == ()
        assert [row[1] for row in watch_rows(store)] == ["P", "Q", "R"]


@pytest.mark.parametrize("said", ["UPDATE service_form SET number = 1", "DELETE FROM service_form"])
def test_a_store_of_the_first_form_is_brought_up_at_opening(tmp_path: Path, said: str) -> None:
    url = f"sqlite:///{tmp_path / 'own.db'}"
    with closing(Store(url)) as store:
        put(store, "P", 30, 300)
        wrong = watch_rows(store)
        take_back(store, "P", 300)
        right = watch_rows(store)
        with store.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE service_watch SET onset_by = '{wrong[0][2]}'")
            connection.exec_driver_sql(said)
        assert verify(store).findings != ()
    for _ in range(2):
        with closing(Store(url)) as store:
            assert watch_rows(store) == right
            assert verify(store).findings == ()
            with store.engine.connect() as connection:
                assert connection.exec_driver_sql("SELECT number FROM service_form").all() == [
                    (NEWEST["record"],)
                ]


def test_a_decision_that_races_an_erasure_puts_nobody_back_on_record(own: Store) -> None:
    put(own, "P", 40)
    erase(own, "ward", "P", reason="asked", actor="op", now=NOW)
    with refuses(NotOnRecord):
        decide(own.engine, "ward", "P", ALERT, DECISION, actor="ehr", now=NOW)
    assert "alert" not in verify(own).entries
    assert decisions_of(own.engine, "ward", "P") == {}


def test_a_withdrawal_of_consent_leaves_nothing_that_was_computed(own: Store) -> None:
    looks = []
    for subject in "PQ":
        put(own, subject, 40)
        watched = read_recent(own.engine, "ward", subject, TODAY)
        assert watched is not None
        looks.append((watched, [ALERT]))
    keep(own.engine, looks, TODAY)
    with own.engine.begin() as connection:
        assert len(take(connection, NOW)) == 2
    set_consent(own.engine, "ward", "P", "withdrawn", actor="dr", now=NOW)
    # A look that had begun before ends after.
    keep(own.engine, looks[:1], TODAY)
    with own.engine.connect() as connection:
        for table in COMPUTED:
            assert [row.subject for row in connection.execute(sa.select(table))] == ["Q"], (
                table.name
            )
    set_consent(own.engine, "ward", "P", "given", actor="dr", now=NOW)
    assert waiting(own.engine, "ward", TODAY, 9) == ([("ward", "P")], 1)


def test_nobody_waits_for_ever_after_the_last_value(own: Store) -> None:
    """After the days that are read a person is looked at once more if an alert is left."""
    for subject in "PQ":
        put(own, subject, 40)
        watched = read_recent(own.engine, "ward", subject, TODAY)
        assert watched is not None
        keep(own.engine, [(watched, [ALERT] if subject == "Q" else [])], TODAY)
    put(own, "R", 40)
    within = TODAY + timedelta(days=WINDOW_DAYS - 1)
    assert waiting(own.engine, "ward", within, 9)[1] == 3
    later = TODAY + timedelta(days=WINDOW_DAYS + 1)
    assert waiting(own.engine, "ward", later, 9) == ([("ward", "Q")], 1)
    watched = read_recent(own.engine, "ward", "Q", later)
    assert watched is not None
    assert watched.observations == []
    keep(own.engine, [(watched, [])], later)
    assert waiting(own.engine, "ward", later + timedelta(days=1), 9) == ([], 0)
    put(own, "P", 140, now=NOW + timedelta(days=100))
    assert waiting(own.engine, "ward", TODAY + timedelta(days=100), 9) == ([("ward", "P")], 1)


def test_what_was_noted_at_an_opening_is_not_read_again(tmp_path: Path) -> None:
    """At a million entries each start took a second and a half to read them all."""
    url = f"sqlite:///{tmp_path / 'own.db'}"
    read: list[int] = []
    with closing(Store(url)) as store:
        put(store, "P", 10)
    for expected in (1, 1):
        with closing(Store(url)) as store, store.engine.connect() as connection:
            read.append(
                connection.exec_driver_sql("SELECT sequence FROM service_noted").scalar_one()
            )
            assert read[-1] == expected
    with closing(Store(url)) as store:
        put(store, "Q", 10)
        with store.engine.begin() as connection:
            connection.execute(sa.delete(watch_table))
    with closing(Store(url)) as store:
        # Of what came after the last opening it is seen that nobody noted it; P was noted before.
        assert [row[1] for row in watch_rows(store)] == ["Q"]
        # Whoever took P away meanwhile is found out as ever.
        assert len(verify(store).findings) == 1
