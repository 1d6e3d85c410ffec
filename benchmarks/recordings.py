"""Benchmark: recordings to days to sequences, each against its baseline in the same run.

Prints one table and, as its last line, one JSON object. Every case runs in a process of its own, so
that its peak memory is its own. The raw weeks are made from the samples in
../shared/data/device_samples when these exist; everything else is made up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from rich.table import Table

from contracts.cohort import CODE, ENROLMENT, ONSET, SUBJECT, TIME, Provenance
from contracts.task import Horizon, Inputs, Sensitive, Target, Task
from contracts.vocabulary import Kind, vocabulary
from features.cohort import new_cohort, read_cohort
from features.cohort.data_file import EVENT_SCHEMA, write_events
from features.minutes import MINUTES_FOLDER, days_of, write_minutes
from rehabcast.output import stdout_console
from support.weeks import SAMPLES, week_of_axivity, week_of_geneactiv

SUBJECTS, DAYS, MINUTES = 1000, 60, 1440
GIB = 2**30
SHARD = 500
SCORE = "REHABCAST//FUGL_MEYER_UE"
PLAIN = "plain"


def made_up_minutes(parent: Path, subjects: int) -> Path:
    """Write a cohort's minutes of one wrist, in our schema and as plain floats for pandas."""
    folder = parent / f"minutes-{subjects}"
    generator = np.random.default_rng(0)
    count = DAYS * MINUTES
    for subject in range(1, subjects + 1):
        worn = generator.random(count) < 0.8
        minutes = pd.DataFrame(
            {
                SUBJECT: subject,
                TIME: pd.date_range("2024-01-01", periods=count, freq="min"),
                "placement": "left wrist",
                "device": "made up",
                "main": True,
                "worn": worn,
                "speaks_for_wear": worn,
                "counts": generator.integers(0, 3000, count),
                "steps": generator.integers(0, 30, count),
            }
        )
        write_minutes(minutes, folder)
        plain = minutes[[SUBJECT, TIME, "worn", "counts", "steps"]]
        plain = plain.astype({"counts": "float32", "steps": "float32"})
        (folder / PLAIN).mkdir(exist_ok=True)
        plain.to_parquet(folder / PLAIN / f"{subject}.parquet")
    return folder / MINUTES_FOLDER


def days_by_pandas(folder: Path) -> int:
    """Take all minutes into memory and group them: wear, counts and steps a day."""
    minutes = pd.read_parquet(folder.parents[1] / PLAIN)
    minutes["day"] = minutes[TIME].dt.normalize()
    wear = minutes.groupby([SUBJECT, "day"])["worn"].sum() / 60
    worn = minutes[minutes["worn"]].groupby([SUBJECT, "day"])
    days = pd.DataFrame(
        {"wear": wear, "counts": worn["counts"].mean(), "steps": worn["steps"].sum()}
    )
    return len(days)


def days_by_query(folder: Path) -> int:
    """Run the query that features are extracted with."""
    return len(days_of(sorted(folder.glob("*.parquet"))))


def read_alone(folder: Path) -> int:
    """Read what pandas reads and do nothing."""
    plain = folder.parents[1] / PLAIN
    return sum(pq.read_table(file).num_rows for file in plain.glob("*.parquet"))


def week_by_library(file: Path) -> int:
    """Read the week whole with actfast and take ENMO and wear with scikit-digital-health."""
    import actfast
    from skdh.activity import metric_enmo
    from skdh.preprocessing import AccelThresholdWearDetection

    fast = actfast.read(str(file), lenient=True)["timeseries"]["high_frequency"]
    acceleration = fast["acceleration"].astype(np.float64)
    enmo = metric_enmo(acceleration, wlen=6000, fs=100.0, take_abs=False, trim_zero=True)
    worn = AccelThresholdWearDetection().predict(
        time=fast["datetime"] / 1e9, accel=acceleration, fs=100.0
    )
    return len(enmo) + len(worn["wear"])


def week_by_us(file: Path) -> int:
    """Import the week as a cohort: reading, minutes, wear, sleep, days, checks, writing."""
    from features.importing import import_source

    with tempfile.TemporaryDirectory() as parent:
        done = import_source(file, Path(parent) / "cohort")
        return len(done.cohort.events)


def made_up_cohort(parent: Path, subjects: int) -> Path:
    """Write 180 days of 31 daily codes, a score at enrolment and one at week 30, in shards."""
    folder = parent / f"cohort-{subjects}"
    codes = [code for code, entry in vocabulary().items() if entry.kind is Kind.DAILY][:31]
    with new_cohort(folder, Provenance(name="bench", source="made up", simulated=True)) as draft:
        for first in range(0, subjects, SHARD):
            people = np.arange(first + 1, min(first + SHARD, subjects) + 1)
            write_events(made_up_events(people, codes), draft / f"data/{first:06d}.parquet")
    return folder


def made_up_events(people: np.ndarray, codes: list[str]) -> pa.Table:
    """Return the events of some people: four in five daily values are there."""
    generator = np.random.default_rng(int(people[0]))
    p, t, c = np.nonzero(generator.random((len(people), 180, len(codes))) < 0.8)
    low, high = (
        np.array([getattr(vocabulary()[code], end) for code in codes]) for end in ("low", "high")
    )
    parts = [(people[p], t, c, low[c] + (high - low)[c] * generator.random(len(p)) * 0.99)]
    fixed = ((0, ONSET, np.nan), (0, ENROLMENT, np.nan), (0, SCORE, 20.0), (210, SCORE, 40.0))
    names = [*codes, ONSET, ENROLMENT, SCORE]
    for since, what, fixed_value in fixed:
        every = np.ones(len(people), dtype=np.int64)
        parts.append((people, every * since, every * names.index(what), every * fixed_value))
    subject, day, code, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((code, day, subject))
    time = np.datetime64("2024-01-01", "us") + day[order].astype("timedelta64[D]")
    text = pa.DictionaryArray.from_arrays(code[order].astype(np.int32), names).cast(pa.string())
    nothing = pa.nulls(len(order), pa.large_string())
    columns = [subject[order], time, text, pa.array(value[order], pa.float32()), nothing]
    return pa.table([pa.array(column) for column in columns], schema=EVENT_SCHEMA)


def sequence_task(codes: set[str]) -> Task:
    """One origin at day 179, with all of the past."""
    daily = tuple(sorted(code for code in codes if vocabulary()[code].kind is Kind.DAILY))
    return Task(
        name="bench",
        condition="made up",
        target=Target(code=SCORE, low=0, high=66, minimal_important_difference=1, source="made up"),
        horizons=(Horizon(weeks=30, window_days=(200, 220)),),
        origins_days=(179,),
        primary_horizon_weeks=30,
        early_days=1000,
        milestones=(),
        inputs=Inputs(past_days=180, assessments=(SCORE,), daily=daily, person=()),
        sensitive=(Sensitive(name="site", code="REHABCAST//SITE", reason="made up"),),
    )


def sequences(cohort: Path) -> int:
    """Build the sequences of a cohort that was read before; only the building is timed."""
    from features.sequences import training_sequences

    events = read_cohort(cohort).events
    task = sequence_task(set(events[CODE].unique()))
    start, processor = time.perf_counter(), time.process_time()
    batch = training_sequences(events, task)
    timed = {
        "seconds": time.perf_counter() - start,
        "processor_s": time.process_time() - processor,
    }
    print(json.dumps({"timed": timed}))
    return len(batch)


def cohort_read(cohort: Path) -> int:
    """Read and check the cohort that sequences are built of."""
    return len(read_cohort(cohort).events)


CASES: dict[str, Callable[[Path], int]] = {
    case.__name__: case
    for case in (
        days_by_pandas, days_by_query, read_alone, week_by_library, week_by_us, cohort_read,
        sequences,
    )
}  # fmt: skip


def measured(case: Callable[[Path], int], argument: Path) -> dict[str, float]:
    """Run a case in a fresh process; return its seconds, peak GiB and rows."""
    command = [sys.executable, __file__, case.__name__, str(argument)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    record: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            record |= json.loads(line)
    taken: dict[str, float] = record | record.pop("timed", {})
    return taken


def run_case(name: str, argument: str) -> None:
    """Run one case here and print what it took."""
    start = time.perf_counter()
    rows = CASES[name](Path(argument))
    seconds, processor = time.perf_counter() - start, time.process_time()
    # Not getrusage: its peak is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    peak = int(status.split()[0]) * 1024 / GIB
    taken = {"seconds": seconds, "processor_s": processor, "peak_gib": peak, "rows": rows}
    print(json.dumps(taken))


def main() -> None:
    """Run every case and print the ratios."""
    records: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        parent = Path(name)
        folder = made_up_minutes(parent, SUBJECTS)
        for case in (days_by_query, days_by_pandas, read_alone):
            records[case.__name__] = measured(case, folder)
        records["days_by_query, half the subjects"] = measured(
            days_by_query, made_up_minutes(parent, SUBJECTS // 2)
        )
        for subjects in (2500, 5000, 10_000):
            cohort = made_up_cohort(parent, subjects)
            words = f"of {subjects:,} x 180 x 32"
            records[f"reading the cohort {words}"] = measured(cohort_read, cohort)
            records[f"sequences {words}"] = measured(sequences, cohort)
        if SAMPLES.exists():
            for week in (week_of_axivity(parent), week_of_geneactiv(parent)):
                for way in (week_by_library, week_by_us):
                    records[f"{way.__name__}, {week.stem}"] = measured(way, week)
        else:
            print(f"{SAMPLES} does not exist: the raw weeks were left out")
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    table = Table("case", "seconds", "processor s", "peak GiB", "rows", title=load)
    for case_name, record in records.items():
        table.add_row(
            case_name,
            f"{record['seconds']:.2f}",
            f"{record['processor_s']:.2f}",
            f"{record['peak_gib']:.2f}",
            f"{record['rows']:,.0f}",
        )
    stdout_console.print(table)
    for words, part, whole in (
        ("the query against pandas", "days_by_query", "days_by_pandas"),
        ("our Axivity week / library", "week_by_us, axivity", "week_by_library, axivity"),
        ("our GENEActiv week / library", "week_by_us, geneactiv", "week_by_library, geneactiv"),
    ):
        if part in records and whole in records:
            wall, processor, memory = (
                records[part][what] / records[whole][what]
                for what in ("seconds", "processor_s", "peak_gib")
            )
            print(f"{words}: {wall:.2f} x time, {processor:.2f} x processor, {memory:.3f} x memory")
    print(json.dumps(records))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run_case(sys.argv[1], sys.argv[2])
    else:
        main()
