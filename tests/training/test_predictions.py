"""What a prediction table says people are clustered by."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd

from contracts.task_parts.parts import Cluster
from training.predictions import with_clusters

SITE = Cluster(name="hospital", code="REHABCAST//SITE", reason="they share assessors")


def test_clusters_are_facts_of_people_and_not_recorded_is_one() -> None:
    facts = pd.DataFrame(
        {
            "subject_id": [1, 2, 1, 2], "time": pd.to_datetime([None, None, None, "2024-01-01"]),
            "code": ["REHABCAST//SITE", "REHABCAST//SITE", "REHABCAST//SEX", "REHABCAST//SITE"],
            "numeric_value": [None] * 4, "text_value": ["north", "south", "female", "west"],
        }
    )  # fmt: skip
    rows = pd.DataFrame({"subject_id": [2, 1, 3, 2], "model": "candidate"})
    cohort, task = SimpleNamespace(events=facts), SimpleNamespace(clusters=(SITE,))
    found = with_clusters(rows, cast(Any, cohort), cast(Any, task))
    assert found["cluster:hospital"].tolist() == ["south", "north", "not recorded", "south"]
    none = SimpleNamespace(clusters=())
    assert with_clusters(rows, cast(Any, cohort), cast(Any, none)) is rows
