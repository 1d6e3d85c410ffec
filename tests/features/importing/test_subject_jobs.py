from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.errors import CohortInvalid, ContractError
from contracts.vocabulary import Additions, Code, Domain, Kind, known, learn, vocabulary
from features.cohort import read_cohort
from features.importing import import_source, subject_jobs
from features.importing.import_map import ImportMap
from features.importing.subject_jobs import SubjectJob, run_job

SUBJECTS = 12


def here(jobs: list[SubjectJob]) -> None:
    for job in jobs:
        run_job(job)


def recorded(awd: Callable[..., None], file: Path, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(100, 900, 2 * 1440)
    awd(file, "", counts, serial=f"V{seed}")


CHAIN = "metadata/imports.json"


@pytest.fixture
def source(tmp_path: Path, awd: Callable[..., None]) -> Path:
    """A folder with a folder for each subject; one of them holds a broken recording."""
    for subject in range(1, SUBJECTS + 1):
        recorded(awd, tmp_path / "source" / str(subject) / "recording", subject)
    (tmp_path / "source" / "4" / "recording").write_bytes(b"GENEA broken")
    return tmp_path / "source"


def content(cohort: Path) -> dict[str, bytes]:
    """Return a cohort's files, but for when it was imported and what it keeps of its sources."""
    files = (f for f in sorted(cohort.rglob("*")) if f.is_file())
    names = {str(f.relative_to(cohort)): f for f in files}
    return {n: f.read_bytes() for n, f in names.items() if not n.startswith(("imports/", CHAIN))}


def test_what_is_kept_gives_the_very_cohort_of_one_process(source: Path, tmp_path: Path) -> None:
    one = import_source(source, tmp_path / "one" / "cohort")
    other = import_source(source, tmp_path / "other" / "cohort", runner=here)
    assert content(tmp_path / "one" / "cohort") == content(tmp_path / "other" / "cohort")
    assert [p.file for p in one.unreadable] == [p.file for p in other.unreadable] == ["4/recording"]
    assert not list((tmp_path / "other").glob(".*")), "what was kept goes once the cohort is there"


def test_a_job_takes_the_codes_of_the_import_along(tmp_path: Path) -> None:
    """Another process knows only what is shipped; with another meaning all is collected anew."""
    shipped_only = SubjectJob(
        files=(), import_map=ImportMap(), heights={}, format_name="auto", folder=tmp_path
    )
    before = shipped_only.as_json()
    knee = Code(
        code="OURS//KNEE", name="Knee", kind=Kind.ASSESSMENT, modality="assessments",
        domain=Domain.WALKING, unit="{score}", low=0.0, high=48.0, source="ours",
    )  # fmt: skip
    texts = []
    for high in (48.0, 60.0):
        known._learned = known._Learned.nothing()
        learn(Additions("map", (replace(knee, high=high),)))
        texts.append(shipped_only.as_json())
    assert len({before, *texts}) == 3
    known._learned = known._Learned.nothing()
    SubjectJob.from_json(texts[1])
    assert vocabulary()["OURS//KNEE"].high == 60


def test_real_files_of_all_formats_survive_being_kept(samples: Path, tmp_path: Path) -> None:
    for folder in ("fit", "apple_health", "pyactigraphy"):
        one = import_source(samples / folder, tmp_path / "one" / folder)
        other = import_source(samples / folder, tmp_path / "other" / folder, runner=here)
        assert one.dropped == other.dropped
        assert content(tmp_path / "one" / folder) == content(tmp_path / "other" / folder)


def test_an_interrupted_import_continues_and_collects_no_subject_twice(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, awd: Callable[..., None]
) -> None:
    class Stopped(Exception):
        pass

    def half(jobs: list[SubjectJob]) -> None:
        here(jobs[:7])
        raise Stopped

    with pytest.raises(Stopped):
        import_source(source, tmp_path / "cohort", runner=half)
    recorded(awd, source / "2" / "recording", 99)
    seen: list[str] = []
    collect = subject_jobs.collect
    monkeypatch.setattr(
        subject_jobs,
        "collect",
        lambda file, *rest: (seen.append(file.subject_label), collect(file, *rest))[1],
    )
    import_source(source, tmp_path / "cohort", runner=here)
    # The seven of before are kept, but for the one whose file is another now.
    assert len(seen) == SUBJECTS - 7 + 1
    assert "2" in seen
    import_source(source, tmp_path / "whole")
    assert read_cohort(tmp_path / "cohort").digest == read_cohort(tmp_path / "whole").digest


def test_another_map_collects_anew(source: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.toml"
    plain.write_text("")
    placed = tmp_path / "placed.toml"
    placed.write_text('[placement]\n"*" = "left wrist"\n')

    def keep_and_stop(jobs: list[SubjectJob]) -> None:
        here(jobs)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_source(source, tmp_path / "cohort", map_file=plain, runner=keep_and_stop)
    import_source(source, tmp_path / "cohort", map_file=placed, runner=here)
    minutes = pd.read_parquet(tmp_path / "cohort" / "recordings" / "minutes" / "1.parquet")
    assert set(minutes["placement"]) == {"left wrist"}


def test_nothing_sound_and_whole_cohorts_say_so(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"")
    with pytest.raises(CohortInvalid, match="is empty"):
        import_source(tmp_path / "bad", tmp_path / "cohort", runner=here)
    with pytest.raises(ContractError, match="leave --engine out"):
        import_source(tmp_path, tmp_path / "cohort", format_name="depresjon", runner=here)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
def test_two_nodes_give_the_same_bytes_also_when_one_dies_half_way(
    source: Path, tmp_path: Path
) -> None:
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    import_source(source, tmp_path / "one" / "cohort")
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100_000_000}
    )
    folder = tmp_path / "two"
    try:
        second = cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
        cluster.wait_for_nodes()
        program = (
            "import sys; from pathlib import Path; from features.importing import import_source;"
            "from features.ray_runners import collect_on_ray;"
            f"done = import_source(Path(sys.argv[1]), Path(sys.argv[2]),"
            f" runner=collect_on_ray({cluster.address!r}));"
            "print(len(done.unreadable))"
        )
        running = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program, str(source), str(folder / "cohort")],
            stdout=subprocess.PIPE,
            text=True,
        )
        end = time.monotonic() + 100
        kept = 0
        while kept < 3 and running.poll() is None and time.monotonic() < end:
            kept = len(list((folder / ".cohort.collected").glob("[0-9a-f]*")))
            time.sleep(0.01)
        cluster.remove_node(second, allow_graceful=False)
        printed, _ = running.communicate(timeout=120)
    finally:
        cluster.shutdown()
    assert running.returncode == 0
    assert 3 <= kept < SUBJECTS, "the node should have died half-way"
    assert printed.splitlines()[-1] == "1"
    assert content(folder / "cohort") == content(tmp_path / "one" / "cohort")
