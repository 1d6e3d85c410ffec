from __future__ import annotations

from dataclasses import replace

import numpy as np

from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.out_of_distribution import (
    REFUSED_SHARE,
    TIME_SINCE_ONSET,
    fit_reference,
    is_out_of_distribution,
    strangeness,
)


def walkers(batch: SequenceBatch, people: int, seed: int) -> SequenceBatch:
    """People with one score and one day of steps, which go together."""
    generator = np.random.default_rng(seed)
    score_B = generator.normal(33, 8, people)
    steps_B = 100 * score_B + generator.normal(0, 300, people)
    one = batch.take(np.zeros(people, dtype=np.int64))
    values_BTC = np.zeros_like(one.values_BTC)
    observed_BTC = np.zeros_like(one.observed_BTC)
    for code, value_B in (("REHABCAST//FUGL_MEYER_UE", score_B), ("LOINC//41950-7", steps_B)):
        channel = one.layout.channels_C.index(code)
        values_BTC[:, -1, channel], observed_BTC[:, -1, channel] = value_B, True
    days_B = np.exp(generator.normal(3, 0.5, people)).astype(np.float32)
    return replace(
        one,
        subject_B=np.arange(people),
        values_BTC=values_BTC,
        observed_BTC=observed_BTC,
        person_known_BS=np.zeros_like(one.person_known_BS),
        days_since_onset_BT=np.repeat(days_B[:, None], one.days_since_onset_BT.shape[1], axis=1),
    )


def test_new_people_are_refused_at_about_the_rate_that_is_meant(batch: SequenceBatch) -> None:
    reference = fit_reference(walkers(batch, 2_000, seed=0))
    refused = is_out_of_distribution(reference, walkers(batch, 4_000, seed=1)).mean()
    # 20 of 4,000 expected; the limit itself is the 10th of 2,000.
    assert REFUSED_SHARE / 4 < refused < 4 * REFUSED_SHARE


def test_what_is_strange_is_named_with_what_was_usual(batch: SequenceBatch, task: Task) -> None:
    reference = fit_reference(walkers(batch, 500, seed=0))
    one = walkers(batch, 1, seed=2)
    steps = one.layout.channels_C.index("LOINC//41950-7")
    score = one.layout.channels_C.index(task.target.code)
    many_steps = one.values_BTC.copy()
    many_steps[0, -1, steps] = 50_000
    told = strangeness(reference, replace(one, values_BTC=many_steps))
    assert (told.feature, told.value, told.beside) == ("LOINC//41950-7", 50_000, "")
    assert told.usual_low < 3_300 < told.usual_high < 8_000
    late = replace(one, days_since_onset_BT=np.full_like(one.days_since_onset_BT, 3_000))
    told = strangeness(reference, late)
    assert told.feature == TIME_SINCE_ONSET
    assert round(told.value) == 3_000
    # Usual each, but not together.
    crossed = one.values_BTC.copy()
    crossed[0, -1, score], crossed[0, -1, steps] = 22, 4_300
    told = strangeness(reference, replace(one, values_BTC=crossed))
    assert {told.feature, told.beside} == {"LOINC//41950-7", task.target.code}
