"""From sets and a programme to adherence and next week's advice, for one SIMULATED patient."""

from __future__ import annotations

import csv
import errno
import json
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from contracts.exercise import SetFile, as_csv, codes, write_sets
from contracts.observation import Observation
from contracts.vocabulary import vocabulary
from features.cohort import read_cohort
from serving.http.client import Client
from serving.schemas import ObservationsRequest, Recorded
from tests.conftest import ROOT
from tests.end_to_end.conftest import PINNED, paths
from tests.rehabcast.command_line import Said, run
from tests.simulated_exercise import PROGRAMME_TOML, ROTATION, a_set, day, days_of, set_file

LAST_WEEKS = """
[last_weeks]
pain_worst = 2
pain_rise = 1
pain_next_morning = false
fatigue_worst = 3
danger_signs = []
"""
TWO_WEEKS = set_file([
    *days_of(range(7)), *days_of(range(7, 14), well=9, badly=1),
    a_set(3, ROTATION, 5, hour=20, name=None),
])  # fmt: skip


class Line:
    """The command line in a folder with a programme and two weeks of sets."""

    def __init__(
        self, folder: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.folder, self._capsys, self._patch = folder, capsys, patch
        patch.chdir(folder)
        (folder / "programme.toml").write_text(PROGRAMME_TOML, "utf-8")
        (folder / "weeks.toml").write_text(LAST_WEEKS, "utf-8")
        write_sets(folder / "sets.json", TWO_WEEKS)

    def __call__(self, *words: str) -> Said:
        return run(self._capsys, self._patch, "exercise", *words)

    def json(self, *words: str) -> dict[str, Any]:
        said = self(*words, "--json")
        assert said.code == 0, said.text
        record: dict[str, Any] = json.loads(said.text)
        pinned = json.loads(PINNED.read_text("utf-8"))[f"exercise {words[0]}"]
        observed = set(paths(record))
        objects = {path.rpartition(".")[0] for path in observed}
        assert observed == {path for path in pinned if path.rpartition(".")[0] in objects}
        return record


@pytest.fixture
def line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Line:
    return Line(tmp_path, capsys, monkeypatch)


def with_both_sides(folder: Path) -> None:
    """Prescribe the rotation to the left side too, which goes a third less far, with a trunk."""
    half = PROGRAMME_TOML[PROGRAMME_TOML.index("[[exercises]]") :].split("[[exercises]]")[1]
    text = f"{PROGRAMME_TOML}\n[[exercises]]{half.replace('right', 'left')}"
    (folder / "programme.toml").write_text(text, "utf-8")
    left = ROTATION.model_copy(update={"side": "left"})
    made = [a_set(day, left, 0, 10, hour=12, side="left") for day in range(14)]
    leaning = [
        replace(each, repetitions=tuple(replace(one, trunk_deg=14.2) for one in each.repetitions))
        for each in made
    ]
    write_sets(folder / "sets.json", set_file([*days_of(range(14)), *leaning]))


REPORT = ("report", "sets.json", "--programme", "programme.toml", "--last-weeks", "weeks.toml")


def test_left_beside_right_and_the_trunk_are_told(line: Line) -> None:
    with_both_sides(line.folder)
    said = line(*REPORT, "--output", "report.html").text
    far = "external rotation, how far in the last 7 days: left typically 42 degrees, right 66."
    for told in (said, unescape((line.folder / "report.html").read_text("utf-8"))):
        assert f"{far} The difference is 44% of their mean." in told
        assert "Your trunk moved along: typically by 14 degrees in each repetition." in told
    assert "wall slide, how far" not in said, "it is prescribed for one side"
    (both,) = line.json(*REPORT)["report"]["both_sides"]
    assert both["range_deg"] == {"left": pytest.approx(42), "right": pytest.approx(66)}
    line("days", "sets.json", "--programme", "programme.toml", "--subject", "P1",
         "--output", "days.csv")  # fmt: skip
    table = (line.folder / "days.csv").read_text("utf-8")
    assert "P1,2026-03-02,REHABCAST//EXERCISE_RANGE_ASYMMETRY,0.444444,1" in table
    assert "P1,2026-03-02,REHABCAST//EXERCISE_TRUNK,14.2,deg" in table
    assert "بائیں اور دائیں" in line(*REPORT, "--language", "ur").text


def test_a_walk_from_sets_to_next_weeks_advice(line: Line) -> None:
    said = line(*REPORT, "--output", "report.html").text
    assert said.startswith("SIMULATED: nobody did these exercises.")
    for sentence in (
        "Your exercises up to 15 March 2026", "Of the last 7 days 7 are known.",
        "Last 7 days: 14 sets, 140 repetitions. That is 100% of the plan.",
        "Done as shown: 90% of the repetitions. In the week before it was 100%.",
        "Next week: the same, 10 repetitions in each set.",
        "Next week, if your therapist agrees: 13 repetitions in each set instead of 12.",
        "Rule 'quality does not hold' (convention): quality fall 0.1.",
        "Not counted: movement that is none of the known exercises: 1.",
    ):  # fmt: skip
        assert sentence in " ".join(said.split()), sentence
    page = (line.folder / "report.html").read_text("utf-8")
    assert "SIMULATED: nobody did these exercises." in page
    assert "13 repetitions in each set instead of 12" in page
    assert "<script" not in page
    assert "http" not in page
    record = line.json(*REPORT)
    steps = [each["step"]["repetitions"] for each in record["report"]["exercises"]]
    assert (steps, record["report"]["adherence"]) == ([10, 13], [1.0, 1.0])


def test_a_report_is_in_urdu_too(line: Line) -> None:
    said = line(*REPORT, "--language", "ur", "--output", "report.html").text
    assert "external rotation" in said
    assert "are known" not in said
    assert "Next week" not in said
    assert 'dir="rtl"' in (line.folder / "report.html").read_text("utf-8")
    assert "there are no words in 'de'" in line(*REPORT, "--language", "de").text


def test_the_days_are_a_table_of_the_vocabularys_codes(line: Line) -> None:
    words = ("sets.json", "--programme", "programme.toml", "--subject", "P 1", "--output", "d.csv")
    record = line.json("days", *words)
    with (line.folder / "d.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (len(rows), record["days"], record["simulated"]) == (record["values"], 14, True)
    for row in rows:
        entry = vocabulary()[row["code"]]
        assert entry.low is not None
        assert entry.high is not None
        assert (row["subject"], row["unit"]) == ("P 1", entry.unit)
        assert entry.low <= float(row["value"]) <= entry.high
        assert entry.modality == "exercise"


MAP = """
name = "exercise at home"
clock = "timestamps"
simulated = true

[[tables]]
file = "people.csv"
subject = "patient"
columns = [
    { column = "onset", code = "REHABCAST//ONSET" },
    { column = "enrolled", code = "REHABCAST//ENROLMENT" },
]

[[tables]]
file = "days.csv"
subject = "subject"
when = "date"
names_in = "code"
values_in = "value"
columns = [
"""


def test_the_table_is_imported_into_a_cohort_with_the_same_values(
    line: Line, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("sets.json", "--programme", "programme.toml", "--subject", "P1", "--output")
    written = line.json("days", *words, "days.csv")
    columns = [f'{{ column = "{code}", code = "{code}", unit = "{vocabulary()[code].unit}" }},'
               for code in codes.CODES]  # fmt: skip
    (line.folder / "map.toml").write_text(MAP + "\n".join([*columns, "]"]), "utf-8")
    (line.folder / "people.csv").write_text(
        "patient,onset,enrolled\nP1,2026-02-10,2026-02-28\n", "utf-8"
    )
    said = run(capsys, monkeypatch, "cohort", "import", "auto", "map.toml", "cohort")
    assert said.code == 0, said.text
    cohort = read_cohort(line.folder / "cohort")
    of_exercise = cohort.events[cohort.events["code"].isin(codes.CODES)]
    assert (len(of_exercise), cohort.provenance.simulated) == (written["values"], True)
    found = line.json("groups", "cohort", "--task", str(ROOT / "tasks" / "stroke-upper-limb.toml"))
    assert found["simulated"]
    assert {row["people"] for row in found["rows"]} == {None}, "one person is no group"


def test_a_programme_is_checked(line: Line) -> None:
    record = line.json("check", "programme.toml")
    assert (record["exercises"], record["repetitions_a_week"]) == (2, 212)
    assert "wall slide, right: 6 x 12 a week" in line("check", "programme.toml").text


def test_days_are_sent_as_observations_and_never_those_that_nobody_did(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ObservationsRequest] = []

    def taken(_: Client, request: ObservationsRequest) -> Recorded:
        asked.append(request)
        return Recorded(subject=request.subject, sent=len(request.observations), on_record=7)

    words = ("--programme", "programme.toml", "--subject", "P1", "--onset", "2026-02-28")
    assert "SIMULATED" in line("send", "sets.json", *words).text
    write_sets(line.folder / "real.json", SetFile(sets=TWO_WEEKS.sets))
    with monkeypatch.context() as patch:
        patch.setattr(Client, "observe", taken)
        record = line.json("send", "real.json", *words, "--enrolment-day", "1")
    (request,) = asked
    assert record["sent"] == len(request.observations)
    assert (request.enrolment_day, request.today) == (1, 14)
    days = {each.day_since_onset for each in request.observations}
    assert days == set(range(2, 15)), "from two days after the onset to the last whole day"
    first = Observation(code="REHABCAST//EXERCISE_REPETITIONS", day_since_onset=2, value=32.0)
    assert first in request.observations
    away = line("send", "real.json", *words, "--url", "http://127.0.0.1:9")
    assert (away.code, "no service answers" in away.text) == (8, True)
    late = line("send", "real.json", *words[:-1], "2026-03-10")
    said = "the first value is of 2026-03-02, before the onset on 2026-03-10"
    assert (late.code, said in late.text, "observations" in late.text) == (3, True, False)
    long_ago = line("send", "real.json", *words[:-1], "1900-01-01")
    assert (long_ago.code, "longer ago than a record can hold" in long_ago.text) == (3, True)


@pytest.mark.parametrize("subject", ["Jane Roe", "P" * 65, "Ünsal"])
def test_a_name_is_no_pseudonym_and_is_not_repeated(line: Line, subject: str) -> None:
    words = ("--programme", "programme.toml", "--onset", "2026-02-28", "--subject", subject)
    said = line("send", "sets.json", *words)
    assert said.code == 3
    assert said.text == (
        "rehabcast: --subject is no pseudonym: use up to 64 letters, digits, - and _, and no name\n"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("report", "none.json", "--programme", "programme.toml"), "cannot be read"),
        (("report", "sets.json", "--programme", "weeks.toml"), "not a programme of exercise"),
        (("report", "programme.toml", "--programme", "programme.toml"), "not valid JSON"),
        (("report", "sets.json", "sets.json", "--programme", "programme.toml"), "name each"),
        ((*REPORT, "--as-of", "2026-01-01"), "before the programme begins"),
        ((*REPORT, "--output", "nowhere/x.html"), "nowhere"),
        (("report", "sets.csv", "--programme", "all-day.toml"), "do not say when the sensor"),
        (("report", "sets.json", "--programme", "programme.toml", "--last-weeks",
          "adherence.toml"), "counted from the sets"),
        (("report", "sets.json", "--programme", "programme.toml", "--last-weeks",
          "borg.toml"), "borg is not read by these rules"),
        ((*REPORT, "--as-of", "2199-01-01"), "2199-01-01 has not come yet"),
        (("check", "double.toml"), "is prescribed twice"),
        (("check", "."), "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_a_sentence(
    line: Line, words: tuple[str, ...], says: str
) -> None:
    for name, old, new in (
        ("all-day.toml", "in sessions", "all day"),
        ("double.toml", "wall slide", "external rotation"),
    ):
        (line.folder / name).write_text(PROGRAMME_TOML.replace(old, new), "utf-8")
    (line.folder / "adherence.toml").write_text(LAST_WEEKS + "adherence = [0.9, 0.9]\n", "utf-8")
    (line.folder / "borg.toml").write_text(LAST_WEEKS + "borg = [18]\n", "utf-8")
    (line.folder / "sets.csv").write_text(as_csv(SetFile(sets=TWO_WEEKS.sets)), "utf-8")
    said = line(*words)
    assert (said.code, says in " ".join(said.text.split())) == (3, True), said.text
    assert "Traceback" not in said.text


def test_a_full_disk_is_said_and_leaves_the_file_as_it_was(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line(*REPORT, "--output", "report.html").code == 0
    before = (line.folder / "report.html").read_text("utf-8")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("stores.private_files.os.fsync", full)
        said = line(*REPORT, "--output", "report.html")
    assert (said.code, "cannot be written (No space left on device)" in said.text) == (3, True)
    assert (line.folder / "report.html").read_text("utf-8") == before


def test_a_report_of_a_day_is_of_what_was_known_then(line: Line) -> None:
    said = line(*REPORT, "--as-of", day(4).isoformat()).text
    assert "less than a week" in said
    assert "What comes next week is for your therapist to say" in said


def test_one_is_said_as_one(line: Line) -> None:
    once = PROGRAMME_TOML.replace("sets = 2", "sets = 1").replace("tions = 10", "tions = 1")
    (line.folder / "once.toml").write_text(once, "utf-8")
    write_sets(line.folder / "one.json", set_file([a_set(0, ROTATION, 1)]))
    words = ("report", "one.json", "--programme", "once.toml", "--as-of", day(6).isoformat())
    said = line(*words).text
    assert "external rotation, right side. Plan: 1 set a day, 1 repetition in each." in said
    assert "Last 7 days: 1 set, 1 repetition." in said
    assert "Last 7 days: 0 sets, 0 repetitions." in said
    assert "1 سیٹ، ہر ایک میں 1 دہرائی" in line(*words, "--language", "ur").text
