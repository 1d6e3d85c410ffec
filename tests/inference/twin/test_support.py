"""Which doses people alike had: counted by person, rounded down, and known only where recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.therapy import DOSE_DAYS, THERAPY
from inference.similar import ROUNDED_TO
from inference.twin.support import (
    EDGES_H,
    Seen,
    bin_of,
    learn_doses_seen,
    recent_hours,
)


def with_therapy(records: SequenceBatch, task: Task, hours_B: np.ndarray) -> SequenceBatch:
    """Let a channel be therapy: so many hours a week on each day, NaN where none is on record."""
    layout = records.layout
    channel = next(c for c, code in enumerate(layout.channels_C) if code != task.target.code)
    codes = [THERAPY if c == channel else code for c, code in enumerate(layout.channels_C)]
    values_BTC, observed_BTC = records.values_BTC.copy(), records.observed_BTC.copy()
    values_BTC[:, :, channel] = np.nan_to_num(hours_B * 60 / 7)[:, None]
    observed_BTC[:, :, channel] = np.isfinite(hours_B)[:, None]
    return replace(
        records, layout=replace(layout, channels_C=tuple(codes)), values_BTC=values_BTC,
        observed_BTC=observed_BTC,
    )  # fmt: skip


def test_everybody_is_counted_once_in_the_bin_of_their_dose(
    records: SequenceBatch, task: Task
) -> None:
    odd_B = records.subject_B % 2 == 1
    seen = learn_doses_seen(with_therapy(records, task, np.where(odd_B, 4.0, np.nan)), task)
    assert seen is not None
    assert seen.codes_K == (THERAPY,)
    four, known = seen.count_KDSE[0, ..., bin_of(4.0)], seen.count_KDSE[0, ..., -1]
    np.testing.assert_array_equal(four, known)
    people = len(np.unique(records.subject_B[odd_B]))
    assert 0 < known.max() <= people
    assert set(np.unique(known)) <= {0, 5, 11, *range(0, people + 1, ROUNDED_TO)}
    others = [e for e in range(len(EDGES_H) + 1) if e != bin_of(4.0)]
    assert seen.count_KDSE[..., others].max() == 0


def test_a_model_without_therapy_has_seen_no_dose(records: SequenceBatch, task: Task) -> None:
    assert THERAPY not in records.layout.channels_C
    assert learn_doses_seen(records, task) is None


def test_a_dose_is_the_mean_of_the_days_on_record(records: SequenceBatch, task: Task) -> None:
    batch = with_therapy(records, task, np.full(len(records), 7.0))
    channel = batch.layout.channels_C.index(THERAPY)
    batch.observed_BTC[0, -DOSE_DAYS:-1, channel] = False
    batch.observed_BTC[1, -DOSE_DAYS:, channel] = False
    hours_B = recent_hours(batch, channel)
    assert hours_B[0] == pytest.approx(7.0)
    assert np.isnan(hours_B[1])


@pytest.mark.parametrize(
    ("hours", "place"),
    [(0, 0), (0.24, 0), (0.25, 1), (2.49, 1), (2.5, 2), (29.9, 7), (30, 8), (60, 8)],
)
def test_bins_are_half_open(hours: float, place: int) -> None:
    assert bin_of(hours) == place


@pytest.mark.parametrize(
    ("people", "alike", "enough"),
    [(30, 600, True), (25, 100, False), (30, 605, False), (0, 0, False)],
)
def test_enough_is_thirty_people_and_one_in_twenty(people: int, alike: int, enough: bool) -> None:
    assert Seen(people=people, alike=alike, low=0, high=None).is_enough is enough
