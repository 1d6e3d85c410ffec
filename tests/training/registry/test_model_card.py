from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contracts.forecast import QUANTILE_LEVELS
from contracts.predictions import CANDIDATE, HORIZON, SUBJECT
from contracts.sequences import SequenceBatch
from contracts.task import Task
from tests.training.registry.test_bundle import PROVENANCE
from training.predictions import prediction_table
from training.registry.model_card import model_card


@pytest.mark.parametrize("people", [1, 10, 11, 19])
def test_a_public_card_counts_nobody_few_and_says_no_figure_of_them(
    batch: SequenceBatch, task: Task, people: int
) -> None:
    """It said exact numbers beside those of the audit, and the error of a single person."""
    shape = (len(batch.subject_B), len(task.horizons), len(QUANTILE_LEVELS))
    quantiles = np.broadcast_to(np.linspace(10, 50, shape[2]), shape)
    table = prediction_table(batch, quantiles, task, model=CANDIDATE)
    day = int(table[HORIZON].min())
    some = table.loc[table[HORIZON] == day, SUBJECT].unique()[:people]
    table = table[(table[HORIZON] != day) | table[SUBJECT].isin(some)]
    card = model_card(table, task, replace(PROVENANCE, subjects=people))
    (row,) = [line for line in card.splitlines() if line.startswith(f"| {day // 7} | **this")]
    said = (
        "fewer than 11 people" if people < 11 else f"at least {max(11, people // 10 * 10)} people"
    )
    assert said in row
    assert f'Cohort "made up", {said}, data' in card
    assert row.endswith("| | | |") == (people < 11)
