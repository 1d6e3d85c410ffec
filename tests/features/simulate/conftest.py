"""A small simulated cohort and what a model sees of it, shared by the tests of the posterior."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from features.simulate.record import Record, records
from features.simulate.scales import FUGL_MEYER
from features.simulate.scenario import Scenario
from features.simulate.subjects import day_count, is_weekend

SUBJECTS, SEED = 250, 1


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Small matrices: threads of the linear algebra would only wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def landmarks(task: Task) -> Task:
    """The stroke task with a forecast two weeks after enrolment."""
    return task.model_copy(update={"origins_days": (0, 14)})


@pytest.fixture(scope="session")
def simulated() -> pd.DataFrame:
    return simulate(subjects=SUBJECTS, seed=SEED)[0]


@pytest.fixture(scope="session")
def seen(simulated: pd.DataFrame, landmarks: Task) -> SequenceBatch:
    return training_sequences(simulated, landmarks)


@pytest.fixture(scope="session")
def seen_records(seen: SequenceBatch, simulated: pd.DataFrame) -> list[Record]:
    return list(records(seen, simulated, Scenario()))


@pytest.fixture(scope="session")
def score_record() -> Callable[..., Record]:
    """Makes a record of Fugl-Meyer scores and nothing else."""

    def make(*scores: tuple[int, float], origin: int = 21) -> Record:
        days = day_count(Scenario())
        return Record(
            enrolment=scores[0][0],
            origin=origin,
            weekend=is_weekend(np.array([3]), days)[0],
            minutes=np.zeros(days),
            scores=tuple((FUGL_MEYER, day, score) for day, score in scores),
            readings=(),
            worn=np.empty(0, dtype=np.int64),
            walked=np.empty(0, dtype=np.bool_),
            exchange=-1,
            aid=None,
            member=False,
        )

    return make
