"""Benchmark: what each further item would be worth to the best possible forecast (SIMULATED).

Stroke patients on day 21 after enrolment, of whom the score of enrolment is known, therapy, and
facts of the person. To this one item is added, where somebody was measured: another scale at
enrolment, the score again, or a week of a family of wearable channels. What nobody measured is left
out of the posterior, so no forecast gains more by an item on average. How closely scales and
channels follow recovery is the simulator's (docs/simulated-cohort.md). Takes two minutes on one
idle core: `make bench NAME=baseline_items`. The last line is JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import SUBJECT, WEAR_TIME
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import vocabulary
from features.sequences import training_sequences
from features.simulate import simulate
from features.simulate.channels import NULL_CHANNELS
from features.simulate.floor import bayes_floor
from features.simulate.scales import SCALES
from features.simulate.scenario import Scenario
from support.repository import UPPER_LIMB, print_frame, repository_task
from support.without import Added, added, days_after_enrolment, dropped, families, shown
from training.comparison.bayes_floor import floor_predictions

SUBJECTS, SEED, DAY = 120, 11, 21
WEEKS = {"first": (1, 7), "second": (8, 14), "third": (15, DAY)}
ENROLMENT = (-DAY, 0)
WHERE = f"SIMULATED, day {DAY}, beside the score of enrolment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is measured beside the score of enrolment.

    Parameters
    ----------
    name
        What it is called in the table.
    codes
        Scales or daily channels.
    days
        First and last day after enrolment on which they are measured.
    """

    name: str
    codes: frozenset[str]
    days: tuple[int, int]


def items(task: Task) -> Iterator[Item]:
    """Yield what a clinic could measure."""
    target = task.target.code
    others = {scale.code for scale in SCALES} & set(task.inputs.assessments) - {target}
    for code in sorted(others):
        yield Item(
            name=f"{vocabulary()[code].name}, at enrolment", codes=frozenset({code}), days=ENROLMENT
        )
    yield Item(name="all other scales, at enrolment", codes=frozenset(others), days=ENROLMENT)
    for week, days in WEEKS.items():
        yield Item(name=f"the score again, {week} week", codes=frozenset({target}), days=days)
    unread = {WEAR_TIME, *NULL_CHANNELS}
    worn = {name: set(codes) - unread for name, codes in families(task).items()}
    for family, codes in worn.items():
        if not codes:
            continue
        for week in ("first", "third"):
            name = f"{family}, {week} week"
            yield Item(name=name, codes=frozenset(codes), days=WEEKS[week])
    everything = frozenset(code for codes in worn.values() for code in codes)
    for week in ("first", "third"):
        yield Item(name=f"all wearables, {week} week", codes=everything, days=WEEKS[week])


def is_measured(batch: SequenceBatch, item: Item) -> NDArray[np.bool_]:
    """Return where an item was measured, (B, T, C)."""
    day_BT1 = days_after_enrolment(batch)[..., None]
    first, last = item.days
    is_of_item_C = np.isin(batch.layout.channels_C, list(item.codes))
    within_BT1 = (day_BT1 >= first) & (day_BT1 <= last)
    return np.asarray(batch.observed_BTC & within_BT1 & is_of_item_C)


def known(batch: SequenceBatch, task: Task, measured: Sequence[Item]) -> SequenceBatch:
    """Return the pairs as if only some items had been measured, beside therapy and the person."""
    worn = {code for codes in families(task).values() for code in codes}
    few = dropped(batch, worn - {code for item in measured for code in item.codes})
    is_item_C = np.isin(few.layout.channels_C, [*task.inputs.assessments, *worn])
    kept_BTC = np.broadcast_to(~is_item_C, few.observed_BTC.shape).copy()
    for item in measured:
        kept_BTC |= is_measured(few, item)
    return shown(few, kept_BTC)


def measure(task: Task) -> Iterator[Added]:
    """Yield what each item adds, of the people of whom it was measured."""
    events, _ = simulate(subjects=SUBJECTS, seed=SEED)
    batch = training_sequences(events, task)
    batch = batch.take(batch.origin_day_B == DAY)
    score = Item(name="", codes=frozenset({task.target.code}), days=ENROLMENT)

    def forecast(pairs: SequenceBatch) -> pd.DataFrame:
        return floor_predictions(bayes_floor(pairs, events, task, Scenario(), seed=0), pairs, task)

    without = forecast(known(batch, task, [score]))
    for item in items(task):
        people = batch.take(np.asarray(is_measured(batch, item).any(axis=(1, 2))))
        before = without[without[SUBJECT].isin(people.subject_B)]
        after = forecast(known(people, task, [score, item]))
        yield added(before, after, where=WHERE, model="best possible", what=item.name)


def main() -> None:
    """Print the table."""
    rows = sorted(measure(repository_task(UPPER_LIMB)), key=lambda row: row.percent)
    print_frame(WHERE, pd.DataFrame([row.row() for row in rows]))
    print(json.dumps([row.record() for row in rows]))


if __name__ == "__main__":
    main()
