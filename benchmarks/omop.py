"""Benchmark: a million measurements of an OMOP export beside the same rows as a plain table.

All in one run and process, of SIMULATED people; prints seconds of processors (whatever else the
machine does) and ratios, and as its last line one JSON object. `python benchmarks/omop.py 100000`
takes fewer rows.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from features.importing import Imported, import_source
from features.sources.hospital import omop
from features.sources.tables import collect_tables

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
DAYS = 100
FM, STEPS, OTHER = 2_000_000_001, 2_000_000_002, 2_000_000_004
OMOP_MAP = f"""
simulated = true
[[concepts]]
concept = {FM}
code = "REHABCAST//FUGL_MEYER_UE"
"""
TABLE_MAP = """
name = "SIMULATED clinic"
clock = "timestamps"
simulated = true
[[tables]]
file = "values.csv"
subject = "person"
when = "at"
names_in = "what"
values_in = "value"
columns = [
    { column = "FM", code = "REHABCAST//FUGL_MEYER_UE", unit = "{score}" },
    { column = "steps", code = "LOINC//41950-7", unit = "/d" },
]
"""


def rows() -> pd.DataFrame:
    """Return measurements: steps and scores by day, and one in five of something else."""
    number = np.arange(ROWS)
    person, day = 1 + number // DAYS, number % DAYS
    concept = np.where(day % 5 == 4, OTHER, np.where(day % 10 == 0, FM, STEPS))
    value = np.where(concept == FM, (person + day) % 67, 1000 + (7 * person + 13 * day) % 6000)
    date = pd.Timestamp("2024-01-01") + pd.to_timedelta(day, unit="D")
    return pd.DataFrame(
        {
            "measurement_id": number + 1, "person_id": person, "measurement_concept_id": concept,
            "measurement_date": date.strftime("%Y-%m-%d"), "measurement_datetime": "",
            "measurement_type_concept_id": 32817, "operator_concept_id": 0,
            "value_as_number": value.astype(float), "value_as_concept_id": 0,
            "unit_concept_id": np.where(concept == STEPS, 2_000_000_022, 0),
            "measurement_source_value": "x", "measurement_source_concept_id": 0,
            "unit_source_value": "",
        }
    )  # fmt: skip


def export(folder: Path, measured: pd.DataFrame, form: str) -> Path:
    """Write the export."""
    folder.mkdir()
    people = np.arange(1, 1 + measured["person_id"].max())
    concepts = [(STEPS, "steps", "LOINC", "41950-7"), (2_000_000_022, "per day", "UCUM", "/d")]
    titles = ["concept_id", "concept_name", "vocabulary_id", "concept_code"]
    tables = {
        "person": pd.DataFrame(
            {"person_id": people, "gender_concept_id": 8507 + 25 * (people % 2),
             "year_of_birth": 1940 + people % 40, "month_of_birth": 7, "day_of_birth": 1}
        ),
        "concept": pd.DataFrame(concepts, columns=titles),
        "measurement": measured,
    }  # fmt: skip
    for name, table in tables.items():
        if form == "csv":
            table.to_csv(folder / f"{name}.csv", index=False)
        else:
            for title in (n for n in table.columns if n.endswith(("_date", "_datetime"))):
                table = table.assign(**{title: pd.to_datetime(table[title])})
            table.to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Return how many seconds of processors some work took, and what it gave."""
    start = time.process_time()
    done = work()
    return time.process_time() - start, done


def main() -> None:
    """Time both ways, and compare what they give."""
    measured = rows()
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        (home / "omop.toml").write_text(OMOP_MAP, "utf-8")
        (home / "map.toml").write_text(TABLE_MAP, "utf-8")
        names = {FM: "FM", STEPS: "steps", OTHER: "other"}
        pd.DataFrame(
            {"person": measured["person_id"], "at": measured["measurement_date"],
             "what": measured["measurement_concept_id"].map(names),
             "value": measured["value_as_number"]}
        ).to_csv(home / "values.csv", index=False)  # fmt: skip
        for form in ("csv", "parquet"):
            export(home / form, measured, form)
        read: dict[str, float] = {}
        read["table"], _ = timed(lambda: collect_tables(home / "map.toml"))
        whole: dict[str, float] = {}
        whole["table"], plain = timed(
            lambda: import_source(home / "map.toml", home / "c-table", format_name="tables")
        )
        sizes = [_size(plain, "REHABCAST//FUGL_MEYER_UE")]
        for form in ("csv", "parquet"):
            source, plan = home / form, home / "omop.toml"
            read[form], _ = timed(partial(omop.collect, source, plan))
            whole[form], done = timed(
                partial(import_source, source, home / f"c-{form}", map_file=plan)
            )
            sizes.append(_size(done, "REHABCAST//FUGL_MEYER_UE"))
    result = {
        "rows": ROWS,
        "read_cpu_s": {name: round(value, 2) for name, value in read.items()},
        "import_cpu_s": {name: round(value, 2) for name, value in whole.items()},
        "read_ratio": {f: round(read[f] / read["table"], 2) for f in ("csv", "parquet")},
        "import_ratio": {f: round(whole[f] / whole["table"], 2) for f in ("csv", "parquet")},
        "same_scores": len(set(sizes)) == 1,
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    print(f"SIMULATED: {ROWS:,} measurements of {ROWS // DAYS:,} people")
    for name in ("table", "csv", "parquet"):
        what = "plain table" if name == "table" else f"OMOP, {name}"
        print(f"{what:15} read {read[name]:7.2f} s, whole import {whole[name]:7.2f} s")
    print(json.dumps(result))


def _size(done: object, code: str) -> tuple[int, float]:
    """Return how many values of a code there are, and their sum."""
    if not isinstance(done, Imported):
        raise TypeError(done)
    values = done.cohort.events.loc[done.cohort.events["code"] == code, "numeric_value"]
    return len(values), float(values.sum())


if __name__ == "__main__":
    main()
