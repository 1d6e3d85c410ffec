"""The site's vocabulary, by a setting: every command knows its codes, or says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import rehabcast
from contracts.cohort import CODE, NUMBER, SUBJECT, Provenance
from contracts.errors import ContractError, TaskInvalid
from contracts.vocabulary import codes_with, known, vocabulary
from contracts.vocabulary.known import NOTHING
from features.cohort import write_cohort
from rehabcast.settings import use_site_vocabulary
from tests.rehabcast.command_line import run
from tests.vocabularies import KNEE

TASK = """
name = "ours"
condition = "recovery"
origins_days = [0]
primary_horizon_weeks = 6
early_days = 60
milestones = []
sensitive = []

[target]
code = "OURS//KNEE"
low = 0
high = 48
step = 1
minimal_important_difference = 5
source = "a test"

[[horizons]]
weeks = 6
window_days = [35, 49]

[inputs]
past_days = 28
assessments = ["OURS//KNEE"]
daily = []
person = []
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "site.toml"
    file.write_text(KNEE, "utf-8")
    monkeypatch.setenv("REHABCAST_VOCABULARY", str(file))
    return file


@pytest.fixture
def cohort(events: pd.DataFrame, tmp_path: Path) -> Path:
    """A cohort as another program wrote it: with the site's codes, and no word on what they mean."""
    small = events[events[SUBJECT] <= 4]
    (tmp_path / "codes.toml").write_text(KNEE, "utf-8")
    rows = small[small[CODE] == "REHABCAST//FUGL_MEYER_UE"].drop_duplicates(SUBJECT)
    use = pd.concat([small, rows.assign(**{CODE: "OURS//KNEE", NUMBER: 12.0})], ignore_index=True)
    use_site_vocabulary()
    provenance = Provenance(name="ours", source="a test", simulated=True)
    write_cohort(use, provenance, tmp_path / "cohort")
    (tmp_path / "cohort" / "metadata" / "vocabulary.toml").unlink()
    known._learned = known._Learned.nothing()
    return tmp_path / "cohort"


@pytest.mark.usefixtures("site")
def test_every_command_knows_the_codes_of_the_site(
    cohort: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = run(capsys, monkeypatch, "cohort", "validate", str(cohort), "--json")
    assert said.code == 0, said.text
    assert "Knee score" in said.text
    assert "OURS//KNEE" in codes_with(NOTHING)


def test_without_the_setting_the_cohort_is_refused(
    site: Path,
    cohort: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert site.exists()
    monkeypatch.delenv("REHABCAST_VOCABULARY")
    said = run(capsys, monkeypatch, "cohort", "validate", str(cohort))
    assert said.code == 3
    assert "'OURS//KNEE' is not in the vocabulary" in said.text
    assert "docs/vocabulary.md" in said.text


def test_everything_wrong_with_the_file_is_one_list_without_its_path(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write_text(KNEE.replace("{score}", "points").replace("high = 48", "high = -1"), "utf-8")
    said = run(capsys, monkeypatch, "cohort", "validate", "nowhere", "--json")
    assert said.code == 3
    problems = json.loads(said.text.splitlines()[0])["problems"]
    assert len(problems) == 2
    assert all("REHABCAST_VOCABULARY" in problem["file"] for problem in problems)
    assert str(site) not in said.text


@pytest.mark.parametrize("value", ["", " site.toml", "missing.toml", "."])
@pytest.mark.usefixtures("site")
def test_a_wrong_setting_is_named_and_its_value_is_not(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REHABCAST_VOCABULARY", value)
    with pytest.raises(ContractError) as refusal:
        use_site_vocabulary()
    assert "REHABCAST_VOCABULARY" in str(refusal.value)
    assert "missing.toml" not in str(refusal.value)


def test_help_is_there_whatever_the_setting_is(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.unlink()
    assert run(capsys, monkeypatch, "--help").code == 0


@pytest.mark.usefixtures("site")
def test_python_knows_them_as_well(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text(TASK, "utf-8")
    assert rehabcast.read_task(tmp_path / "task.toml").target.code == "OURS//KNEE"
    known._learned = known._Learned.nothing()
    assert "OURS//KNEE" in set(rehabcast.read_cohort(cohort).events[CODE])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("high = 48", "the vocabulary has 0 to 48 for OURS//KNEE"), ("step = 1", "are 1 apart")],
)
@pytest.mark.usefixtures("site")
def test_a_task_on_an_own_instrument_is_checked_against_it(
    tmp_path: Path, wrong: str, said: str
) -> None:
    (tmp_path / "task.toml").write_text(TASK.replace(wrong, f"{wrong[:-1]}7", 1), "utf-8")
    with pytest.raises(TaskInvalid, match=said):
        rehabcast.read_task(tmp_path / "task.toml")
    assert "OURS//KNEE" in vocabulary()
