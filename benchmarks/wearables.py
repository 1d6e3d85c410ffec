"""Benchmark: what wearables add to a forecast, by channel and by family of channels.

Each comparison is of the same outcomes of the same people, forecast with and without some inputs;
intervals are by person. Parts, of which any can be named:

- `best`: SIMULATED stroke patients on day 21, and how much anybody could gain: the Bayes floor,
  whose posterior simply lacks what is left out.
- `hybrid`: the same patients and others, and how much of it a hybrid gains that learned from
  people beside them.
- `nhanes`: mobility and five-year survival beside age, sex, weight, illnesses and education.
- `scores`: repeated scores of people with depression, with COVID-19, and of healthy volunteers.

    python benchmarks/wearables.py best > best.txt     # or: make bench NAME=wearables
    python benchmarks/wearables.py --draw wearables.png best.txt hybrid.txt scores.txt

Takes about 10 minutes on one idle core. The last line is JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from contracts.cohort import SUBJECT, WEAR_TIME
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.importing import import_source
from features.sequences import training_sequences
from features.simulate import simulate
from features.simulate.channels import NULL_CHANNELS
from features.simulate.floor import bayes_floor
from features.simulate.scenario import Scenario
from features.sources.cohorts.nhanes_wrist import import_nhanes_wrist
from support.binary_added import BinaryAdded, binary_added, out_of_fold
from support.one_network import one_network
from support.plain_logistic import logistic
from support.plain_ridge import ridge
from support.repository import REAL_DATA, ROOT, UPPER_LIMB, print_frame, repository_task
from support.wearables_figure import draw
from support.without import (
    Added,
    added,
    dropped,
    families,
    forecasts,
    hidden,
    scored_at_enrolment_only,
    task_without,
)
from training.comparison.bayes_floor import floor_predictions
from training.models import Fit
from training.split import fold_of_rows, fold_of_subjects
from training.task import read_task

LEARNED, JUDGED, AT_BEST, SEED = 500, 300, 60, 11
"""People who are learned from, others who are forecast, and those of them for whom the best
possible forecast is computed."""
DAY = 21
ENROLMENT_ONLY = f"SIMULATED, day {DAY}, scored at enrolment only"
SCORED = f"SIMULATED, day {DAY}, scored until then"
ALL = "all wearables"
NETWORK = f"{ALL}, beside a network without"
HYBRID = "hybrid"
"""One network, not calibrated, wherever it stands."""
FOLDS = 5
SCORES = {
    "Real people, depression (Depresjon)": ("depresjon", ROOT / "tasks" / "depression.toml"),
    "Real people, symptoms of COVID-19 (Welltory)": (
        "welltory_covid_hrv", ROOT / "benchmarks" / "welltory.toml",
    ),
    "Real people, calmness (LifeSnaps)": ("lifesnaps", ROOT / "benchmarks" / "lifesnaps.toml"),
}  # fmt: skip


def selections(task: Task, *, channels: bool) -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield which inputs are compared: a name, and the wearable channels without and with."""
    of_family = families(task)
    worn = {code for codes in of_family.values() for code in codes}
    yield ALL, set(), worn
    for name, codes in of_family.items():
        yield f"{name} alone", set(), set(codes)
        yield f"{name} beside the others", worn - set(codes), worn
    for code in sorted(worn) if channels else ():
        yield f"{code} alone", set(), {code}
        yield f"{code} beside the others", worn - {code}, worn


def compared(
    forecast: Callable[[frozenset[str]], pd.DataFrame], task: Task, *, where: str, model: str,
    channels: bool = False, only: Callable[[str], bool] = lambda _: True,
    unread: frozenset[str] = frozenset(),
) -> Iterator[Added]:  # fmt: skip
    """Yield what each selection of wearable channels adds; what is read is forecast once."""
    made: dict[frozenset[str], pd.DataFrame] = {}

    def of(codes: set[str]) -> pd.DataFrame:
        key = frozenset(codes - unread)
        if key not in made:
            made[key] = forecast(key)
        return made[key]

    for what, before, after in selections(task, channels=channels):
        if only(what):
            yield added(of(before), of(after), where=where, model=model, what=what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """SIMULATED patients: events and pairs of all, and those who are forecast, by setting."""

    task: Task
    events: pd.DataFrame
    batch: SequenceBatch
    settings: dict[str, SequenceBatch]

    @property
    def worn(self) -> set[str]:
        """The wearable channels."""
        return {code for codes in families(self.task).values() for code in codes}


def simulated_patients(task: Task) -> Simulated:
    """Simulate who is learned from and who is forecast on day `DAY`."""
    events, _ = simulate(subjects=JUDGED + LEARNED, seed=SEED)
    batch = training_sequences(events, task)
    judged = batch.take((batch.subject_B <= JUDGED) & (batch.origin_day_B == DAY))
    settings = {ENROLMENT_ONLY: scored_at_enrolment_only(judged, task), SCORED: judged}
    return Simulated(task=task, events=events, batch=batch, settings=settings)


def best() -> Iterator[Added]:
    """Yield what wearables add to the best possible forecast of SIMULATED patients."""
    patients = simulated_patients(repository_task(UPPER_LIMB))
    task, worn = patients.task, patients.worn
    known = patients.events[patients.events["subject_id"] <= AT_BEST]
    for where, pairs in patients.settings.items():
        few = pairs.take(pairs.subject_B <= AT_BEST)

        def forecast(kept: frozenset[str], few: SequenceBatch = few) -> pd.DataFrame:
            seen = dropped(few, worn - kept)
            return floor_predictions(bayes_floor(seen, known, task, Scenario(), seed=0), seen, task)

        def read(what: str, beside: bool = where == ENROLMENT_ONLY) -> bool:
            return beside or "beside" not in what

        yield from compared(
            forecast, task, where=where, model="best possible",
            only=read, unread=frozenset({WEAR_TIME, *NULL_CHANNELS}),
        )  # fmt: skip


def hybrid() -> Iterator[Added]:
    """Yield what wearables add for a hybrid that learned from SIMULATED patients."""
    patients = simulated_patients(repository_task(UPPER_LIMB))
    task, worn, batch = patients.task, patients.worn, patients.batch
    bare = task_without(task, worn)
    never = simulated_patients(bare)
    network = one_network(batch.take(batch.subject_B > JUDGED), task, seed=0)
    apart = one_network(never.batch.take(never.batch.subject_B > JUDGED), bare, seed=0)
    for where, pairs in patients.settings.items():

        def forecast(kept: frozenset[str], pairs: SequenceBatch = pairs) -> pd.DataFrame:
            return forecasts(pairs, network(hidden(pairs, worn - kept)), task)

        yield from compared(forecast, task, where=where, model=HYBRID, channels=True)
        without = never.settings[where]
        tables = forecasts(without, apart(without), bare), forecast(frozenset(worn))
        for what, last in ((NETWORK, JUDGED), (f"{NETWORK}, of the {AT_BEST}", AT_BEST)):
            bare_table, full_table = (table[table[SUBJECT] <= last] for table in tables)
            yield added(bare_table, full_table, where=where, model=HYBRID, what=what)


def scores() -> Iterator[Added]:
    """Yield what wearables add to the forecasts of real people's scores, out of fold."""
    for where, (folder, task_file) in SCORES.items():
        source = REAL_DATA / folder
        if not source.exists():
            sys.stderr.write(f"{source} does not exist: {where} was left out\n")
            continue
        task = read_task(task_file)
        with tempfile.TemporaryDirectory() as place:
            events = import_source(source, Path(place) / "cohort").cohort.events
        worn = {code for codes in families(task).values() for code in codes}
        models: dict[str, Fit] = {HYBRID: one_network, "ridge regression": ridge}
        for model, fit in models.items():

            def forecast(
                kept: frozenset[str], fit: Fit = fit, task: Task = task, worn: set[str] = worn,
                events: pd.DataFrame = events,
            ) -> pd.DataFrame:  # fmt: skip
                return _out_of_fold(events, task_without(task, worn - kept), fit)

            few = model == HYBRID
            yield from compared(
                forecast, task, where=where, model=model,
                only=(lambda what: what == ALL) if few else (lambda _: True),
            )  # fmt: skip


def _out_of_fold(events: pd.DataFrame, task: Task, fit: Fit) -> pd.DataFrame:
    batch = training_sequences(events, task)
    fold_B = fold_of_rows(batch.subject_B, fold_of_subjects(batch.subject_B, FOLDS, 0.0, seed=0))
    parts = []
    for fold in range(FOLDS):
        unseen = batch.take(fold_B == fold)
        predict = fit(batch.take(fold_B != fold), task, seed=fold)
        parts.append(forecasts(unseen, predict(unseen), task))
    return pd.concat(parts, ignore_index=True)


def nhanes() -> Iterator[BinaryAdded]:
    """Yield what wearables add to what is known of people without them."""
    source = REAL_DATA / "nhanes_2011_14"
    if not source.exists():
        sys.stderr.write(f"{source} does not exist: NHANES was left out\n")
        return
    events = import_nhanes_wrist(source)[0]
    for name in ("mobility", "five-year-survival"):
        task = repository_task(name)
        batch = training_sequences(events, task)
        good_B = batch.truth_BH[:, 0] >= 1
        worn = {code for codes in families(task).values() for code in codes}
        made = {}
        for what, before, after in selections(task, channels=True):
            for kept in map(frozenset, (before, after)):
                if kept not in made:
                    made[kept] = out_of_fold(hidden(batch, worn - kept), good_B, logistic)
            yield binary_added(
                made[frozenset(before)], made[frozenset(after)], good_B, where=f"NHANES, {name}",
                model="logistic regression", what=what,
            )  # fmt: skip


PARTS: dict[str, Callable[[], Iterator[Added] | Iterator[BinaryAdded]]] = {
    "best": best, "hybrid": hybrid, "nhanes": nhanes, "scores": scores,
}  # fmt: skip


def main() -> None:
    """Run the named parts, or draw what was printed by earlier runs."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--draw"]:
        printed = [Path(name).read_text("utf-8").splitlines()[-1] for name in arguments[2:]]
        draw([row for line in printed for row in json.loads(line)], Path(arguments[1]))
        return
    torch.set_num_threads(1)
    rows = [row for name in arguments or PARTS for row in PARTS[name]()]
    for where in dict.fromkeys(row.where for row in rows):
        print_frame(where, pd.DataFrame([row.row() for row in rows if row.where == where]))
    print(json.dumps([row.record() for row in rows]))


if __name__ == "__main__":
    main()
