"""`rehabcast monitor trace` on a home: the worst vanish, are traced, and a warning follows."""

from __future__ import annotations

import csv
import io
import stat
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from audits.ledger.trail import WARNING
from contracts.errors import ContractError
from contracts.observation import Observation
from contracts.predictions import OutcomeStatus
from contracts.task import Horizon, Task
from rehabcast.commands.service import tracing
from rehabcast.evidence.entries import said_of
from rehabcast.evidence.in_prometheus import numbers_of
from rehabcast.evidence.lost.calls import COLUMNS, as_csv, handed_out, put_on_record, read_found
from rehabcast.evidence.running import run as look
from rehabcast.evidence.watched import watched
from rehabcast.identity import open_ledger
from rehabcast.settings import Settings
from serving.state.evidence.calls import ToCall
from serving.state.evidence.tracing import WEEKS
from serving.state.forecast_log import append
from serving.state.store import Store
from serving.state.verification import verify
from tests.rehabcast.command_line import run
from tests.rehabcast.evidence.test_running import FIRST, NOW, Later
from tests.rehabcast.evidence.test_running import home as home
from tests.serving.state.evidence.test_counting import forecast

# MLflow uses what others deprecate; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def vanishing(task: Task, people: int = 200) -> int:
    """Forecast SIMULATED people; men do far worse than promised, and are lost. Return the day."""
    day = next(h.day for h in task.horizons if h.weeks == task.primary_horizon_weeks)
    with closing(Store(Settings().store_url)) as store:
        names = [f"{'P' * (1 + n % 2)}-{n}" for n in range(people)]
        append(
            store,
            [
                forecast(task, 2000 + n, name, FIRST + timedelta(days=n), median=55.0)
                for n, name in enumerate(names)
            ],
        )
        for n, name in enumerate(names):
            score, seen_on = (20.0, 5) if n % 2 else (54.0 + n % 3, 5 + day)
            store.add(
                "ward", name, 5,
                [Observation(code=task.target.code, day_since_onset=seen_on, value=score)],
                actor="dr", now=datetime(2026, 6, 1, tzinfo=UTC),
            )  # fmt: skip
    return day


def test_harm_that_hides_in_loss_is_warned_of_where_who_was_drawn_is_found(
    home: Path, task: Task, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "datetime", Later)
    day, calls = vanishing(task), home.parent / "calls.csv"
    said = run(
        capsys, monkeypatch, "monitor", "trace", "arm", "--tenant", "ward", "--output", "calls.csv",
        "--share", "0.5",
    )  # fmt: skip
    assert said.code == 0, said.text
    assert "P-1" not in said.text
    assert stat.S_IMODE(calls.stat().st_mode) == 0o600
    rows = list(csv.DictReader(io.StringIO(calls.read_text("utf-8"))))
    assert f"{len(rows)} people to find, of a random 50% of the lost" in said.text
    assert 30 <= len(rows) <= 70
    assert all(int(row["subject"].split("-")[1]) % 2 for row in rows)
    refused = run(capsys, monkeypatch, "monitor", "traced", "arm", "calls.csv", "--tenant", "wrad")
    assert (refused.code, "nothing of tenant wrad is on record" in refused.text) == (3, True)
    calls.write_text(filled(rows, day), "utf-8")
    said = run(capsys, monkeypatch, "monitor", "traced", "arm", "calls.csv", "--tenant", "ward")
    assert f"Scores of {len(rows)} people are on record" in said.text
    after = NOW + timedelta(weeks=WEEKS + 1)
    with (
        closing(open_ledger(Settings())) as ledger,
        closing(Store(Settings().store_url)) as store,
    ):
        version = watched(Settings(), ledger, "arm")
        # Read again, or written again, it changes nothing.
        of_ward = {"actor": "dr", "now": NOW}
        assert put_on_record(store, version, "ward", calls, **of_ward) == len(rows)
        assert handed_out(store, version, "ward", **of_ward)[1] == 0
        before = look(store, ledger, version, act=False, actor="dr", now=NOW)
        assert (before.tracing.share, before.tracing.warns) == (0.5, False)
        assert before.tracing.people_lost == "none"
        found = look(store, ledger, version, act=True, actor="dr", now=after)
        again = look(store, ledger, version, act=True, actor="dr", now=after)
        ledger.verify()
        warned = [entry for entry in ledger.trail() if entry.kind == WARNING]
        assert not verify(store).findings
    traced = found.tracing
    # It takes nothing out of service.
    assert (found.act, found.done, found.in_service) == ("warn", False, True)
    assert traced.warns
    assert (traced.people_lost, traced.people_found) == ("at least 100", traced.people_drawn)
    assert traced.largest_mean_e >= traced.warns_at == 20
    assert again.tracing == traced
    assert numbers_of(found)["traced_warning"] == 1
    (entry,) = (each for each in warned if each.details()["what"] == "harm that hides in loss")
    evidence = entry.details()["evidence"]
    assert (evidence["share"], evidence["mean_e"]) == (0.5, traced.mean_e)
    assert said_of(entry).startswith(
        "of harm that hides in loss; honest intervals, everyone: too low"
    )


def filled(rows: Sequence[Mapping[str, str]], found_on: int, **last: str) -> str:
    """Return a list with a score of everybody; the last row is as it is said."""
    text = io.StringIO()
    written = csv.DictWriter(text, COLUMNS)
    written.writeheader()
    for row in rows:
        written.writerow({**row, "day": str(found_on), "score": "15"})
    if last:
        written.writerow({**rows[0], "day": str(found_on), "score": "15", **last})
    return text.getvalue()


HORIZON = Horizon(weeks=26, window_days=(150, 210))
DRAWN = [
    ToCall(
        subject=name, horizon=HORIZON, origin_day=10, enrolment_day=5, until=date(2028, 3, 4),
        status=OutcomeStatus.LOST, traced={},
    )
    for name in ("Anna", "Ben", "=1+1")
]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"score": "14"}, "row 2: subject is in two rows with a score"),
        ({"subject": "Cleo"}, "row 5: subject is nobody who was drawn"),
        ({"subject": "Ben", "day": "1"}, "row 5: day 1 is not from 150 to 209"),
        ({"subject": "Ben", "day": "-4"}, "row 5: day is no whole number"),
        ({"subject": "Ben", "day": "²"}, "row 5: day is no whole number"),
        ({"subject": "Ben", "score": "ill"}, "row 5: score is no number"),
        ({"subject": "Ben", "score": "nan"}, "row 5: score is no number"),
        ({"subject": "Ben", "score": "1_0"}, "row 5: score is no number"),
        ({"subject": "Ben", "enrolment_day": "7"}, "row 5: enrolment_day is 5 on record"),
    ],
)
def test_a_row_that_is_wrong_is_named_and_never_whose_it_is(
    wrong: dict[str, str], named: str, tmp_path: Path
) -> None:
    file = tmp_path / "calls.csv"
    rows = list(csv.DictReader(io.StringIO(as_csv(DRAWN, "X"))))
    file.write_text(filled(rows, 160, **wrong), "utf-8")
    with pytest.raises(ContractError) as error:
        read_found(file, DRAWN)
    assert named in str(error.value)
    assert not any(each.subject in str(error.value) for each in DRAWN)


@pytest.mark.parametrize(
    ("day", "score", "taken"), [(160, 12.0, True), (161, 12.0, False), (160, 13.0, False)]
)
def test_of_who_is_lost_no_more_only_what_tracing_brought_is_read_again(
    day: int, score: float, taken: bool, tmp_path: Path
) -> None:
    """A second score in the window was taken: whoever filled the list in could choose."""
    found = replace(DRAWN[0], status=OutcomeStatus.TRACED, traced={160: 12.0})
    file = tmp_path / "calls.csv"
    file.write_text(as_csv([found], "X").replace("5,,", f"5,{day},{score}"), "utf-8")
    if taken:
        (row,) = read_found(file, [found])
        assert (row.day, row.score) == (160, 12.0)
        return
    with pytest.raises(ContractError, match="row 2: subject is lost no more") as error:
        read_found(file, [found])
    assert "Anna" not in str(error.value)


@pytest.mark.parametrize(
    ("status", "taken"),
    [(each, each in {OutcomeStatus.LOST, OutcomeStatus.MISSED}) for each in OutcomeStatus],
)
def test_who_was_assessed_later_only_since_the_draw_can_still_be_found(
    status: OutcomeStatus, taken: bool, tmp_path: Path
) -> None:
    """Nothing of the lost outcome is on record; without those who come back, the found are worse."""
    person = replace(DRAWN[0], status=status)
    file = tmp_path / "calls.csv"
    file.write_text(as_csv([person], "X").replace("5,,", "5,160,12"), "utf-8")
    if taken:
        assert len(read_found(file, [person])) == 1
        return
    with pytest.raises(ContractError, match="lost no more"):
        read_found(file, [person])


@pytest.mark.parametrize("text", ["", "a,b\n", "subject\n1\n", '"'])
def test_what_is_no_list_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(ContractError):
        read_found(file, DRAWN)


def test_who_was_not_found_is_left_out_and_a_spreadsheet_may_have_rewritten_the_list(
    tmp_path: Path,
) -> None:
    file = tmp_path / "calls.csv"
    text = as_csv(DRAWN, "X")
    file.write_text("\ufeff" + text.replace("\n", "\r\n").replace("5,,", "5,160,12", 1), "utf-8")
    (found,) = read_found(file, DRAWN)
    assert (found.person.subject, found.day, found.score) == ("Anna", 160, 12.0)
