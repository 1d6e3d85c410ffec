"""Pictures of simulated subjects: their hidden course, what was recorded, and the gaps."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TIME, WEAR_TIME
from contracts.errors import EvidenceMissing
from features.cohort.data_file import read_events
from features.past.groups import WORN_DAY_HOURS
from features.simulate.channels import STEPS, USE_RATIO
from features.simulate.events import DEVICE_CHANGE, THERAPY
from features.simulate.scales import ARAT, FUGL_MEYER
from features.simulate.truth import COURSE_FOLDER, truth_folder

# Okabe and Ito 2008: distinguishable with any colour vision.
BLUE, ORANGE, GREEN, GREY, RED = "#0072B2", "#E69F00", "#009E73", "#BBBBBB", "#D55E00"
LAST_DAY = 186


def draw_subjects_of(cohort: Path, picture: Path, subjects: int) -> None:
    """Draw the first subjects of a simulated cohort, one row each.

    Parameters
    ----------
    cohort
        Cohort folder with its truth beside it.
    picture
        File to write; its extension decides the format.
    subjects
        How many rows.

    Raises
    ------
    EvidenceMissing
        There is no truth beside the cohort.
    """
    course_file = truth_folder(cohort) / COURSE_FOLDER / "000000.parquet"
    if not course_file.exists():
        raise EvidenceMissing(
            f"{course_file} is missing",
            "name a simulated cohort with its truth beside it; only such a cohort can be drawn",
        )
    course = pd.read_parquet(course_file)
    events = _days(read_events(cohort / "data" / "000000.parquet"))
    chosen = course[SUBJECT].unique()[:subjects]
    figure, axes = plt.subplots(
        len(chosen), 5, figsize=(20, 2.1 * len(chosen)), squeeze=False, layout="constrained"
    )
    for row, subject in zip(axes, chosen, strict=True):
        _draw_row(row, events[events[SUBJECT] == subject], course[course[SUBJECT] == subject])
        row[0].set_ylabel(f"subject {subject}", fontsize=9)
    for axis, title in zip(
        axes[0],
        (
            "arm, points: line hidden, dots Fugl-Meyer, crosses ARAT",
            "walking: line hidden ability (0-1), dots speed (m/s)",
            "steps a day; red: device exchanged",
            "arm use ratio; sleep is null by design (grey, h / 10)",
            "hours worn (grey) and therapy (orange, min)",
        ),
        strict=True,
    ):
        axis.set_title(title, fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("days since onset", fontsize=9)
    figure.suptitle(f"SIMULATED: no real person. {cohort.name}, first {len(chosen)} subjects")
    figure.savefig(picture, dpi=80)
    plt.close(figure)


def _days(events: pd.DataFrame) -> pd.DataFrame:
    onset = events[events[CODE] == ONSET].set_index(SUBJECT)[TIME]
    day = (events[TIME] - events[SUBJECT].map(onset)).dt.days
    return events.assign(day=day)


def _draw_row(row: NDArray[np.object_], events: pd.DataFrame, course: pd.DataFrame) -> None:
    def series(code: str) -> tuple[pd.Series, pd.Series]:
        part = events[events[CODE] == code]
        return part["day"], part[NUMBER]

    enrolment = float(events.loc[events[CODE] == ENROLMENT, "day"].iloc[0])
    arm, walk, steps, use, wear = row
    arm.plot(course["days_since_onset"], course["arm_level"], color=BLUE, lw=1)
    arm.plot(*series(FUGL_MEYER.code), "o", color=BLUE, ms=4)
    arm.plot(*series(ARAT.code), "x", color=ORANGE, ms=5)
    arm.set_ylim(-2, 68)
    walk.plot(course["days_since_onset"], course["walking"], color=GREEN, lw=1)
    walk.plot(*series("REHABCAST//WALK_TEST_SPEED"), "o", color=GREEN, ms=4)
    walk.set_ylim(-0.05, 1.6)
    steps.plot(*series(STEPS.code), ".", color=BLUE, ms=3)
    for day in series(DEVICE_CHANGE)[0]:
        steps.axvline(day, color=RED, lw=1)
    steps.set_ylim(0, 1.1 * max([*series(STEPS.code)[1], 1_000]))
    use.plot(*series(USE_RATIO), ".", color=ORANGE, ms=3)
    day, hours = series("REHABCAST//SLEEP")
    use.plot(day, hours / 10, ".", color=GREY, ms=3)
    use.set_ylim(0, 2)
    day, hours = series(WEAR_TIME)
    wear.bar(day, hours, width=1, color=[GREY if h >= WORN_DAY_HOURS else RED for h in hours])
    wear.set_ylim(0, 24)
    twin = wear.twinx()
    twin.plot(*series(THERAPY), ".", color=ORANGE, ms=3)
    twin.set_ylim(0, 180)
    for axis in (steps, use, wear):
        axis.set_xlim(0, LAST_DAY)
        if day.empty:
            axis.text(5, 0.5 * axis.get_ylim()[1], "no wearable", fontsize=9)
    for axis in row:
        axis.axvline(enrolment, color=GREY, lw=0.8, ls=":")
        axis.tick_params(labelsize=8)
