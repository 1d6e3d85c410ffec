"""Files of a small SIMULATED hip clinic: 18 people, 56 days of 46 features, visits every two weeks.

Nobody in them exists. Most features are none of rehabcast's codes, as a maker of wearables names them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

OURS = {
    "wear_h": ("REHABCAST//WEAR_TIME", "h/d"),
    "steps": ("LOINC//41950-7", "/d"),
    "cadence_mean": ("REHABCAST//CADENCE", "/min"),
    "sleep_min": ("REHABCAST//SLEEP", "min/d"),
    "rest_hr": ("LOINC//40443-4", "/min"),
    "upright_pct": ("REHABCAST//UPRIGHT_SHARE", "%"),
}
"""Columns that are shipped codes, and the unit that they are in."""

OF_THE_MAKER = tuple(
    f"{what}_{when}"
    for what in (
        "sway_ap", "sway_ml", "sway_area", "turn_rate", "turn_count", "bout_n", "bout_len",
        "stride_cv", "swing_pct", "asym_load",
    )
    for when in ("am", "pm", "night", "peak")
)  # fmt: skip
"""40 columns that only the maker of the device has a meaning for."""

assert len(OURS) + len(OF_THE_MAKER) == 46


def vocabulary() -> str:
    """Return the site's codes of the maker's features."""
    entries = [
        f'[[code]]\ncode = "GAITSENSE//{name.upper()}"\nname = "{name.replace("_", " ")} (device)"\n'
        f'kind = "daily"\nmodality = "{"posture" if name.startswith("sway") else "gait"}"\n'
        f'domain = "{"balance" if name.startswith("sway") else "walking"}"\nunit = "1"\n'
        'low = 0\nhigh = 1000\nsource = "maker\'s manual (SIMULATED)"\n'
        for name in OF_THE_MAKER
    ]
    return "\n".join(entries)


def column_map() -> str:
    """Return the map of the three tables."""
    features = [
        *(
            f'{{ column = "{name}", code = "{code}", unit = "{unit}" }}'
            for name, (code, unit) in OURS.items()
        ),
        *(
            f'{{ column = "{name}", code = "GAITSENSE//{name.upper()}", unit = "1" }}'
            for name in OF_THE_MAKER
        ),
    ]
    listed = ",\n    ".join(features)
    return f"""name = "hip clinic (SIMULATED)"
clock = "timestamps"
simulated = true
vocabulary = "codes.toml"
missing = ["", "NA"]

[[tables]]
file = "people.csv"
subject = "id"
columns = [
    {{ column = "fracture", code = "REHABCAST//ONSET" }},
    {{ column = "first_visit", code = "REHABCAST//ENROLMENT" }},
    {{ column = "age", code = "REHABCAST//AGE", unit = "a" }},
    {{ column = "sex", code = "REHABCAST//SEX", labels = {{ F = "female", M = "male" }} }},
]

[[tables]]
file = "visits.csv"
subject = "id"
when = "date"
columns = [
    {{ column = "sppb", code = "REHABCAST//SPPB", unit = "{{score}}" }},
    {{ column = "tug_s", code = "REHABCAST//TUG", unit = "s" }},
    {{ column = "gait_4m", code = "REHABCAST//FOUR_METRE_WALK", unit = "m/s" }},
    {{ column = "grip_kg", code = "REHABCAST//GRIP_STRENGTH", unit = "kgf" }},
    {{ column = "barthel", code = "REHABCAST//BARTHEL", unit = "{{score}}" }},
]

[[tables]]
file = "daily.csv"
subject = "id"
when = "date"
columns = [
    {listed},
]
"""


def write_hip_clinic(folder: Path, people: int = 18, days: int = 56) -> None:
    """Write people.csv, visits.csv, daily.csv, codes.toml and map.toml (SIMULATED)."""
    draw = np.random.default_rng(18)
    persons, visits, daily = [], [], []
    for number in range(people):
        name = f"HF{number + 1:02d}"
        fracture = pd.Timestamp("2025-01-07") + pd.Timedelta(days=int(draw.integers(0, 200)))
        first = fracture + pd.Timedelta(days=int(draw.integers(6, 15)))
        start, best = draw.uniform(0.5, 3.5), draw.uniform(4, 11)
        pace = draw.uniform(14, 40)
        persons.append((name, fracture, first, int(draw.integers(66, 95)), draw.choice(["F", "M"])))
        level = lambda day, a=start, b=best, t=pace: b - (b - a) * np.exp(-day / t)  # noqa: E731
        for day in range(0, days + 1, 14):
            at = level(day)
            sppb = int(np.clip(round(at + draw.normal(0, 0.6)), 0, 12))
            visits.append(
                (
                    name, first + pd.Timedelta(days=day), sppb,
                    round(float(np.clip(45 - 3 * at + draw.normal(0, 3), 8, 120)), 1),
                    round(float(np.clip(0.1 * at + draw.normal(0, 0.05), 0, 2)), 2),
                    round(float(np.clip(draw.normal(18, 2) + 0.3 * at, 4, 60)), 1),
                    int(np.clip(5 * round((30 + 6 * at) / 5), 0, 100)),
                )
            )  # fmt: skip
        for day in range(days):
            if draw.random() < 0.12:
                continue
            at = level(day)
            daily.append(
                (
                    name, first + pd.Timedelta(days=day), round(draw.uniform(8, 20), 1),
                    int(draw.gamma(3, 90 * (1 + at))), round(50 + 4 * at + draw.normal(0, 5), 1),
                    int(draw.normal(420, 50)), round(draw.normal(72, 4), 1),
                    round(float(np.clip(8 + 2 * at + draw.normal(0, 3), 0, 100)), 1),
                    *np.round(draw.gamma(2, 10, len(OF_THE_MAKER)), 2),
                )
            )  # fmt: skip
    columns = ["id", "fracture", "first_visit", "age", "sex"]
    pd.DataFrame(persons, columns=columns).to_csv(folder / "people.csv", index=False)
    columns = ["id", "date", "sppb", "tug_s", "gait_4m", "grip_kg", "barthel"]
    pd.DataFrame(visits, columns=columns).to_csv(folder / "visits.csv", index=False)
    columns = ["id", "date", *OURS, *OF_THE_MAKER]
    pd.DataFrame(daily, columns=columns).to_csv(folder / "daily.csv", index=False)
    (folder / "codes.toml").write_text(vocabulary(), "utf-8")
    (folder / "map.toml").write_text(column_map(), "utf-8")
