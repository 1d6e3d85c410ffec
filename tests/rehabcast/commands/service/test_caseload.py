"""The caseload of a demonstration: SIMULATED people on the record, each until today."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pandas as pd

from contracts.cohort import Cohort, Provenance
from rehabcast.commands.service.caseload import LAST_DAY, put_caseload
from rehabcast.settings import Settings
from serving.access.trust import DEVELOPMENT
from serving.state.store import Store


def test_people_are_on_record_until_a_day_of_their_course_and_no_value_is_of_a_day_to_come(
    events: pd.DataFrame, tmp_path: Path
) -> None:
    provenance = Provenance(name="made up", source="the tests", simulated=True)
    cohort = Cohort(events=events, provenance=provenance, digest="d" * 64)
    subjects = events["subject_id"].unique()[:20].tolist()
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    settings = Settings(home=home)
    assert put_caseload(settings, cohort, subjects, "make demo") == 20
    assert put_caseload(settings, cohort, subjects, "make demo") == 20, "once more adds nothing"
    with closing(Store(settings.store_url)) as store:
        newest = []
        for subject in subjects:
            enrolment, observations = store.record(DEVELOPMENT, str(subject))
            days = [o.day_since_onset for o in observations if o.day_since_onset is not None]
            newest.append(max(days) - enrolment)
    assert max(newest) <= LAST_DAY
    assert len(set(newest)) > 5, "each is at another point of the course"
    assert min(newest) >= 0
