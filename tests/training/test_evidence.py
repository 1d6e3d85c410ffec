"""What an audit says of refusals is what a ward meets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from contracts.cohort import Cohort, Provenance
from contracts.predictions import CANDIDATE, QUANTILE_COLUMNS, questions_of
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.newest import newest_day
from inference.refusals import Refusal
from inference.similar import learn_people_seen, nobody_alike
from training.evidence import questions_with
from training.fitting.config import TrainingConfig
from training.predictions import prediction_table


def test_people_alike_of_todays_question_are_counted_among_everybody_else(
    events: pd.DataFrame, batch: SequenceBatch, records: SequenceBatch, task: Task
) -> None:
    """They were counted among the other folds: a ward is refused less often than a board read."""
    cohort = Cohort(
        events=events,
        provenance=Provenance(name="made up", source="test", simulated=True),
        digest="0" * 64,
    )
    config = TrainingConfig(folds=3)
    quantiles_BHQ = np.zeros((*batch.truth_BH.shape, len(QUANTILE_COLUMNS)))
    table = prediction_table(batch, quantiles_BHQ, task, model=CANDIDATE)
    asked = questions_of(questions_with(table, cohort, batch, records, task, config))
    newest = newest_day(events, task, batch.layout).batch
    alone = []
    for subject in newest.subject_B:
        others = records.take(records.subject_B != subject)
        seen = learn_people_seen(others, batch.take(batch.subject_B != subject), task)
        own = newest.take(newest.subject_B == subject)
        alone.append(bool(nobody_alike(seen.given(seen.similar(own, task), own))[0]))
    told = (asked["refusal"] == str(Refusal.FEW_ALIKE)).to_numpy()
    elsewhere = (asked["refusal"] != "").to_numpy() & ~told
    assert told.any()
    assert not told.all()
    assert (told == (np.array(alone) & ~elsewhere)).all()
