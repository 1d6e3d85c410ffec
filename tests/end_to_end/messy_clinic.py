"""Writes three tables as a clinic's programs export them: SIMULATED people, real untidiness.

Run as a script it makes the folder of docs/first-cohort/messy.md: `python tests/end_to_end/messy_clinic.py FOLDER`.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

PATIENTS = "Patienten.csv"
VISITS = "Messungen.csv"
DAYS = "Schritte.csv"

WORN_DAYS = 28
VISIT_DAYS = (0, 14, 42, 84)


def comma(value: float, digits: int) -> str:
    """Return a number with a decimal comma, and points between thousands."""
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


def write_clinic(folder: Path, people: int = 120, seed: int = 7) -> None:
    """Write the three files (SIMULATED)."""
    draw = np.random.default_rng(seed)
    patients, visits, days = [], [], []
    for number in range(1, people + 1):
        name = f"K-{number:04d}"
        onset = pd.Timestamp("2023-02-01") + timedelta(days=int(draw.integers(0, 400)))
        admission = onset + timedelta(days=int(draw.integers(4, 20)))
        age = int(np.clip(draw.normal(68, 11), 30, 92))
        start, best = float(draw.uniform(4, 18)), float(draw.uniform(22, 40))
        patients.append(
            (name, f"Müller{number}", f"{draw.integers(1, 28):02d}.05.{onset.year - age}", age,
             draw.choice(["w", "m"]), f"{onset:%d.%m.%Y}", f"{admission:%d.%m.%Y}",
             draw.choice(["links", "rechts"]), comma(float(draw.normal(170, 9)), 1),
             draw.choice(["", "kommt in Begleitung; schwerhörig", "wünscht späten Termin"]))
        )  # fmt: skip
        for day in VISIT_DAYS:
            when = admission + timedelta(days=day, minutes=int(draw.integers(8 * 60, 15 * 60)))
            level = best - (best - start) * np.exp(-day / 30)
            hand = int(np.clip(round(level + draw.normal(0, 1.5)), 0, 40))
            visits.append(
                (name, f"{when:%d.%m.%Y %H:%M}", str(hand) if draw.random() > 0.03 else "k.A.",
                 str(int(5 * round(np.clip(level * 2.6, 0, 100) / 5))),
                 comma(float(np.clip(level / 30 + draw.normal(0, 0.05), 0.05, 1.8)), 2)
                 if draw.random() > 0.05 else "nicht möglich")
            )  # fmt: skip
        eastern = number % 3 == 0
        for day in range(WORN_DAYS):
            noon = admission + timedelta(days=day, hours=21, minutes=30)
            written = f"{noon:%Y-%m-%dT%H:%M}+03:00" if eastern else f"{noon:%Y-%m-%dT%H:%M}Z"
            steps = int(draw.gamma(5, 500) * (1 + day / 40))
            days.append((name, written, "Schritte", comma(steps, 0), "Anzahl"))
            days.append((name, written, "Schlafdauer", comma(float(draw.normal(7.1, 0.8)), 1), "h"))
    folder.mkdir(parents=True, exist_ok=True)
    _write(
        folder / PATIENTS, patients,
        ("Pat.-Nr.", "Name", "Geburtsdatum", "Alter (Jahre)", "Geschlecht", "Schlaganfalldatum",
         "Aufnahmedatum", "Betroffene Seite", "Größe (cm)", "Bemerkung"),
    )  # fmt: skip
    _write(
        folder / VISITS, visits,
        ("Pat.-Nr.", "Untersuchungsdatum", "Alltagshand-Score", "Barthel-Index",
         "Gehgeschwindigkeit (m/s)"),
    )  # fmt: skip
    _write(folder / DAYS, days, ("Kennung", "Zeitpunkt", "Messgröße", "Wert", "Einheit"))


def _write(path: Path, rows: list[tuple[object, ...]], header: tuple[str, ...]) -> None:
    frame = pd.DataFrame(rows, columns=list(header))
    frame.to_csv(path, sep=";", index=False, encoding="latin-1", lineterminator="\r\n")


if __name__ == "__main__":
    write_clinic(Path(sys.argv[1]))
