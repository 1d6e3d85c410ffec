"""From files of SIMULATED recordings to sets, on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from contracts.digests import file_digest
from contracts.errors import RehabcastError
from contracts.exercise import read_programme
from contracts.exercise.recogniser_audit import (
    RecogniserAudit,
    audit_path,
    write_recogniser_audit,
)
from inference.exercise.recogniser import read_recogniser
from rehabcast.main import _refusal, app
from tests.simulated_motion import SHAPES, day, labelled, movement

AXES = ["ax", "ay", "az", "gx", "gy", "gz"]
SIGNALS = """
[[signals]]
files = "{side}_*.csv"
quantity = "{quantity}"
columns = {columns}
unit = "{unit}"
rate_hz = 25
start = "2026-03-02T10:00:00"
placement = "{side} wrist"
"""


def write(path: Path, values: NDArray[np.float32]) -> None:
    pd.DataFrame(values, columns=AXES).to_csv(path, index=False, float_format="%.5g")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a map, sets to learn from, a recogniser of them, and a day of another person."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "map.toml").write_text(
        "simulated = true\n" + "".join(
            SIGNALS.format(side=side, quantity=quantity, columns=json.dumps(columns), unit=unit)
            for side in ("left", "right")
            for quantity, columns, unit in (
                ("acceleration", AXES[:3], "g"), ("rotation", AXES[3:], "deg/s"),
            )
        )
    )  # fmt: skip
    rows = []
    for number, one in enumerate(labelled(5)):
        write(folder / f"{one.side}_{number}.csv", one.values_T6)
        rows.append((f"{one.side}_{number}.csv", one.person, one.exercise))
    pd.DataFrame(rows, columns=["file", "person", "exercise"]).to_csv(
        folder / "sets.csv", index=False
    )
    write(folder / "right_day.csv", day(9).values_T6)
    made = run(folder, "train", "sets.csv", "--output", "m")
    assert made["exercises"] == sorted(SHAPES)
    assert (made["people"], made["sets"]) == (5, 15)
    audit = RecogniserAudit(
        model_version=made["version"], people=5, sets=15, simulated=True, groups=()
    )
    write_recogniser_audit(audit_path(folder / "m"), audit)
    return folder


def run(folder: Path, command: str, file: str, *others: str) -> dict[str, Any]:
    words = [command, str(folder / file), "--map", str(folder / "map.toml"), *others, "--json"]
    words = [str(folder / w) if b in {"--output", "--recogniser", "--programme"} else w
             for b, w in zip(["", *words], words, strict=False)]  # fmt: skip
    done = CliRunner().invoke(app, ["exercise", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        refusal = _refusal(done.exception)  # type: ignore[arg-type]
        assert refusal is not None, done.exception
        return {"refused": str(refusal)}
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def programme(folder: Path, *exercises: str, side: str = "right") -> None:
    text = 'name = "p"\nstart = 2026-03-02\nweeks = 4\nrecording = "in sessions"\n'
    for each in exercises:
        text += f'[[exercises]]\nside = "{side}"\nsets = 1\nper = "day"\nrepetitions = 8\n{each}\n'
    (folder / "p.toml").write_text(text)


def test_a_day_becomes_sets(folder: Path) -> None:
    done = run(folder, "recognise", "right_day.csv", "--recogniser", "m", "--output", "s.json")
    assert (done["sets"], done["unknown"], done["repetitions"]) == (3, 0, 24)
    written = json.loads((folder / "s.json").read_text())
    assert [each["exercise"] for each in written["sets"]] == list(SHAPES)
    assert (done["simulated"], written["simulated"]) == (True, True)
    assert read_recogniser(folder / "m").simulated, "as the map of what it learned from says"
    assert written["sets"][0]["start"].startswith("2026-03-02T10:00:")


def test_a_recogniser_without_an_audit_of_its_own_finds_nothing(folder: Path) -> None:
    asked = ("recognise", "right_day.csv", "--recogniser", "m", "--output", "unaudited.json")
    kept = audit_path(folder / "m").read_text("utf-8")
    for changed, says in (
        (None, "there is no audit by group of this recogniser (m.audit.json)"),
        (kept.replace('"model_version": "', '"model_version": "0'), "it is of the recogniser 0"),
        (kept.replace("exercise-audit/1", "exercise-audit/9"), "says that its form is"),
        ("{}", "it is no audit of a recogniser"),
        (kept.replace('"sets": 15', '"sets": "15"'), "it is no audit of a recogniser"),
    ):
        audit_path(folder / "m").unlink(missing_ok=True)
        if changed is not None:
            audit_path(folder / "m").write_text(changed, "utf-8")
        try:
            assert says in run(folder, *asked)["refused"]
            assert says in run_audit(folder)["refused"]
        finally:
            audit_path(folder / "m").write_text(kept, "utf-8")
    assert not (folder / "unaudited.json").exists()
    assert run_audit(folder)["people"] == 5


@pytest.mark.soak
def test_an_audit_is_of_the_recogniser_of_these_sets_and_of_people_left_out(folder: Path) -> None:
    kept = audit_path(folder / "m").read_text("utf-8")
    whole = ("--sets", str(folder / "sets.csv"), "--map", str(folder / "map.toml"))
    table = pd.read_csv(folder / "sets.csv")
    table.assign(sex="female").to_csv(folder / "with_sex.csv", index=False)
    table[table["person"] != 0].to_csv(folder / "fewer.csv", index=False)
    try:
        assert (
            "was not trained with these sets"
            in run_audit(folder, "--sets", str(folder / "fewer.csv"), *whole[2:])["refused"]
        )
        made = run_audit(folder, "--sets", str(folder / "with_sex.csv"), *whole[2:])
        assert run_audit(folder) == made, "it is kept"
    finally:
        audit_path(folder / "m").write_text(kept, "utf-8")
    groups = {(row["attribute"], row["group"]): row for row in made["groups"]}
    assert groups["everybody", "everybody"]["right"] > 0.8
    assert {name for attribute, name in groups if attribute == "movement"} == {
        "as recorded", "slow", "small", "interrupted",
    }  # fmt: skip
    assert groups["sex", "female"]["right"] is None, "fewer than 11 people"


def run_audit(folder: Path, *others: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["exercise", "audit", str(folder / "m"), *others, "--json"])
    if isinstance(done.exception, RehabcastError):
        return {"refused": str(done.exception)}
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def trunk_of(values_T6: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a trunk that leans by a fifth of what the arm turns by."""
    about_T = values_T6[:, 3:] @ np.array([0.0, 1.0, 0.0]) / 5
    lean = Rotation.from_rotvec(np.outer(np.radians(np.cumsum(about_T) / 25), [0.0, 1.0, 0.0]))
    pull_T3 = lean.inv().apply([0.0, 0.0, 1.0])
    return np.hstack([pull_T3, np.outer(about_T, [0.0, 1.0, 0.0])]).astype(np.float32)


@pytest.fixture
def trunk_map(folder: Path) -> Iterator[Path]:
    """Declare a trunk in the map, and record one beside the arm of the day."""
    written = (folder / "map.toml").read_text()
    own = written.partition('files = "right_*.csv"')[2]
    both = f'[[signals]]\nfiles = "right_*.csv"{own}'
    both = both.replace("right_*.csv", "trunk*.csv").replace("right wrist", "sternum")
    (folder / "map.toml").write_text(written + both)
    write(folder / "trunk.csv", trunk_of(day(9, exercises=("raise", "swing")).values_T6))
    write(folder / "right_two.csv", day(9, exercises=("raise", "swing")).values_T6)
    yield folder
    (folder / "map.toml").write_text(written)


TWO = ("recognise", "right_two.csv", "--recogniser", "m", "--output", "two.json")


def test_how_far_the_trunk_moves_along_stands_beside_each_repetition(trunk_map: Path) -> None:
    run(trunk_map, *TWO, "--trunk", str(trunk_map / "trunk.csv"))
    arm, other = json.loads((trunk_map / "two.json").read_text())["sets"]
    for one in arm["repetitions"]:
        assert one["trunk_deg"] == pytest.approx(one["range_deg"] / 5, abs=3)
    assert max(one["trunk_deg"] for one in other["repetitions"]) < 3
    run(trunk_map, *TWO)
    sets = json.loads((trunk_map / "two.json").read_text())["sets"]
    assert {one["trunk_deg"] for each in sets for one in each["repetitions"]} == {None}


def test_a_trunk_of_another_day_or_place_or_without_a_gyroscope_is_refused(trunk_map: Path) -> None:
    written = (trunk_map / "map.toml").read_text()

    def refused(text: str, file: str = "trunk.csv") -> str:
        (trunk_map / "map.toml").write_text(text)
        try:
            return str(run(trunk_map, *TWO, "--trunk", str(trunk_map / file))["refused"])
        finally:
            (trunk_map / "map.toml").write_text(written)

    assert "it was worn at 'right wrist', and not on the trunk" in refused(written, "right_two.csv")
    arm, _, trunk = written.partition('[[signals]]\nfiles = "trunk*.csv"')
    other_day = f'[[signals]]\nfiles = "trunk*.csv"{trunk}'.replace("03-02", "03-03")
    assert "it holds none of the 2 sets" in refused(arm + other_day)
    blind = [part for part in other_day.split("[[signals]]")[1:] if "rotation" not in part]
    assert "it has no rotation" in refused(arm + "".join(f"[[signals]]{part}" for part in blind))


@pytest.mark.parametrize("instead", ["m/s2", "mg"])
def test_another_unit_than_was_recorded_is_refused(folder: Path, instead: str) -> None:
    written = (folder / "map.toml").read_text()
    (folder / "map.toml").write_text(written.replace('"g"', f'"{instead}"'))
    try:
        refused = run(folder, "recognise", "right_day.csv", "--recogniser", "m", "--output", "u")
    finally:
        (folder / "map.toml").write_text(written)
    assert "right_day.csv: the median of its acceleration is" in refused["refused"]
    assert "correct the unit" in refused["refused"]


def test_what_is_not_prescribed_is_unknown(folder: Path) -> None:
    programme(folder, 'name = "Raise"')
    done = run(folder, "recognise", "right_day.csv", "--recogniser", "m", "--output", "s.json",
               "--programme", "p.toml")  # fmt: skip
    assert (done["sets"], done["unknown"]) == (3, 2)
    assert json.loads((folder / "s.json").read_text())["sets"][0]["exercise"] == "Raise"


def test_what_could_never_be_found_is_refused_and_does_not_count_as_not_done(folder: Path) -> None:
    asked = ("recognise", "right_day.csv", "--recogniser", "m", "--output", "never.json",
             "--programme", "p.toml")  # fmt: skip
    programme(folder, 'name = "raise"', 'name = "external rotation"')
    said = run(folder, *asked)["refused"]
    assert "does not know 'external rotation', which the programme prescribes (it knows" in said
    programme(folder, 'name = "raise"', side="left")
    assert "prescribes nothing for the right side" in run(folder, *asked)["refused"]
    assert not (folder / "never.json").exists()


def test_the_lines_for_the_programme_are_such_that_it_can_be_read(folder: Path) -> None:
    write(folder / "right_shown.csv", movement("raise", 9)[25:230])
    words = ["enrol", str(folder / "right_shown.csv"), "--map", str(folder / "map.toml")]
    words += ["--recogniser", str(folder / "m"), "--exercise", "raise"]
    words += ["--output", str(folder / "raise.json")]
    said = CliRunner().invoke(app, ["exercise", *words]).stdout
    programme(folder, 'name = "raise"\n' + said.partition(":\n")[2])
    (read,) = read_programme(folder / "p.toml").exercises
    assert (read.template, read.template_sha256) == (
        "raise.json",
        file_digest(folder / "raise.json"),
    )


def test_templates_come_from_shown_repetitions_and_are_kept_by_their_digest(folder: Path) -> None:
    lines = []
    for exercise in SHAPES:
        write(folder / f"right_shown_{exercise}.csv", movement(exercise, 9)[25:230])
        made = run(folder, "enrol", f"right_shown_{exercise}.csv", "--recogniser", "m",
                   "--exercise", exercise, "--output", f"{exercise}.json")  # fmt: skip
        assert made["repetitions"] >= 3
        lines.append(f'name = "{exercise}"\ntemplate = "{exercise}.json"\n'
                     f'template_sha256 = "{made["sha256"]}"')  # fmt: skip
    asked = ("recognise", "right_day.csv", "--recogniser", "m", "--output", "s.json",
             "--programme", "p.toml")  # fmt: skip
    programme(folder, *lines)
    assert run(folder, *asked)["unknown"] == 0
    blind = (folder / "map.toml").read_text()
    (folder / "map.toml").write_text(
        "".join(
            f"[[signals]]{part}"
            for part in blind.split("[[signals]]")[1:]
            if "rotation" not in part
        )
    )
    try:
        assert "made with a gyroscope" in run(folder, *asked)["refused"]
    finally:
        (folder / "map.toml").write_text(blind)
    programme(folder, *lines, 'name = "other"')
    assert "'other' of the right side has no template" in run(folder, *asked)["refused"]
    programme(folder, *lines[:2], lines[2].replace("swing.json", "turn.json"))
    assert "not the template that the programme" in run(folder, *asked)["refused"]
    for part in ("place", "scores"):
        kept = json.loads((folder / "swing.json").read_text("utf-8"))
        kept[part] = kept[part][1:]
        (folder / "short.json").write_text(json.dumps(kept), "utf-8")
        programme(folder, *lines[:2], 'name = "swing"\ntemplate = "short.json"')
        assert "short.json: it holds" in run(folder, *asked)["refused"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"g"', '"furlong"'), "use one of g, mg, m/s2"),
        (("right wrist", "right ankle"), "exercise is recognised at one wrist whose side is known"),
        (("right wrist", "wrist"), "exercise is recognised at one wrist whose side is known"),
        (("rate_hz = 25", "rate_hz = 10"), "it has 10 samples a second, too few"),
        (('"az"', '"nowhere"'), "nowhere"),
    ],
)
def test_a_wrong_map_is_refused_in_a_sentence(
    folder: Path, change: tuple[str, str], said: str
) -> None:
    written = (folder / "map.toml").read_text()
    (folder / "map.toml").write_text(written.replace(*change))
    try:
        done = run(folder, "recognise", "right_day.csv", "--recogniser", "m", "--output", "s.json")
    finally:
        (folder / "map.toml").write_text(written)
    assert said in done["refused"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("file,person\n", "has no 'exercise' between commas"),
        ("file,person,exercise\nright_1.csv,,a\n", "row 2: person is missing"),
        ("file,person,exercise\nnowhere.csv,1,a\n", "nowhere.csv"),
        ("file,person,exercise,side\nright_1.csv,1,a,left\n", "'side' is no group of the person"),
        (
            "file,person,exercise,sex\nright_1.csv,1,a,f\nright_1.csv,1,b,m\n",
            "row 3: sex of '1' is 'm', and 'f' above",
        ),
        (f"file,person,exercise\nright_1.csv,1,{'a' * 61}\n", "is no name of an exercise"),
    ],
)
def test_a_wrong_table_of_sets_is_refused_in_a_sentence(
    folder: Path, table: str, said: str
) -> None:
    (folder / "wrong.csv").write_text(table)
    assert said in run(folder, "train", "wrong.csv", "--output", "n")["refused"]
    assert not (folder / "n").exists()
