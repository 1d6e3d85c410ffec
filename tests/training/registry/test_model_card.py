from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from contracts.forecast import QUANTILE_LEVELS
from contracts.predictions import CANDIDATE, HORIZON, MODEL, QUANTILE_COLUMNS, REFUSED, SUBJECT
from contracts.sequences import SequenceBatch
from contracts.task import Task
from tests.training.registry.test_bundle import PROVENANCE
from training.predictions import prediction_table
from training.registry.model_card import model_card, version_description


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


@pytest.mark.parametrize("error", [0.4, 0.995, 1.0, 30.0])
def test_the_errors_of_a_table_have_the_same_decimals(
    batch: SequenceBatch, task: Task, error: float
) -> None:
    """They were chosen number by number: 0.9950 stood beside 1.02."""
    shape = (len(batch.subject_B), len(task.horizons), len(QUANTILE_LEVELS))
    own = prediction_table(batch, np.zeros(shape), task, model=CANDIDATE)
    both = [
        own.assign(
            **{MODEL: name, REFUSED: False},
            **{column: own["truth"] + miss for column in QUANTILE_COLUMNS},
        )
        for name, miss in ((CANDIDATE, 1.02), ("a", error))
    ]
    table = pd.concat(both, ignore_index=True)
    for text in (
        model_card(table, task, PROVENANCE), version_description(task, PROVENANCE, table, ())
    ):  # fmt: skip
        rows = [line for line in text.splitlines() if line.startswith("|") and "%" in line]
        decimals = {len(found) for row in rows for found in re.findall(r"\d\.(\d+)", row)}
        assert decimals == {4 if error < 1 else 2}
