from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import TaskInvalid
from training.task import read_task, task_digest

ROOT = Path(__file__).resolve().parents[2]
AGE_BANDS = "bands = [55, 75]"
GOOD = (ROOT / "tasks" / "stroke-upper-limb.toml").read_text("utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / "tasks").glob("*.toml")), ids=lambda p: p.name)
def test_every_task_file_of_the_project_is_valid(path: Path) -> None:
    assert read_task(path).name == path.stem


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("early_days = 120", "early_days = 120\nsurprise = 1", "surprise"),
        (
            "primary_horizon_weeks = 12",
            "primary_horizon_weeks = 13",
            "13 is not one of the horizons",
        ),
        ("window_days = [32, 39]", "window_days = [20, 39]", "overlap at day 20"),
        ("gain_at_least = 4.25", "gain_at_least = 4.25\nat_least = 3", "give one of"),
        ('code = "REHABCAST//SEX"', 'code = "REHABCAST//SEXX"', "REHABCAST//SEXX"),
        ("high = 66", "high = 100", "vocabulary has 0 to 66"),
        ("high = 66", 'high = 66\nbetter = "lower"', "at_least, but a lower score"),
        ("step = 1", "step = 5", "scores of REHABCAST//FUGL_MEYER_UE are 1 apart"),
        ("at_least = 50", "at_most = 50", "at_most, but a higher score"),
        ("origins_days = [0, 21]", 'origins_days = ["soon"]', "origins_days"),
        (AGE_BANDS, "bands = [75, 55]", "bands must be in rising order"),
        (AGE_BANDS, "", "is a number .* and has no bands"),
        (AGE_BANDS, "bands = [55.0000001, 55.0000002]", "edges of two bands read alike"),
        ("[target]", "[target", "not valid TOML"),
    ],
)
def test_a_broken_task_file_is_refused_with_the_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in GOOD
    path = tmp_path / "task.toml"
    path.write_text(GOOD.replace(old, new, 1), "utf-8")
    with pytest.raises(TaskInvalid, match=message) as caught:
        read_task(path)
    assert str(path) in str(caught.value)


def test_a_task_against_the_direction_of_its_instrument_is_refused(tmp_path: Path) -> None:
    depression = (ROOT / "tasks" / "depression.toml").read_text("utf-8")
    path = tmp_path / "task.toml"
    turned = depression.replace('better = "lower"\n', "").replace("at_most = 19", "at_least = 19")
    path.write_text(turned, "utf-8")
    with pytest.raises(TaskInvalid, match="a lower score is better: write better = 'lower'"):
        read_task(path)


def test_a_missing_task_file_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(TaskInvalid, match="check the path"):
        read_task(tmp_path / "none.toml")


def test_the_digest_of_a_task_changes_with_its_content(tmp_path: Path) -> None:
    other = tmp_path / "task.toml"
    other.write_text(GOOD.replace("early_days = 120", "early_days = 121"), "utf-8")
    original = read_task(ROOT / "tasks" / "stroke-upper-limb.toml")
    assert task_digest(original) == task_digest(original)
    assert task_digest(original) != task_digest(read_task(other))


CLUSTERS = """
[[clusters]]
name = "hospital"
code = "REHABCAST//SITE"
reason = "people of one hospital share their assessors"
"""


def test_a_task_without_clusters_is_written_as_before_there_were_any(tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    path.write_text(GOOD, "utf-8")
    plain = read_task(path)
    assert "clusters" not in plain.model_dump(mode="json")
    path.write_text(GOOD + CLUSTERS, "utf-8")
    clustered = read_task(path)
    assert [cluster.name for cluster in clustered.clusters] == ["hospital"]
    assert task_digest(clustered) != task_digest(plain)
    assert type(clustered).model_validate_json(clustered.model_dump_json()) == clustered
