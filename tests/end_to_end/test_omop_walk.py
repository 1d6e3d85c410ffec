"""docs/first-cohort/omop.md, walked: from an OMOP export of SIMULATED people to a served forecast.

The page's own commands are run. Only the task under the name of the stroke task is a smaller one; and where it is always run,
the networks learn for one epoch.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.command_line import CommandLine
from tests.end_to_end.hospital import Hospital, small_and_whole
from tests.hospital_exports import FM, STEPS
from tests.service_only import as_in_its_image
from tests.simulated_omop import MAP, write_sample

# MLflow uses what SQLAlchemy deprecates; rehabcast itself does not.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "first-cohort" / "omop.md").read_text("utf-8")
COMMANDS = re.findall(r"^    rehabcast (.+)$", PAGE.partition("## 5.")[0], re.M)

TASK = f"""
name = "arm-quick"
condition = "upper-limb paresis after stroke"
origins_days = [0]
forecasts_until_day = 60
primary_horizon_weeks = 12
early_days = 60

[target]
code = "{FM}"
low = 0
high = 66
step = 1
minimal_important_difference = 4.25
source = "a smaller task for a test"

[onset]
condition = "stroke"
icd10 = ["I63"]
snomed = ["422504002"]

[[horizons]]
weeks = 12
window_days = [77, 99]

[[milestones]]
name = "important gain"
gain_at_least = 4.25
source = "a smaller task for a test"

[inputs]
past_days = 28
assessments = ["{FM}"]
daily = ["{STEPS}", "REHABCAST//THERAPY"]
person = ["REHABCAST//AGE", "REHABCAST//SEX"]

[[sensitive]]
name = "sex"
code = "REHABCAST//SEX"
reason = "as everywhere"
"""


SERVE = """
import json, os, subprocess, sys
from pathlib import Path
from rehabcast.commands.demo import _free_port
from rehabcast.commands.service.serve import running_service

everything = os.environ.get("PYTHONPATH", "")
os.environ["PYTHONPATH"] = sys.argv[1] + os.pathsep + everything
with running_service(_free_port(), Path("service.log"), "a-token-of-our-hospital") as address:
    os.environ |= {"PYTHONPATH": everything, "REHABCAST_TOKEN": "a-token-of-our-hospital"}
    asked = [sys.executable, "-m", "rehabcast", *json.loads(sys.argv[2]), "--url", address]
    subprocess.run(asked, check=True)
"""
"""The service in a process of its own, without what only training needs; the page's command asks it."""


def words_of(start: str) -> list[str]:
    """Return the page's command that begins so, as words."""
    (found,) = [command for command in COMMANDS if command.startswith(start)]
    return shlex.split(found)


class Walk(NamedTuple):
    """How many people (SIMULATED), and for how many epochs the networks learn."""

    people: int
    epochs: int


SMALL, ON_THE_PAGE = Walk(people=60, epochs=1), Walk(people=60, epochs=4)


@pytest.fixture(scope="module", params=small_and_whole(SMALL, ON_THE_PAGE, "on the page"))
def walk(request: pytest.FixtureRequest) -> Walk:
    chosen: Walk = request.param
    return chosen


@pytest.fixture(scope="module")
def hospital(
    tmp_path_factory: pytest.TempPathFactory, command_line: CommandLine, walk: Walk
) -> Hospital:
    folder = tmp_path_factory.mktemp("omop")
    write_sample(folder / "export", people=walk.people)
    (folder / "tasks").mkdir()
    (folder / "tasks" / "stroke-upper-limb.toml").write_text(TASK, "utf-8")
    config = f"max_epochs = {walk.epochs}\nfolds = 3\n"
    (folder / "quick.toml").write_text(config, "utf-8")
    return Hospital(folder, command_line, quick_training=walk == SMALL)


@pytest.fixture(scope="module")
def imported(hospital: Hospital) -> str:
    return hospital.run(*words_of("cohort import auto export"))


@pytest.fixture(scope="module")
def trained(hospital: Hospital, imported: str) -> str:
    assert imported
    return hospital.run(*words_of("train"))


@pytest.fixture(scope="module")
def audited(hospital: Hospital, trained: str) -> str:
    assert trained
    return hospital.run(*words_of("audit"))


@pytest.fixture(scope="module")
def promoted(hospital: Hospital, audited: str) -> str:
    assert audited
    for role, who in (("ml-owner", "mia"), ("governance", "gus")):
        hospital.run(*words_of(f"approve arm/1 --role {role}"), actor=who)
    return hospital.run(*words_of("promote"))


def test_the_page_shows_the_map_of_the_sample() -> None:
    shown = re.sub(r" *#.*", "", PAGE.partition("```toml\n")[2].partition("```")[0])
    assert shown.split() == re.sub(r"^#.*", "", MAP).split()


def test_the_import_says_what_it_read_and_what_it_left_out(imported: str) -> None:
    words = " ".join(imported.split())
    assert "SIMULATED, no real person: our hospital, SIMULATED" in words
    for what in ("Fugl-Meyer upper extremity", "steps in 24 hours", "therapy received", "sex"):
        assert what in words
    found = "neither in the map nor in the vocabulary, left out (40 of these"
    assert found in words
    assert "neither in the map nor in the vocabulary, left out (40 of these" in " ".join(
        PAGE.split()
    )


def test_the_cohort_is_valid_and_the_report_lists_the_concepts(
    hospital: Hospital, imported: str
) -> None:
    assert imported
    assert "is a valid cohort" in hospital.run(*words_of("cohort validate"))
    report = hospital.folder / "cohorts" / "ours" / "metadata" / "import.json"
    dropped = json.loads(report.read_text("utf-8"))["dropped"]
    assert [(each["count"], each["field"]) for each in dropped] == [
        (40, "measurement_concept_id 2000000004")
    ]


@pytest.mark.soak
def test_the_audit_has_too_little_evidence_and_says_so(trained: str, audited: str) -> None:
    assert "Registered candidate arm/1" in trained
    assert re.search("Verdict: (insufficient evidence|needs review)", audited)


@pytest.mark.soak
def test_the_service_gives_a_person_of_the_export_a_forecast(
    hospital: Hospital, promoted: str
) -> None:
    assert promoted
    asked = json.dumps(words_of("forecast"))
    done = subprocess.run(
        [sys.executable, "-c", SERVE, as_in_its_image(hospital.folder), asked],
        capture_output=True, text=True, cwd=hospital.folder, env=hospital.environment(),
        check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "MRN-0003" in said
    assert "SIMULATED" in said
    assert "│ 12 │" in said
    assert "Only for: a try," in said
