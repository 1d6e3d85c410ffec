"""The truth of a simulated cohort, as tables that lie beside the cohort and never inside it.

| file of `NAME-truth/` | one row per |
| --- | --- |
| `latent/*.parquet` | subject: hidden group and numbers, planted group, plan followed |
| `course/*.parquet` | subject and week since onset: arm level and walking ability, as lived |
| `outcomes/*.parquet` | subject, plan and visit: arm level, and the score with its noise |
| `floor-TASK.parquet` | subject, origin and horizon: the best possible forecast |
| `scenario.json` | -- every parameter, the seed, and how many subjects |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import SUBJECT
from contracts.errors import EvidenceMissing
from contracts.naming.parsing import parsed_json
from features.published_recovery import BEST_SCORE
from features.simulate.latent import LATENT
from features.simulate.recovery import arm_level, walking
from features.simulate.scenario import Scenario, scenario_of
from features.simulate.subjects import Subjects, on_days
from features.simulate.therapy import PLANS

LATENT_FOLDER, COURSE_FOLDER, OUTCOME_FOLDER = "latent", "course", "outcomes"
SCENARIO_FILE = "scenario.json"

COURSE_DAYS = np.arange(0, 365, 7)


def truth_folder(cohort: Path) -> Path:
    """Return where the truth of a simulated cohort lies: beside it."""
    return cohort.with_name(f"{cohort.name}-truth")


def latent_table(drawn: Subjects, first_subject: int, count: int) -> pd.DataFrame:
    """Return a row per subject: group (1 poor to 5 good), the hidden numbers, plan and planting."""
    table = pd.DataFrame(drawn.latent[:count], columns=list(LATENT))
    table.insert(0, SUBJECT, np.arange(first_subject, first_subject + count))
    table.insert(1, "group", drawn.group[:count] + 1)
    return table.assign(
        planted=drawn.member[:count], plan=np.array(list(PLANS))[drawn.plan[:count]]
    )


def course_table(drawn: Subjects, first_subject: int, count: int) -> pd.DataFrame:
    """Return a row per subject and week since onset: the hidden state as it was lived."""
    day = np.broadcast_to(COURSE_DAYS, (count, len(COURSE_DAYS)))
    latent = drawn.latent[:count]
    more = on_days(drawn.gained[np.arange(count), drawn.plan[:count]], day)
    arm = np.clip(arm_level(latent, day.astype(float)) + more, 0, BEST_SCORE)
    return pd.DataFrame(
        {
            SUBJECT: np.repeat(np.arange(first_subject, first_subject + count), len(COURSE_DAYS)),
            "days_since_onset": day.ravel(),
            "arm_level": arm.ravel(),
            "walking": walking(latent, day.astype(float)).ravel(),
        }
    )


def outcome_table(drawn: Subjects, first_subject: int, count: int) -> pd.DataFrame:
    """Return a row per subject, plan and visit: what would have been scored under the plan.

    The noise of a visit is the same under every plan, and no assessor's bias is in it.
    """
    plans, visits = len(PLANS), drawn.visit_day.shape[1]
    shape = (count, plans, visits)

    def spread(values: NDArray[Any]) -> NDArray[Any]:
        return np.broadcast_to(values, shape).ravel()

    return pd.DataFrame(
        {
            SUBJECT: spread(np.arange(first_subject, first_subject + count)[:, None, None]),
            "plan": np.array(list(PLANS))[spread(np.arange(plans)[None, :, None])],
            "followed": spread(drawn.plan[:count, None, None] == np.arange(plans)[None, :, None]),
            "days_since_onset": spread(drawn.visit_day[:count, None, :]),
            "took_place": spread(drawn.kept[:count, None, :]),
            "arm_level": drawn.level[:count].ravel(),
            "score": drawn.score[:count].ravel(),
        }
    )


def floor_file(cohort: Path, task_name: str) -> Path:
    """Return the file of the best possible forecasts for a task."""
    return truth_folder(cohort) / f"floor-{task_name}.parquet"


def read_truth_scenario(cohort: Path) -> Scenario:
    """Read the scenario that a cohort was simulated from, out of its truth folder.

    Raises
    ------
    EvidenceMissing
        There is no truth beside the cohort: it is real, or was moved without it.
    """
    file = truth_folder(cohort) / SCENARIO_FILE
    try:
        record = parsed_json(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EvidenceMissing(
            f"{file} cannot be read ({error}), only a simulated cohort has a truth",
            "name a simulated cohort, with the folder of its truth beside it",
        ) from error
    return scenario_of(record["scenario"], source=str(file))
