"""Writes a simulated cohort and its truth in shards: memory stays flat however many subjects.

Subject i of a seed is the same whatever the number of subjects, shards drawn at once, or workers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import meds
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import ContractError
from features.cohort import new_cohort
from features.cohort.data_file import write_events
from features.simulate import provenance
from features.simulate.events import shard_events
from features.simulate.realism import GATE_SUBJECTS, Sample, sample
from features.simulate.scenario import Scenario
from features.simulate.subjects import SHARD, draw_subjects
from features.simulate.truth import (
    COURSE_FOLDER,
    LATENT_FOLDER,
    OUTCOME_FOLDER,
    SCENARIO_FILE,
    course_table,
    latent_table,
    outcome_table,
    truth_folder,
)
from stores.folders import drafted


def shard_count(subjects: int) -> int:
    """Return how many shards that many subjects need."""
    return -(-subjects // SHARD)


def write_simulated(
    folder: Path,
    *,
    subjects: int,
    seed: int,
    scenario: Scenario,
    workers: int = 1,
    advance: Callable[[str], None] = lambda _: None,
) -> list[Sample]:
    """Write a cohort folder, and its truth beside it: both completely, or neither.

    Parameters
    ----------
    folder
        New cohort folder; the truth goes to `truth_folder(folder)`.
    subjects, seed, scenario
        As in `features.simulate.simulate`.
    workers
        Processes; the bytes written are the same for any number.
    advance
        Called with a shard's name when it is written.

    Returns
    -------
    What the realism gates need, of the first `GATE_SUBJECTS` subjects.

    Raises
    ------
    ContractError
        One of the two folders exists already.
    """
    truth = truth_folder(folder)
    if truth.exists():
        raise ContractError(
            f"{truth} exists already", "name a new cohort folder, or remove it first"
        )
    samples: list[Sample] = []
    with (
        new_cohort(folder, provenance(subjects, seed, scenario)) as draft,
        drafted(truth) as draft_truth,
    ):
        for part in (LATENT_FOLDER, COURSE_FOLDER, OUTCOME_FOLDER):
            (draft_truth / part).mkdir()
        write = _Writer(
            subjects=subjects,
            seed=seed,
            scenario=scenario,
            data=draft / meds.data_subdirectory,
            truth=draft_truth,
        )
        for shard, measured in enumerate(_write_shards(write, shard_count(subjects), workers)):
            samples += [measured] if measured is not None else []
            advance(f"shard {shard + 1}")
        record = {"subjects": subjects, "seed": seed, "scenario": scenario.as_record()}
        (draft_truth / SCENARIO_FILE).write_text(json.dumps(record, indent=2))
        draft_truth.rename(truth)
    return samples


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Draws and writes one shard; plain data, so that it can be sent to a worker."""

    subjects: int
    seed: int
    scenario: Scenario
    data: Path
    truth: Path

    def __call__(self, shard: int) -> Sample | None:
        drawn = draw_subjects(shard, self.seed, self.scenario)
        first, count = 1 + shard * SHARD, min(SHARD, self.subjects - shard * SHARD)
        file = f"{shard:06d}.parquet"
        write_events(shard_events(drawn, first, count), self.data / file)
        for part, table in (
            (LATENT_FOLDER, latent_table),
            (COURSE_FOLDER, course_table),
            (OUTCOME_FOLDER, outcome_table),
        ):
            pq.write_table(
                pa.Table.from_pandas(table(drawn, first, count), preserve_index=False),
                self.truth / part / file,
            )
        return sample(drawn, shard, count) if shard * SHARD < GATE_SUBJECTS else None


def _write_shards(write: _Writer, shards: int, workers: int) -> Iterator[Sample | None]:
    if workers == 1:
        yield from map(write, range(shards))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(write, range(shards))
