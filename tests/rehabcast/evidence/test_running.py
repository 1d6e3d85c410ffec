"""`rehabcast monitor run` on a home: outcomes come, the champion is suspended, its service ends."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
import yaml

from audits.ledger.ledger import Ledger
from audits.ledger.records import Champion, Role
from audits.ledger.signing import make_key
from audits.ledger.trail import PROPOSAL, SUSPENSION, WARNING
from contracts.errors import EvidenceMissing
from contracts.observation import Observation
from contracts.scope import OutsideGroup, Scope, ScopeAttribute
from contracts.task import Task
from contracts.verdict import Outcome
from rehabcast.commands.service import monitor
from rehabcast.evidence.running import run as look
from rehabcast.evidence.watched import watched
from rehabcast.identity import open_ledger
from rehabcast.ledger_source import LedgerSource
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import fetch_report
from serving.faults import Fault
from serving.state.evidence.reading import SHADOW
from serving.state.following import begin
from serving.state.forecast_log import append
from serving.state.store import Store
from tests.rehabcast.command_line import run
from tests.serving.state.evidence.test_counting import forecast
from training.registry.model_versions import find

# MLflow uses what others deprecate; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

ROOT = Path(__file__).parents[3]
HOME = Path(__file__).parents[1] / "golden_homes" / "2026-11-form-2.tar.xz"
FIELDS = Path(__file__).parents[2] / "end_to_end" / "json_fields.json"
FIRST, NOW = date(2026, 12, 7), datetime(2028, 1, 10, tzinfo=UTC)
"""After the promotion; and when all outcomes are due."""


class Later(datetime):
    """The clock of the command."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return NOW


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a champion of SIMULATED people, served under an override."""
    with tarfile.open(HOME) as opened:
        opened.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REHABCAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REHABCAST_ACTOR", "the monitor")
    monkeypatch.setattr(monitor, "datetime", Later)
    # The home's own key is not in the archive.
    own = tmp_path / "own.pem"
    make_key(own, tmp_path / "home" / "keys" / "trusted" / own.name)
    monkeypatch.setenv("REHABCAST_SIGNING_KEY", str(own))
    return tmp_path / "home"


def serve(
    task: Task, error: float, *, people: int = 120, silent: Callable[[int], bool] = lambda n: False,
    harm: float = 0.0, median: float = 30.0,
) -> None:  # fmt: skip
    """Forecast SIMULATED people, one a day; their outcome is off by some points, up and down.

    Parameters
    ----------
    silent
        Whose forecast nobody was shown.
    harm
        Points by which their outcome is lower.
    median
        Of each forecast.
    """
    primary = next(h for h in task.horizons if h.weeks == task.primary_horizon_weeks)
    with closing(Store(Settings().store_url)) as store:
        append(
            store,
            [
                forecast(
                    task,
                    1000 + n,
                    f"{'P' * (1 + n % 2)}-{n}",
                    FIRST + timedelta(days=n),
                    median=median,
                    route=SHADOW if silent(n) else "forecast",
                )
                for n in range(people)
            ],
        )
        for n in range(people):
            score = median + error * (1 if n % 4 < 2 else -1) - harm * silent(n)
            store.add(
                "ward", f"{'P' * (1 + n % 2)}-{n}", 5,
                [Observation(
                    code=task.target.code, day_since_onset=5 + primary.day, value=score
                )],
                actor="dr", now=datetime(2026, 6, 1, tzinfo=UTC),
            )  # fmt: skip


def monitored(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> dict[str, Any]:
    said = run(capsys, monkeypatch, "monitor", "run", *words, "--json")
    assert said.code == 0, said.text
    record = dict(json.loads(next(x for x in said.text.splitlines() if x.startswith("{"))))
    pinned = json.loads(FIELDS.read_text("utf-8"))["monitor run"]
    assert list(record) == [path for path in pinned if "." not in path]
    return record


def test_a_model_that_turns_out_wrong_is_suspended_and_no_service_starts_with_it(
    home: Path, task: Task, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(task, error=20.0)
    shown = monitored(capsys, monkeypatch, "arm", "--no-act")
    assert (shown["act"], shown["done"], shown["in_service"]) == ("suspend", False, True)
    assert (shown["awaited"], shown["people_due"]) == (120, "at least 120")
    with closing(open_ledger(Settings())) as ledger:
        seen_by_another_service = watched(Settings(), ledger, "arm")
    done = monitored(capsys, monkeypatch, "arm")
    assert (done["act"], done["done"], done["in_service"]) == ("suspend", True, False)
    with (
        closing(open_ledger(Settings())) as ledger,
        closing(Store(Settings().store_url)) as store,
        pytest.raises(EvidenceMissing, match="no champion to take out of service"),
    ):
        look(store, ledger, seen_by_another_service, act=True, actor="another", now=NOW)
    assert done["largest_mean_e"] == shown["largest_mean_e"]
    with closing(open_ledger(Settings())) as ledger:
        ledger.verify()
        entry = ledger.trail()[-1]
    assert (entry.kind, entry.actor) == (SUSPENSION, "the monitor")
    evidence = entry.details()["evidence"]
    assert evidence["mean_e"] == done["mean_e"]
    assert len(evidence["sums_digest"]) == 64
    state = begin(LedgerSource(Settings(), "arm").read(), datetime.now(UTC))
    assert isinstance(state, Fault)
    assert "was suspended" in state.reason
    text = run(capsys, monkeypatch, "ledger", "show").text
    assert "suspension" in text
    assert "outcomes show a broken rule" in text
    # It is decided once.
    assert monitored(capsys, monkeypatch, "arm")["done"] is False
    # The board reads which rules, without the e-values of single weeks.
    monkeypatch.setattr(Later, "now", lambda tz=None: datetime(2028, 2, 10, tzinfo=UTC))
    assert run(capsys, monkeypatch, "monitor", "edition", "arm", "--output", "board").code == 0
    edition = json.loads((home.parent / "board" / "monitoring.json").read_text("utf-8"))
    (told,) = [each["said"] for each in edition["done"] if each["kind"] == SUSPENSION]
    assert evidence["tests"]
    assert [each.partition(",")[0] for each in told.split("; ")] == [
        each["rule"] for each in evidence["tests"]
    ]
    assert "e-value" not in told


def test_a_model_that_is_right_is_left_alone_and_its_table_is_one_that_an_audit_takes(
    home: Path, task: Task, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(task, error=2.0)
    found = monitored(
        capsys, monkeypatch, "arm", "--output", "table.parquet", "--metrics", "arm.prom"
    )
    lines = (home.parent / "arm.prom").read_text("utf-8").splitlines()
    numbers = dict(line.split() for line in lines if not line.startswith("#"))
    of = 'model_version="arm/1"'
    assert numbers[f"rehabcast_evidence_act{{{of}}}"] == "0"
    assert float(numbers[f"rehabcast_evidence_mean_e_value{{{of}}}"]) == found["mean_e"]
    client = Settings().store.client()
    (logged, *_) = client.search_runs(
        [Settings().store.experiment_id(client)], "tags.`rehabcast.model_version` = 'arm/1'"
    )
    # One set of numbers, by the same names.
    for name, number in numbers.items():
        short = name.removeprefix("rehabcast_evidence_").partition("{")[0]
        if short != "run_timestamp_seconds":
            assert logged.data.metrics[short] == float(number)
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "evidence.yaml").read_text("utf-8"))
    asked = " ".join(rule["expr"] for rule in rules["groups"][0]["rules"])
    named = {word for word in asked.split() if word.startswith("rehabcast_")}
    assert named <= {name.partition("{")[0] for name in numbers}
    # Whatever a run does or says to people has a rule; evidence that grows and who waits have none.
    assert {name.partition("{")[0] for name in numbers} - named == {
        f"rehabcast_evidence_{name}"
        for name in (
            "mean_e_value",
            "largest_mean_e_value",
            "shift_mean_e_value",
            "early_share",
            "traced_mean_e_value",
            "groups_left_out",
        )
    }
    assert (found["act"], found["done"]) == ("none", False)
    assert (home.parent / "table.parquet.sig").exists()
    from audits.judging.validation import breaks_contract, validate
    from rehabcast.auditing.external_validation import open_external
    from rehabcast.signed_artifacts import open_bundle
    from training.registry.model_versions import find

    bundle = open_bundle(Settings(), find(Settings().store, "arm/1"))
    external = open_external(Settings(), home.parent / "table.parquet", bundle)
    assert external.validation.new == 120
    assert not breaks_contract(validate(external.forecasts, least_error=0.0))


def test_people_who_come_otherwise_are_a_warning_before_any_outcome_and_in_the_ledger_once(
    home: Path, task: Task, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Later, "now", lambda tz=None: datetime(2028, 12, 10, tzinfo=UTC))
    with closing(Store(Settings().store_url)) as store:
        append(
            store,
            [
                forecast(
                    task, 1000 + n, f"{'P' * (1 + n % 2)}-{n}", FIRST + timedelta(days=2 * n),
                    median=20.0 + n % 7 + (20.0 if n >= 180 else 0.0),
                )
                for n in range(300)
            ],
        )  # fmt: skip
    found = monitored(capsys, monkeypatch, "arm")
    shift = found["shift"]
    assert (shift["warns"], shift["people"], found["in_service"]) == (True, "at least 300", True)
    assert shift["largest_mean_e"] >= shift["warns_at"] == 20
    assert "“median forecast” of everyone is higher" in shift["said"]
    assert 52 < shift["since_week"] < 104
    again = monitored(capsys, monkeypatch, "arm", "--metrics", "arm.prom")
    assert again["shift"] == shift
    lines = (home.parent / "arm.prom").read_text("utf-8")
    assert 'rehabcast_evidence_shift_warning{model_version="arm/1"} 1' in lines
    with closing(open_ledger(Settings())) as ledger:
        ledger.verify()
        warned = [entry for entry in ledger.trail() if entry.kind == WARNING]
    (entry,) = (each for each in warned if each.details()["what"] == "who comes")
    evidence = entry.details()["evidence"]
    assert evidence["largest_mean_e"] == shift["largest_mean_e"]
    assert [each["quantity"] for each in evidence["foremost"]] == ["median forecast"]
    assert "of who comes: people do not come" in run(capsys, monkeypatch, "ledger", "show").text
    text = run(capsys, monkeypatch, "monitor", "run", "arm", "--no-act").text
    assert "whether forecasts are right, outcomes tell" in " ".join(text.split())
    said = run(
        capsys, monkeypatch, "monitor", "edition", "arm", "--output", "board", "--month", "2028-12"
    )
    assert "the month 2028-12 is not over" in said.text
    monkeypatch.setattr(Later, "now", lambda tz=None: datetime(2029, 1, 10, tzinfo=UTC))
    assert run(capsys, monkeypatch, "monitor", "edition", "arm", "--output", "board").code == 0
    edition = json.loads((home.parent / "board" / "monitoring.json").read_text("utf-8"))
    (warned_of,) = [each for each in edition["warnings"] if "who comes" in each]
    assert warned_of.endswith("; median forecast, everyone: higher")
    assert {each["kind"] for each in edition["done"]} >= {WARNING}


def within_scope(champion_of: Ledger) -> Champion:
    """Put the version in service again as if its audit had left men out."""
    settings = Settings()
    report, _ = fetch_report(settings, find(settings.store, "arm/1"))
    left_out = OutsideGroup(label="male", rules=("honest intervals in every group",))
    scope = Scope(
        attributes=(ScopeAttribute(attribute="sex", inside=("female",), outside=(left_out,)),),
        share_inside=0.5,
    )
    verdict = report.verdict.model_copy(update={"outcome": Outcome.WITHIN_SCOPE, "scope": scope})
    now = datetime(2026, 11, 28, 12, tzinfo=UTC)
    audit = champion_of.record_audit(
        verdict, "7" * 64, actor="ana", now=now, valid_until=datetime(2029, 1, 1, tzinfo=UTC)
    )
    for role, person in ((Role.ML_OWNER, "ana"), (Role.GOVERNANCE, "ben")):
        champion_of.approve(audit, role, person=person, reason="read page by page", now=now)
    return champion_of.promote(audit, seen_epoch=1, actor="ana", now=now)


def test_a_group_that_outcomes_show_to_be_served_well_is_proposed_once_and_not_served(
    home: Path, task: Task, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_ledger(Settings())) as ledger:
        champion = within_scope(ledger)
    # Every second person is a man, whom the champion refuses and its own shadow forecasts for.
    serve(task, error=2.0, people=240, silent=lambda n: n % 2 == 1, median=55.0)
    monkeypatch.setattr(Later, "now", lambda tz=None: datetime(2028, 12, 10, tzinfo=UTC))
    looked = monitored(capsys, monkeypatch, "arm", "--no-act")
    (left_out,) = looked["growth"]["groups"]
    assert (left_out["group"], left_out["people"]) == ("male", "at least 120")
    assert left_out["needed"] == 20
    assert left_out["proposal"] is None
    # Those whom nobody was shown a forecast of are no part of the service's own tests.
    assert looked["people_due"] == "at least 120"
    text = run(
        capsys, monkeypatch, "monitor", "run", "arm", "--metrics", "arm.prom"
    ).text  # fmt: skip
    assert "people may audit a wider scope" in " ".join(text.split())
    lines = (home.parent / "arm.prom").read_text("utf-8")
    assert 'rehabcast_evidence_groups_proposed{model_version="arm/1"} 1' in lines
    again = monitored(capsys, monkeypatch, "arm")
    with closing(open_ledger(Settings())) as ledger:
        ledger.verify()
        (entry,) = (each for each in ledger.trail() if each.kind == PROPOSAL)
        assert ledger.champion("arm") == champion
        seen = watched(Settings(), ledger, "arm")
    assert again["growth"]["groups"][0]["proposal"] == entry.sequence
    assert seen.scope is not None
    assert seen.scope.outside({"sex": "male"})
    details = entry.details()
    assert (details["attribute"], details["label"]) == ("sex", "male")
    assert details["evidence"]["e_value"] >= 20
    assert "no group's outcomes lost more often" in details["rules"]
    shown = " ".join(run(capsys, monkeypatch, "ledger", "show").text.split())
    assert "may be served by the outcomes" in shown
    monkeypatch.setattr(Later, "now", lambda tz=None: datetime(2029, 1, 10, tzinfo=UTC))
    assert run(capsys, monkeypatch, "monitor", "edition", "arm", "--output", "board").code == 0
    edition = json.loads((home.parent / "board" / "monitoring.json").read_text("utf-8"))
    (row,) = edition["left_out"]
    assert (row["label"], row["needed"], row["e_value"] >= 20) == ("male", 20, True)


def test_a_group_that_is_forecast_badly_and_one_that_nobody_forecasts_are_not_proposed(
    home: Path, task: Task, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_ledger(Settings())) as ledger:
        within_scope(ledger)
    monkeypatch.setattr(Later, "now", lambda tz=None: datetime(2028, 12, 10, tzinfo=UTC))
    serve(task, error=2.0, people=60, silent=lambda n: n % 2 == 1, harm=9.0, median=60.0)
    found = monitored(capsys, monkeypatch, "arm")
    (left_out,) = found["growth"]["groups"]
    assert left_out["e_value"] < 1
    assert (left_out["proposal"], found["act"]) == (None, "none")


def test_what_is_missing_is_said_in_a_sentence(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run(capsys, monkeypatch, "monitor", "run", "leg")
    assert (said.code, said.text.count("\n")) == (4, 1)
    assert "no champion of 'leg'" in said.text
    said = run(capsys, monkeypatch, "monitor", "run", "arm", "--output", "table.parquet")
    assert (said.code, said.text.count("\n")) == (4, 1)
    assert "no outcome of a forecast on record" in said.text
