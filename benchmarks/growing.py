"""Benchmark: one month added to a cohort of 5,000 SIMULATED people, beside a full import.

Both in the same run and process; prints their times and the ratio, and as its last line one JSON
object. Nobody in the tables is real.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from features.cohort import read_cohort
from features.importing import grow_cohort, import_source

PEOPLE, MONTHS, DAYS = int(sys.argv[1]) if len(sys.argv) > 1 else 5000, 4, 30
MAP = """
name = "SIMULATED clinic"
clock = "days since onset"
simulated = true
[[tables]]
file = "people.csv"
subject = "patient"
columns = [{ column = "age", code = "REHABCAST//AGE", unit = "a" }]
[[tables]]
file = "days.csv"
subject = "patient"
when = "day"
columns = [
    { column = "FM", code = "REHABCAST//FUGL_MEYER_UE", unit = "{score}" },
    { column = "steps", code = "LOINC//41950-7", unit = "/d" },
]
"""


def months(first: int, end: int) -> pd.DataFrame:
    """Return days of everybody: steps each day, a score each week."""
    day = np.arange(1 + first * DAYS, 1 + end * DAYS)
    who = np.repeat(np.arange(1, PEOPLE + 1), len(day))
    days = np.tile(day, PEOPLE)
    steps = 1000 + (7 * who + 13 * days) % 6000
    score = np.where(days % 7 == 0, (who + days // 7) % 67, -1)
    written = pd.Series(score).astype(str).where(score >= 0, "")
    return pd.DataFrame({"patient": who, "day": days, "FM": written, "steps": steps})


def export(folder: Path, days: pd.DataFrame) -> Path:
    """Write tables and their map."""
    folder.mkdir()
    (folder / "map.toml").write_text(MAP, "utf-8")
    people = np.arange(1, PEOPLE + 1)
    pd.DataFrame({"patient": people, "age": 50 + people % 40}).to_csv(
        folder / "people.csv", index=False
    )
    days.to_csv(folder / "days.csv", index=False)
    return folder / "map.toml"


def main() -> None:
    """Time both, and compare what they give."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        before = export(folder / "before", months(0, MONTHS - 1))
        added = export(folder / "added", months(MONTHS - 1, MONTHS))
        everything = export(folder / "everything", months(0, MONTHS))
        import_source(before, folder / "grown")
        start = time.perf_counter()
        grow_cohort(added, folder / "grown")
        grown_s = time.perf_counter() - start
        start = time.perf_counter()
        import_source(everything, folder / "whole")
        whole_s = time.perf_counter() - start
        start = time.perf_counter()
        grow_cohort(added, folder / "grown")
        again_s = time.perf_counter() - start
        same = read_cohort(folder / "grown").events.equals(read_cohort(folder / "whole").events)
        sizes = {
            part: sum(f.stat().st_size for f in (folder / "grown" / part).rglob("*.parquet"))
            for part in ("data", "imports")
        }
    result = {
        "people": PEOPLE, "months": MONTHS, "full_import_s": round(whole_s, 2),
        "one_month_added_s": round(grown_s, 2), "ratio": round(grown_s / whole_s, 2),
        "the_same_source_again_s": round(again_s, 2), "same_events": same, "bytes": sizes,
    }  # fmt: skip
    print(f"SIMULATED: {PEOPLE:,} people, {MONTHS} months")
    print(f"one import of everything  {whole_s:7.2f} s")
    print(f"one month added           {grown_s:7.2f} s, ratio {grown_s / whole_s:.2f}")
    print(f"the same source again     {again_s:7.2f} s")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
