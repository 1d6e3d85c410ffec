"""Benchmark: counterfactual forecasts of simulated tumours, beside the best that can be known.

`make bench NAME=twin` takes 6 minutes on one idle core; `python benchmarks/twin.py --quick` (a
third of the test patients, and a network that learns for less long) 2. All models forecast
the same SIMULATED patients. NRMSE is in percent of the deadly volume. Published rows are of other
patients and compare only with what follows the released rule. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from support.repository import print_frame
from support.tumour import Array, draw_patients, training_courses
from support.tumour_bayes import BayesTwin
from support.tumour_crn import train
from support.tumour_scores import (
    Distribution,
    nrmse,
    point_distribution,
    twin_distribution,
    twin_forecasts,
)
from support.tumour_tests import STEPS, Asked, Question, Rule, asked
from support.tumour_twins import LOGISTIC, NO_HALF_LIFE, RIGHT, LearnedTwin, learn, learn_form

GAMMAS = (0, 1, 2, 3, 4)
CRN_GAMMAS = (0, 4)
MECHANISMS = (RIGHT, LOGISTIC, NO_HALF_LIFE)
LEARNED = "form of growth learned"
BAYES, CRN = BayesTwin().name, "CRN, re-implemented"
PUBLISHED = {
    Question.ONE_STEP: {
        "RMSN": (0.834, 0.860, 1.000, 1.131, 1.434), "CRN": (0.755, 0.788, 0.881, 1.062, 1.358),
        "G-Net": (0.795, 0.841, 0.946, 1.057, 1.319), "CT": (0.770, 0.783, 0.864, 1.098, 1.413),
    },
    Question.SLIDING: {
        "RMSN": (0.889, 0.936, 1.081, 1.473, 1.436), "CRN": (0.807, 0.790, 1.047, 2.480, 1.827),
        "G-Net": (1.538, 1.493, 2.062, 1.758, 1.994), "CT": (0.789, 0.821, 0.909, 1.205, 2.052),
    },
    Question.RANDOM: {
        "RMSN": (0.646, 0.702, 0.675, 0.847, 0.947), "CRN": (0.614, 0.631, 0.706, 1.308, 1.132),
        "G-Net": (0.963, 0.942, 1.321, 1.092, 1.195), "CT": (0.605, 0.657, 0.685, 0.979, 1.201),
    },
}  # fmt: skip
"""Last step (1 or 6) by gamma, of the corrected tables of Melnychuk 2022: means of five runs."""


@dataclass(frozen=True)
class Size:
    """How much is simulated."""

    training: int
    testing: int
    sets: int
    crn_patients: int
    crn_epochs: int


FULL, QUICK = Size(10_000, 300, 2, 2_000, 40), Size(2_000, 200, 1, 500, 8)


@dataclass(frozen=True)
class Row:
    """One model on one set of test patients."""

    gamma: int
    rule: Rule
    question: Question
    model: str
    first: float
    """NRMSE of the first step, which is the day after."""
    second: float
    last: float
    wasserstein: float
    crps: float
    noise: float
    """By which it believes that a day's growth varies; the simulator's is 0.01."""


class Models:
    """What was learned from training patients of one level of confounding."""

    def __init__(self, gamma: int, size: Size) -> None:
        rng = np.random.default_rng([0, gamma])
        people = draw_patients(size.training, rng)
        courses = training_courses(people, gamma, rng)
        mechanisms = (*MECHANISMS, learn_form(people, courses))
        self.twins = [LearnedTwin(m, learn(m, people, courses)) for m in mechanisms]
        self.twins.append(BayesTwin())
        self.crn = None
        if gamma in CRN_GAMMAS:
            fewer = draw_patients(size.crn_patients, rng)
            followed = training_courses(fewer, gamma, rng)
            self.crn = train(fewer, followed, size.crn_epochs, seed=0)

    def rows(self, gamma: int, rule: Rule, test: Asked, seed: int) -> Iterator[Row]:
        """Yield how each model did on the same patients."""
        spread = test.question is Question.SLIDING
        for twin in self.twins:
            rng = np.random.default_rng([1, seed])
            scores = nrmse(twin_forecasts(twin, test, rng), test.truth_PTOH)
            whole = twin_distribution(twin, test, rng) if spread else None
            yield _row(gamma, rule, test.question, twin.name, scores, whole, twin.noise)
        if self.crn is not None:
            found = self.crn.forecasts(test)
            rng = np.random.default_rng([1, seed])
            whole = point_distribution(found, test, rng) if spread else None
            scores = nrmse(found, test.truth_PTOH)
            yield _row(gamma, rule, test.question, CRN, scores, whole)


def _row(
    gamma: int, rule: Rule, question: Question, name: str, score_H: Array,
    whole: Distribution | None, noise: float = np.nan,
) -> Row:  # fmt: skip
    """Return one line; one step has no second, and only sliding plans have distributions."""
    second = float(score_H[1]) if len(score_H) > 1 else np.nan
    far, crps = (whole.wasserstein, whole.crps) if whole else (np.nan, np.nan)
    return Row(gamma, rule, question, name, score_H[0], second, score_H[-1], far, crps, noise)


def measured(size: Size, gammas: tuple[int, ...]) -> pd.DataFrame:
    """Run all levels, rules and questions."""
    rows: list[Row] = []
    for gamma in gammas:
        models = Models(gamma, size)
        for number in range(size.sets):
            for place, rule in enumerate(Rule):
                rng = np.random.default_rng([2, gamma, number, place])
                people = draw_patients(size.testing, rng)
                for question in Question:
                    test = asked(question, rule, people, gamma, rng)
                    rows += models.rows(gamma, rule, test, number)
    return pd.DataFrame([vars(row) for row in rows])


def print_tables(found: pd.DataFrame) -> None:
    """Print each rule and question: mean over sets, and between them the standard deviation."""
    for (rule, question), part in found.groupby(["rule", "question"], sort=False):
        one = question == Question.ONE_STEP
        for what in ("last",) if one else ("second", "last"):
            grouped = part.groupby(["model", "gamma"], sort=False)[what]
            told = grouped.agg(lambda x: f"{x.mean():.3f} ({x.std():.3f})").unstack("gamma")
            told.columns = [f"gamma {gamma}" for gamma in told.columns]
            step = {"second": 2, "last": 1 if one else STEPS}[what]
            print_frame(f"SIMULATED; {rule}; {question}, tau {step}", told.reset_index())
    shown = found[found["question"] == Question.SLIDING]
    means = shown.groupby(["rule", "gamma", "model"], sort=False)[["wasserstein", "crps"]].mean()
    shown = means.map("{:.4f}".format).reset_index()
    print_frame(f"SIMULATED; distributions, sliding, tau {STEPS}", shown)
    noise = found.groupby(["model", "gamma"], sort=False)["noise"].first().unstack("gamma")
    print_frame("Noise of a day as learned", noise.map("{:.4f}".format).reset_index())


def judged(found: pd.DataFrame) -> dict[str, object]:
    """Return what of the targets was met."""
    means = found.groupby(["rule", "question", "gamma", "model"])["last"].mean()
    ratio = means.unstack("model")
    worst = (ratio[RIGHT.name] / ratio[BAYES]).max()
    sliding = means[Rule.RELEASED, Question.SLIDING]
    result: dict[str, object] = {
        "right mechanism over Bayes, worst": round(float(worst), 3),
        "within 10 % of Bayes": bool(worst <= 1.1),
    }
    for name in (RIGHT.name, LEARNED, LOGISTIC.name, NO_HALF_LIFE.name):
        for gamma in {3, 4} & set(found["gamma"]):
            best = min(row[gamma] for row in PUBLISHED[Question.SLIDING].values())
            result[f"{name}: sliding at gamma {gamma} below the best published {best}"] = bool(
                sliding[gamma, name] < best
            )
    return result


def main() -> None:
    """Measure, print, and say which targets were met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--gammas", type=int, nargs="+", default=GAMMAS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    found = measured(QUICK if chosen.quick else FULL, tuple(chosen.gammas))
    print_tables(found)
    print_frame(
        "Published, last step (other patients; released rule)",
        pd.DataFrame(
            [
                {"question": question, "model": model, **dict(zip(GAMMAS, row, strict=True))}
                for question, models in PUBLISHED.items()
                for model, row in models.items()
            ]
        ),
    )
    print(json.dumps(judged(found)))


if __name__ == "__main__":
    main()
