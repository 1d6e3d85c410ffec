"""Benchmark: offsets of ranges as points, by the time since onset, or as shares of their width.

The same networks are calibrated with each; offsets by the time since onset are in use. A share is
of the width of a person's 80 % range and a least width: the larger that is, the more nearly an
offset is the same points for everybody. Coverage of the 80 % range, its width, CRPS and interval
score by pattern, by how wide the range was before any offset, and by time since onset, beside
points with a 95 % interval by person; and the Brier score of milestones. SIMULATED people out of
fold; if ../shared exists, real stroke patients out of fold, and in no part of a training (outer
folds, what is served). Takes ten minutes of one core: `make bench NAME=offsets`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from contracts import predictions as columns
from contracts.cohort import SUBJECT
from contracts.forecast import LOWER_80, UPPER_80
from contracts.groups import MINIMUM_SHOWN
from contracts.sequences import SequenceBatch
from features.newest import days_with_score
from features.sequences import training_sequences
from features.simulate import simulate
from features.sources.cohorts.stroke_specs import import_stroke_specs
from inference.calibration import learn_calibration
from inference.milestones import assessed, reached
from inference.offsets import Offsets, calibrate, learn_offsets
from inference.patterns import patterns
from inference.similar import learn_people_seen, similar_others
from inference.visits import learn_visits
from inference.widening import widened
from support.repository import REAL_DATA, UPPER_LIMB, print_frame, repository_task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import CrossFit, crossfit
from training.fitting.joining import raw_quantiles
from training.predictions import prediction_table
from training.scores import losses, paired_difference
from training.split import fold_of_rows, fold_of_subjects

REAL = REAL_DATA / "stroke_specs"
TASK = repository_task(UPPER_LIMB)
LOW, HIGH = TASK.target.low, TASK.target.high
POINTS, BY_TIME = "points", "by time"
LEAST = {POINTS: None, BY_TIME: None, "half-way": 0.2, "in proportion": 0.02}
"""Least width by the name of the way, as a share of the scale; points have none."""

ONSET_DAYS = [-1, 7, 90, 365, 100_000]

SIMULATED_SEEDS, SIMULATED_PEOPLE = 3, 500
REAL_SEEDS, OUTER_SEEDS, OUTER = 5, 2, 5
SCORES = ("coverage_80", "coverage_90", "width_80", "crps", "interval_score")

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """People that a calibration is learned from, and others that are asked about; raw forecasts.

    Parameters
    ----------
    given_BH
        Which of the forecasts that are asked for a service would give.
    """

    learned: SequenceBatch
    records: SequenceBatch
    raw_BHQ: Array
    asked: SequenceBatch
    asked_raw_BHQ: Array
    given_BH: NDArray[np.bool_]


def fit(batch: SequenceBatch, records: SequenceBatch, seed: int) -> CrossFit:
    """Cross-fit some people."""
    config = TrainingConfig(seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        return crossfit(batch, TASK, config, folder=Path(folder), records=records)


def sequences(events: pd.DataFrame) -> tuple[SequenceBatch, SequenceBatch]:
    """Return the pairs of a cohort, and its people on all of their days."""
    events = events.sort_values(SUBJECT, kind="stable")
    batch = training_sequences(events, TASK)
    people = events[events[SUBJECT].isin(batch.subject_B)]
    return batch, days_with_score(people, TASK, batch.layout)


def out_of_fold(events: pd.DataFrame, seed: int) -> Iterator[Part]:
    """Yield each fold as an audit judges it."""
    batch, records = sequences(events)
    fitted = fit(batch, records, seed)
    raw_BHQ = fitted.uncalibrated_BHQ
    fold_of = fold_of_subjects(batch.subject_B, TrainingConfig().folds, 0.0, seed=seed)
    fold_B, record_fold_B = (fold_of_rows(b.subject_B, fold_of) for b in (batch, records))
    for fold in np.unique(fold_B):
        own_B = fold_B == fold
        yield Part(
            learned=batch.take(~own_B),
            records=records.take(record_fold_B != fold),
            raw_BHQ=raw_BHQ[~own_B],
            asked=batch.take(own_B),
            asked_raw_BHQ=raw_BHQ[own_B],
            given_BH=fitted.out_of_fold_given_BH[own_B],
        )


def in_no_part(events: pd.DataFrame, seed: int) -> Iterator[Part]:
    """Yield outer folds, forecast by what would be served of the others."""
    batch, records = sequences(events)
    people = np.unique(batch.subject_B)
    for inside, _ in KFold(OUTER, shuffle=True, random_state=seed).split(people):
        inside_B = np.isin(batch.subject_B, people[inside])
        learned, asked = batch.take(inside_B), batch.take(~inside_B)
        own = records.take(np.isin(records.subject_B, people[inside]))
        fitted = fit(learned, own, seed)
        seen = learn_people_seen(own, learned, TASK)
        yield Part(
            learned=learned,
            records=own,
            raw_BHQ=fitted.uncalibrated_BHQ,
            asked=asked,
            asked_raw_BHQ=raw_quantiles(fitted.served, asked, TASK),
            given_BH=seen.given(seen.similar(asked, TASK), asked),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Offsets, and of what they are shares: of a width, or of a point each."""

    offsets: Offsets
    least: float | None

    def quantiles(self, wide_BHQ: Array, batch: SequenceBatch) -> Array:
        """Return calibrated quantiles, (B, H, Q)."""
        share_BHQ = self.offsets.of_pairs(batch.groups_B, batch.days_since_onset_BT[:, -1])
        return calibrate(wide_BHQ, share_BHQ * unit(wide_BHQ, self.least)[..., None], LOW, HIGH)


def unit(wide_BHQ: Array, least: float | None) -> Array:
    """Return what an offset is a share of, (B, H): 1 point, or the width and the least one."""
    if least is None:
        return np.ones(wide_BHQ.shape[:2])
    width_BH = wide_BHQ[..., UPPER_80] - wide_BHQ[..., LOWER_80]
    return np.asarray(width_BH + least * (HIGH - LOW))


def learn(truth_BH: NDArray[np.float32], wide_BHQ: Array, batch: SequenceBatch, name: str) -> Way:
    """Learn offsets in one way; scores are shares of a unit if outcome and quantiles are."""
    least = LEAST[name]
    unit_BH = unit(wide_BHQ, least)
    # In double precision: at an end of the scale many outcomes are exactly a quantile, and in
    # single precision they would lie just outside of it.
    shares_BH: Any = truth_BH / unit_BH
    day_B = batch.days_since_onset_BT[:, -1] if name == BY_TIME else np.zeros(len(batch))
    raw_BHQ = wide_BHQ / unit_BH[..., None]
    offsets = learn_offsets(shares_BH, raw_BHQ, batch.groups_B, day_B, batch.subject_B)
    return Way(offsets=offsets, least=least)


def scored(part: Part, seed: int) -> Iterator[pd.DataFrame]:
    """Yield the scores of each outcome that is forecast, and of each milestone, by way."""
    asked = part.asked
    known_B = assessed(asked, TASK)
    was = reached(asked.truth_BH, asked.last_score_B, TASK, assessed_B=known_B)
    never_BH = np.full_like(asked.truth_BH, np.nan)
    today = reached(never_BH, asked.last_score_B, TASK, assessed_B=known_B)
    labels = {name: label_B.astype(str) for name, label_B in patterns(asked, TASK).items()}
    labels["day"] = asked.origin_day_B.astype(int).astype(str)
    # The table of scores has a row for each outcome, pair by pair.
    rows_B, rows_H = np.nonzero(~np.isnan(asked.truth_BH))
    before_N = unit(part.asked_raw_BHQ, 0.0)[rows_B, rows_H]
    batch = part.learned
    # The caution is the product's; it is learned by time and used for all ways.
    ours = learn_calibration(part.raw_BHQ, batch, part.records, TASK)
    similar_BH = similar_others(part.records, batch, TASK)
    truth_BH = np.where(ours.seen.given(similar_BH, batch), batch.truth_BH, np.float32(np.nan))
    wide_BHQ = widened(part.raw_BHQ, similar_BH[:, :-1], LOW, HIGH, ours.caution)
    alike_BH = ours.seen.similar(asked, TASK)[:, :-1]
    asked_BHQ = widened(part.asked_raw_BHQ, alike_BH, LOW, HIGH, ours.caution)
    for name in LEAST:
        way = learn(truth_BH, wide_BHQ, batch, name)
        quantiles_BHQ = way.quantiles(asked_BHQ, asked)
        table = prediction_table(asked, quantiles_BHQ, TASK, model=name)
        scores = losses(table).assign(
            way=name,
            seed=seed,
            before=before_N,
            onset=table[columns.DAYS_SINCE_ONSET],
            person=table[columns.SUBJECT],
            **{label: label_B[rows_B] for label, label_B in labels.items()},
        )
        visits = learn_visits(way.quantiles(wide_BHQ, batch), batch, TASK)
        chances = replace(ours, visits=visits).chances(quantiles_BHQ, asked, TASK, observed=True)
        for milestone, chance_BH in chances.items():
            reached_BH = was[milestone]
            brier_BH = np.where(today[milestone], np.nan, (chance_BH - reached_BH) ** 2)
            scores[f"Brier: {milestone}"] = brier_BH[rows_B, rows_H]
        yield scores[part.given_BH[rows_B, rows_H]]


def by_pattern(of_all: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the outcomes of all people, of each pattern, quarter of the widths and time."""
    yield "all", of_all
    for name in ("course", "place on the scale", "day"):
        for label, part in of_all.groupby(name):
            yield f"{name}: {label}", part
    quarter_N = np.ceil(4 * of_all.groupby(["way", "seed"])["before"].rank(pct=True)).astype(int)
    for quarter, part in of_all.groupby(quarter_N):
        yield f"quarter of the widths: {quarter}", part
    for label, part in of_all.groupby(pd.cut(of_all["onset"], ONSET_DAYS), observed=True):
        yield f"days since onset: {label}", part


def print_scores(title: str, parts: Sequence[pd.DataFrame]) -> None:
    """Print the scores by pattern and way, and their differences from points."""
    of_all = pd.concat(parts, ignore_index=True)
    rows, chances = [], []
    for name, part in by_pattern(of_all):
        people = part["person"].nunique()
        if people < MINIMUM_SHOWN:
            continue
        ways = {way: own.reset_index(drop=True) for way, own in part.groupby("way", sort=False)}
        for way, own in ways.items():
            row = {"pattern": name, "people": people, "outcomes": len(own), "offsets": way}
            row |= {score: f"{own[score].mean():.3f}" for score in SCORES}
            if way != POINTS:
                row |= differences(own, ways[POINTS], ("coverage_80", "crps", "interval_score"))
            rows.append(row)
            if name == "all":
                brier = [str(score) for score in own if str(score).startswith("Brier")]
                means = {score: f"{own[score].mean():.4f}" for score in brier}
                chances.append({"offsets": way} | means | differences(own, ways[POINTS], brier))
    print_frame(title, pd.DataFrame(rows).fillna(""))
    print_frame(f"{title}: milestones", pd.DataFrame(chances))


def differences(own: pd.DataFrame, points: pd.DataFrame, scores: Sequence[str]) -> dict[str, str]:
    """Return the paired differences from points of each score, in words."""
    said = {}
    for score in scores:
        seen_N = own[score].notna().to_numpy()
        first_N, second_N = (each[score].to_numpy()[seen_N] for each in (own, points))
        person_N = own["person"].to_numpy()[seen_N]
        difference = paired_difference(first_N, second_N, person_N)
        said[f"{score}, difference"] = difference.with_decimals(4)
    return said


def main() -> None:
    """Measure on SIMULATED people, then on real ones, and print the tables."""
    print_scores(
        f"SIMULATED, {SIMULATED_PEOPLE} people, out of fold",
        [
            # People of two cohorts are never the same.
            scores.assign(person=scores["person"] + 1_000_000 * seed)
            for seed in range(SIMULATED_SEEDS)
            for part in out_of_fold(simulate(subjects=SIMULATED_PEOPLE, seed=seed)[0], seed)
            for scores in scored(part, seed)
        ],
    )
    if not REAL.exists():
        sys.exit(f"{REAL} does not exist: the real stroke cohort was left out")
    events = import_stroke_specs(REAL)[0]
    for title, parts, seeds in (
        ("out of fold", out_of_fold, REAL_SEEDS),
        ("in no part of a training", in_no_part, OUTER_SEEDS),
    ):
        found = [
            scores
            for seed in range(seeds)
            for part in parts(events, seed)
            for scores in scored(part, seed)
        ]
        print_scores(f"Real stroke patients, {title}", found)


if __name__ == "__main__":
    main()
