"""The command line as a user runs it: cohort, training, audit, gate, service, forecast."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
TASK = ROOT / "tasks" / "stroke-upper-limb.toml"
COMMAND = Path(sys.executable).with_name("rehabcast")


class Installation:
    """One user's folder: every command runs in it, with its own stores."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "mlruns").mkdir()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "REHABCAST_ACTOR": "tester", "COLUMNS": "100"}
        return subprocess.run(
            [COMMAND, *words],
            capture_output=True,
            text=True,
            cwd=self.place,
            env=environment,
            check=False,
            timeout=300,
        )

    def record(self, *words: str, code: int = 0) -> dict[str, Any]:
        done = self.run(*words, "--json")
        assert done.returncode == code, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("user"))


@pytest.fixture(scope="module")
def version(user: Installation) -> str:
    made = user.record("cohort", "simulate", "cohort", "--subjects", "90", "--seed", "3")
    assert made["simulated"] is True
    trained = user.record("train", "--cohort", "cohort", "--task", str(TASK), "--model", "arm")
    assert trained["simulated"] is True
    return str(trained["model_version"])


@pytest.fixture(scope="module")
def audited(user: Installation, version: str) -> dict[str, Any]:
    return user.record("audit", version)


def test_a_version_without_an_audit_is_refused(user: Installation, version: str) -> None:
    other = user.record("promote", version, code=5)
    assert "has no audit" in other["message"]


def test_an_audit_is_bound_to_the_bundle_and_can_be_read(
    user: Installation, version: str, audited: dict[str, Any]
) -> None:
    assert version == audited["model_version"] == "arm/1"
    assert audited["outcome"] in {"pass", "insufficient evidence", "fail"}
    assert len(audited["bundle_digest"]) == 64
    page = Path(audited["report_html"]).read_text("utf-8")
    assert "simulated" in page.lower()


def test_ninety_people_are_too_few_to_pass_and_only_a_named_person_can_answer_for_it(
    user: Installation, version: str, audited: dict[str, Any]
) -> None:
    assert audited["outcome"] == "insufficient evidence"
    refused = user.record("promote", version, code=5)
    assert "insufficient evidence" in refused["message"]
    nameless = user.record("promote", version, "--reason", "because it is a test", code=3)
    assert "name the person" in nameless["message"]
    unserved = user.run(
        "forecast", "--subject", "1", "--cohort", "cohort", "--url", "http://127.0.0.1:9"
    )
    assert unserved.returncode == 8


def test_the_whole_way_ends_in_an_explained_forecast(
    user: Installation, version: str, audited: dict[str, Any]
) -> None:
    promoted = user.record("promote", version, "--approver", "A. Tester", "--reason", "only a test")
    assert promoted["bundle_digest"] == audited["bundle_digest"]
    # The service is started by the demo's own code, as a real process on loopback.
    program = f"""
import json, sys
from pathlib import Path
from rehabcast.demo import _free_port
from rehabcast.service_commands import running_service
import subprocess
with running_service(_free_port(), Path("service.log")) as address:
    for subject in ("1", "2"):
        subprocess.run([{str(COMMAND)!r}, "forecast", "--subject", subject, "--cohort", "cohort",
            "--as-of-day", "0", "--url", address, "--json"], check=True)
    subprocess.run([{str(COMMAND)!r}, "forecast", "--subject", "1", "--cohort", "cohort",
        "--url", address], check=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=user.place,
        env={**os.environ, "COLUMNS": "100"},
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    first, second, readable = done.stdout.split("\n", 2)
    for line in (first, second):
        answer = json.loads(line)
        assert answer["status"] == "forecast"
        assert [horizon["weeks"] for horizon in answer["horizons"]] == [3, 5, 6, 12, 26, 52]
        assert answer["model"]["bundle_digest"] == audited["bundle_digest"]
        assert answer["model"]["report_digest"] == audited["report_digest"]
        assert answer["model"]["override"]["approver"] == "A. Tester"
        reasons = answer["reasons"]
        total = reasons["base"] + sum(each["points"] for each in reasons["contributions"])
        week_12 = next(h for h in answer["horizons"] if h["weeks"] == 12)
        assert total == pytest.approx(week_12["median"], abs=1e-3)
    assert "SIMULATED" in readable
    assert "OVERRIDE" in readable
    assert "80 % range" in readable


def test_the_ledger_verifies_and_notices_an_edit(user: Installation, version: str) -> None:
    assert user.record("ledger", "verify")["valid"] is True


def test_external_validation_writes_scores_and_a_table(user: Installation, version: str) -> None:
    user.record("cohort", "simulate", "elsewhere", "--subjects", "40", "--seed", "9")
    scores = user.record("evaluate", version, "--cohort", "elsewhere", "--output", "there.parquet")
    assert scores["seen_in_training"] is False
    assert {row["weeks"] for row in scores["horizons"]} == {3, 5, 6, 12, 26, 52}
    table = pd.read_parquet(user.place / "there.parquet")
    assert len(table) == sum(row["outcomes"] for row in scores["horizons"])
    assert user.record("evaluate", version, "--cohort", "cohort")["seen_in_training"] is True


def test_a_changed_bundle_is_neither_promoted_nor_served(user: Installation, version: str) -> None:
    """Last: it damages the installation."""
    card = next((user.place / "mlruns" / "artifacts").rglob("model-card.md"))
    card.write_text(card.read_text("utf-8") + " ", "utf-8")
    refused = user.record("promote", version, code=6)
    assert "model-card.md: changed since the bundle was sealed" in refused["message"]
    served = subprocess.run(
        [sys.executable, "-c", "from rehabcast.application import load_champion; load_champion()"],
        capture_output=True,
        text=True,
        cwd=user.place,
        check=False,
    )
    assert "IntegrityError" in served.stderr


def test_a_bad_cohort_gives_every_problem_and_exit_code_3(user: Installation) -> None:
    refused = user.record("cohort", "validate", "nowhere", code=3)
    assert refused["problems"][0]["file"] == "nowhere/data"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("cohort",),
        ("cohort", "import"),
        ("cohort", "import", "stroke-specs"),
        ("cohort", "import", "tables"),
        ("cohort", "simulate"),
        ("cohort", "floor"),
        ("cohort", "draw"),
        ("cohort", "validate"),
        ("train",),
        ("benchmark",),
        ("evaluate",),
        ("audit",),
        ("promote",),
        ("serve",),
        ("forecast",),
        ("ledger", "verify"),
        ("demo",),
    ],
    ids=" ".join,
)
def test_every_command_explains_itself(user: Installation, words: tuple[str, ...]) -> None:
    done = user.run(*words, "--help")
    assert done.returncode == 0
    assert len(done.stdout.split()) > 15
