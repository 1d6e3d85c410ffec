from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from contracts.cohort import CODE, NUMBER, SUBJECT, TIME, WEAR_TIME
from contracts.errors import ContractError
from features.cohort import read_cohort
from features.cohort.export import export
from features.extract import DAYS_FOLDER, extract, extract_batch, extract_locally
from features.importing import import_source
from features.minutes import MINUTES_FOLDER, minute_files
from features.report import write_report

SUBJECTS = 12


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """A cohort of twelve made-up Actiwatches, two days each."""
    source = tmp_path / "source"
    source.mkdir()
    for subject in range(1, SUBJECTS + 1):
        counts = np.random.default_rng(subject).integers(100, 900, 2 * 1440)
        header = ["", "04-Mar-2024", "00:00", "4", "00", f"V{subject}", "X"]
        lines = [*header, *(str(count) for count in counts)]
        (source / f"{subject}.AWD").write_text("\r\n".join(lines) + "\r\n")
    import_source(source, tmp_path / "cohort")
    return tmp_path / "cohort"


def days_bytes(cohort: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in sorted((cohort / DAYS_FOLDER).glob("*.parquet"))}


def forget_days(cohort: Path) -> None:
    for file in (cohort / DAYS_FOLDER).glob("*.parquet"):
        file.unlink()


def test_extracting_again_changes_nothing_and_does_nothing(cohort: Path) -> None:
    digest = read_cohort(cohort).digest
    done = extract(cohort)
    assert (done.extracted, done.kept) == (0, SUBJECTS)
    assert done.cohort.digest == digest
    days = days_bytes(cohort)
    forget_days(cohort)
    # The days are gone, so their rows in the cohort can't be distinguished from records, and stay.
    done = extract(cohort)
    assert (done.extracted, done.kept) == (SUBJECTS, 0)
    assert done.cohort.digest == digest
    assert days_bytes(cohort) == days


def test_a_broken_off_extraction_goes_on_where_it_stopped(cohort: Path) -> None:
    for name in ("3.parquet", "7.parquet"):
        (cohort / DAYS_FOLDER / name).unlink()
    assert extract(cohort).extracted == 2


def test_changed_minutes_replace_the_days_made_from_them(cohort: Path) -> None:
    file = cohort / MINUTES_FOLDER / "5.parquet"
    table = pq.read_table(file)
    every_other = [[i % 2 == 0 for i in range(len(table))]]
    for name in ("worn", "speaks_for_wear"):
        table = table.set_column(table.schema.get_field_index(name), name, every_other)
    pq.write_table(table, file)
    done = extract(cohort)
    assert done.extracted == 1
    events = done.cohort.events
    wear = events[(events[CODE] == WEAR_TIME) & (events[SUBJECT] == 5)][NUMBER]
    assert wear.tolist() == [12.0, 12.0]


def test_one_bad_recording_does_not_stop_the_rest(cohort: Path) -> None:
    forget_days(cohort)
    bad = cohort / MINUTES_FOLDER / "4.parquet"
    bad.write_bytes(bad.read_bytes()[:500])
    done = extract(cohort)
    assert done.extracted == SUBJECTS - 1
    (problem,) = done.problems
    assert problem.file == "4.parquet"
    assert "import the recording again" in problem.message


def test_minutes_of_an_older_version_are_to_be_imported_again(cohort: Path) -> None:
    forget_days(cohort)
    old = cohort / MINUTES_FOLDER / "4.parquet"
    pq.write_table(pq.read_table(old).drop_columns("mad_mg"), old)
    (problem,) = extract(cohort).problems
    assert problem.file == "4.parquet"
    assert "mad_mg" in problem.message
    assert "import the recording again" in problem.message


def test_batches_of_any_size_give_the_same_bytes(cohort: Path) -> None:
    whole = days_bytes(cohort)
    for size in (1, 5):
        forget_days(cohort)
        files = minute_files(cohort)
        for start in range(0, len(files), size):
            assert list(extract_batch(files[start : start + size], cohort / DAYS_FOLDER)) == []
        assert days_bytes(cohort) == whole
    forget_days(cohort)
    assert list(extract_locally(minute_files(cohort), cohort / DAYS_FOLDER)) == []
    assert days_bytes(cohort) == whole


def test_a_cohort_without_minutes_says_so(cohort: Path) -> None:
    for file in minute_files(cohort):
        file.unlink()
    with pytest.raises(ContractError, match="import it anew"):
        extract(cohort)


def test_exports_hold_every_event(cohort: Path, tmp_path: Path) -> None:
    read = read_cohort(cohort)
    export(read, cohort, tmp_path / "meds", "meds")
    assert read_cohort(tmp_path / "meds").digest == read.digest
    assert not (tmp_path / "meds" / "recordings").exists()
    export(read, cohort, tmp_path / "csv", "csv")
    events = pd.read_csv(tmp_path / "csv" / "events.csv")
    assert len(events) == len(read.events)
    days = pd.read_csv(tmp_path / "csv" / "days.csv")
    assert len(days[[SUBJECT, "day"]].drop_duplicates()) == len(days)
    wear = read.events[read.events[CODE] == WEAR_TIME].sort_values([SUBJECT, TIME])
    np.testing.assert_allclose(days[WEAR_TIME].dropna(), wear[NUMBER], rtol=1e-6)
    for form, name, words in (
        ("xml", "x", "not an export format"),
        ("csv", "csv", "exists already"),
    ):
        with pytest.raises(ContractError, match=words):
            export(read, cohort, tmp_path / name, form)


def test_the_report_is_one_page_with_pictures_and_no_single_person(
    cohort: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    write_report(read_cohort(cohort), cohort, file)
    page = file.read_text("utf-8")
    assert page.count("data:image/svg+xml") >= 3
    assert "not shown: fewer than" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "zero counts (Choi 2011)" in page
    write_report(read_cohort(cohort), cohort, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text("utf-8") == page


def test_the_report_of_ten_people_shows_no_number_of_their_days(
    cohort: Path, tmp_path: Path
) -> None:
    read = read_cohort(cohort)
    ten = replace(read, events=read.events[read.events[SUBJECT] <= 10])
    write_report(ten, cohort, tmp_path / "ten.html")
    page = (tmp_path / "ten.html").read_text("utf-8")
    assert "not shown: fewer than 11 subjects" in page
    assert "median" not in page.split("</style>")[1].split("<h2>")[0]
    pictures = page.count("data:image/svg+xml")
    write_report(read, cohort, tmp_path / "twelve.html")
    assert pictures < (tmp_path / "twelve.html").read_text("utf-8").count("data:image/svg+xml")


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
def test_two_nodes_give_the_same_bytes_also_when_one_dies_half_way(cohort: Path) -> None:
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    digest, whole = read_cohort(cohort).digest, days_bytes(cohort)
    forget_days(cohort)
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100_000_000}
    )
    try:
        second = cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
        cluster.wait_for_nodes()
        program = (
            "import sys; from pathlib import Path; from features.extract import extract;"
            "from features.ray_runners import extract_on_ray;"
            f"done = extract(Path(sys.argv[1]), extract_on_ray({cluster.address!r}, subjects_a_task=1));"
            "print(done.extracted, done.cohort.digest)"
        )
        running = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program, str(cohort)],
            stdout=subprocess.PIPE,
            text=True,
        )
        end = time.monotonic() + 100
        while len(days_bytes(cohort)) < 3 and running.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        half_way = len(days_bytes(cohort))
        cluster.remove_node(second, allow_graceful=False)
        printed, _ = running.communicate(timeout=120)
    finally:
        cluster.shutdown()
    assert running.returncode == 0
    assert 3 <= half_way < SUBJECTS, "the node should have died half-way"
    # Ray tells of the dead node before.
    assert printed.splitlines()[-1].split() == [str(SUBJECTS), digest]
    assert days_bytes(cohort) == whole
