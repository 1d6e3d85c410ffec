"""Benchmark: recognition, counts and measures of exercise, on people left out, with baselines.

Real recordings of SPAR (8 healthy people, 7 shoulder exercises at the wrist); impairments and sets
of known angles are SIMULATED. Prints tables and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.exercise.frame import HALF_TURN, as_right, handedness, upright
from features.exercise.motion import RATE_HZ
from features.exercise.repetitions import repetitions
from features.exercise.windows import channels, moments, windows
from inference.exercise.recognise import other_side
from inference.exercise.recogniser import WITH, Recogniser
from inference.exercise.templates import Template
from support import shoulder
from support.exercise_figure import draw
from support.exercise_trials import days, simulated
from support.repository import print_frame
from training.exercise.fit import LabelledSet, fit_head, fit_heads, labelled_windows
from training.exercise.impaired import IMPAIRMENTS

Array = NDArray[np.float32]
SHOWN, RESAMPLED = 3, 2000
GENERATOR = np.random.default_rng(0)


def framed(one: LabelledSet, side: str | None = None) -> Array:
    """Return a set in the frame of a right wrist; of another side than declared, if said."""
    return upright(as_right(one.values_T6, side or one.side))


CHANGES: dict[str, Callable[[LabelledSet], Array]] = {
    "as recorded": framed,
    "watch turned round": lambda one: framed(replace(one, values_T6=one.values_T6 * HALF_TURN)),
    "recorded at 25 Hz": lambda one: framed(
        replace(one, values_T6=shoulder.at_rate(one.values_T6, 25.0))
    ),
    "recorded at 100 Hz": lambda one: framed(
        replace(one, values_T6=shoulder.at_rate(one.values_T6, 100.0))
    ),
    "10 % of samples dropped": lambda one: framed(replace(one, values_T6=_dropped(one.values_T6))),
    "the other side declared": lambda one: framed(one, "left" if one.side == "right" else "right"),
}


def _dropped(values_T6: Array) -> Array:
    kept = np.sort(GENERATOR.choice(len(values_T6), int(0.9 * len(values_T6)), replace=False))
    return shoulder.at_once(values_T6, RATE_HZ, np.unique([0, *kept, len(values_T6) - 1]))


def of_people_left_out(labelled: Sequence[LabelledSet], people: Sequence[str]) -> pd.DataFrame:
    """Return a row for each set and question: who, what, which side, whether it is right."""
    rows: list[dict[str, object]] = []
    for person in people:
        others = [each for each in labelled if each.person != person]
        own = [each for each in labelled if each.person == person]
        exercises, heads = fit_heads(others)
        model = Recogniser(
            exercises=exercises, heads=heads, version="benchmark", people=7, simulated=False
        )
        answers = (
            *_recognition(own, others, model), *_templates(own, model), *_unknown(own, others),
        )  # fmt: skip
        rows += [{"person": person, **row} for row in answers]
        right = pd.DataFrame(answers).astype({"right": float}).groupby("question")["right"].mean()
        print(f"person {person} left out: {(100 * right).to_json()}", file=sys.stderr)
    return pd.DataFrame(rows)


def _recognition(
    own: Sequence[LabelledSet], others: Sequence[LabelledSet], model: Recogniser
) -> list[dict[str, object]]:
    from sklearn.ensemble import RandomForestClassifier

    def described(one: LabelledSet) -> Array:
        return moments(windows(channels(framed(one), with_rotation=True)))

    parts = [(described(each), each.exercise) for each in others]
    forest = RandomForestClassifier(100, random_state=0).fit(
        np.concatenate([part for part, _ in parts]),
        np.concatenate([[name] * len(part) for part, name in parts]),
    )
    rows: list[dict[str, object]] = []
    sides: dict[str, list[tuple[float, float]]] = {"left": [], "right": []}
    head = model.heads[WITH]
    for one in own:
        about = {"exercise": one.exercise, "side": one.side}
        features_WF = head.standardised(framed(one), with_rotation=True)
        best_W = head.chances(features_WF).argmax(axis=1)
        chance_WE = forest.predict_proba(described(one))
        window = np.mean([model.exercises[best] == one.exercise for best in best_W])
        forest_W = forest.classes_[chance_WE.argmax(axis=1)] == one.exercise
        forest_set = forest.classes_[chance_WE.mean(axis=0).argmax()] == one.exercise
        rows += [
            {**about, "question": "window", "right": window},
            {**about, "question": "window, random forest", "right": forest_W.mean()},
            {**about, "question": "set, random forest", "right": forest_set},
        ]
        changed = {name: change(one) for name, change in CHANGES.items()}
        for name, change in IMPAIRMENTS.items():
            changed[f"SIMULATED {name}"] = framed(replace(one, values_T6=change(one.values_T6)))
        for name, values_T6 in changed.items():
            right = _likeliest(model, values_T6) == one.exercise
            rows += [{**about, "question": f"set, {name}", "right": right}]
            if name.startswith("SIMULATED"):
                within = abs(len(repetitions(values_T6)) - len(repetitions(framed(one)))) <= 1
                rows.append({**about, "question": f"count within 1, {name}", "right": within})
        rows.append({**about, "question": "set, no gyroscope",
                     "right": _likeliest(model, framed(one), False) == one.exercise})  # fmt: skip
        found = model.recognise(framed(one), with_rotation=True)
        rows.append({**about, "question": "true set kept", "right": found.exercise is not None})
        if found.exercise is not None:
            sides[one.side].append(
                (handedness(framed(one)), model.handedness(found.exercise, with_rotation=True))
            )
    for side, pairs in sides.items():
        handed, usual = np.array(pairs).T
        for question, right in (
            ("side: right one kept", not other_side(handed, usual)),
            ("side: wrong one refused", other_side(-handed, usual)),
        ):
            rows.append({"exercise": "all", "side": side, "question": question, "right": right})
    return rows


def _likeliest(model: Recogniser, values_T6: Array, with_rotation: bool = True) -> str:
    limitless = {
        name: replace(head, limit=np.inf, template_limit=np.inf)
        for name, head in model.heads.items()
    }
    found = replace(model, heads=limitless).recognise(values_T6, with_rotation=with_rotation)
    return str(found.exercise)


def _templates(
    own: Sequence[LabelledSet], model: Recogniser, name: str = "templates", only: str | None = None
) -> list[dict[str, object]]:
    """Three repetitions of a set are shown, and the rest of it and of the others is asked.

    Of `only` one exercise, if said.
    """
    rows: list[dict[str, object]] = []
    head = model.heads[WITH]
    for side in ("left", "right"):
        shown: list[Template] = []
        asked: list[Template] = []
        for one in (each for each in own if each.side == side):
            spans = repetitions(one.values_T6)
            first, rest = one.values_T6[: spans[SHOWN - 1][1]], one.values_T6[spans[SHOWN][0] :]
            for part, kept in ((first, shown), (rest, asked)):
                values_T6 = upright(as_right(part, side))
                kept.append(model.template(one.exercise, values_T6, with_rotation=True))
        for done in (each for each in asked if only in (None, each.exercise)):
            about = {"exercise": done.exercise, "side": side}
            unlike = np.array([head.unlikeness(done, each) for each in shown]) / head.template_limit
            names = np.array([each.exercise for each in shown])
            right = names[unlike.argmin()] == done.exercise
            found: dict[str, object] = {
                "set": right, "true set kept": unlike.min() <= 1,
                "true set kept, by its name": right and unlike.min() <= 1,
                "unknown rejected": unlike[names != done.exercise].min() > 1,
            }  # fmt: skip
            rows += [{**about, "question": f"{name}: {question}", "right": answer}
                     for question, answer in found.items()]  # fmt: skip
    return rows


def _unknown(own: Sequence[LabelledSet], others: Sequence[LabelledSet]) -> list[dict[str, object]]:
    """Each exercise once unknown: the kernels have seen it, the ridge and the centres have not."""
    exercises = tuple(sorted({each.exercise for each in others}))
    found = labelled_windows(others, exercises, 0, with_rotation=True)
    rows: list[dict[str, object]] = []
    for number, exercise in enumerate(exercises):
        model = Recogniser(
            exercises=exercises[:number] + exercises[number + 1 :],
            heads={WITH: fit_head(found.without(number))}, version="benchmark", people=7,
            simulated=False,
        )  # fmt: skip
        for one in (each for each in own if each.exercise == exercise):
            judged = model.recognise(framed(one), with_rotation=True)
            rows.append({"exercise": exercise, "side": one.side, "question": "unknown rejected",
                         "right": judged.exercise is None})  # fmt: skip
        rows += _templates(own, model, "templates, never learned", exercise)
    return rows


def counts(labelled: Sequence[LabelledSet]) -> pd.DataFrame:
    """Return the errors of counts on cuts and joins, ours and by plain autocorrelation."""
    rows = []
    for one in labelled:
        about = {"person": one.person, "side": one.side, "exercise": one.exercise}
        for piece in shoulder.pieces(one.values_T6, GENERATOR):
            sure = "20 by phase too" if piece.certain else "20 by name only"
            for counter, count in (
                ("ours", len(repetitions(piece.values_T6))),
                ("autocorrelation", shoulder.plain_count(piece.values_T6)),
            ):
                wrong = abs(count - piece.count)
                rows.append({**about, "counter": counter, "kind": f"{piece.kind}, {sure}",
                             "exact": wrong == 0, "within one": wrong <= 1})  # fmt: skip
        for counter, count in (
            ("ours", len(repetitions(one.values_T6))),
            ("autocorrelation", shoulder.plain_count(one.values_T6)),
        ):
            rows.append({**about, "counter": counter, "kind": "whole, 20 by name",
                         "exact": count == 20, "within one": abs(count - 20) <= 1})  # fmt: skip
    return pd.DataFrame(rows)


def interval(table: pd.DataFrame, value: str) -> dict[str, object]:
    """Return a mean over people with its bootstrap interval, people drawn again."""
    mean_P = table.groupby("person")[value].apply(lambda column: column.astype(float).mean())
    drawn = GENERATOR.choice(mean_P.to_numpy(), (RESAMPLED, len(mean_P))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"percent": 100 * mean_P.mean(), "95 % low": 100 * low, "95 % high": 100 * high,
            "worst person": 100 * mean_P.min()}  # fmt: skip


def main() -> None:
    """Measure, print, and say which targets were met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--figure", type=Path, help="only draw five recordings to this file")
    chosen = parser.parse_args()
    labelled = shoulder.shoulder_sets()
    if chosen.figure is not None:
        draw(labelled, chosen.figure)
        return
    people = sorted({each.person for each in labelled}, key=int)[: chosen.people]
    counted = counts(labelled)
    count_rows = [
        {
            "counter": counter,
            "kind": kind,
            "sets": len(table),
            "asked": asked,
            **interval(table, asked),
        }
        for (counter, kind), table in counted.groupby(["counter", "kind"])
        for asked in ("exact", "within one")
    ]
    print_frame("Counts", pd.DataFrame(count_rows))
    known = simulated()
    print_frame("SIMULATED sets of known angles", pd.DataFrame([known]))
    spent = days(6, 12, 24)
    print_frame("A day of 50 Hz, six axes, one core", pd.DataFrame(spent))
    asked = of_people_left_out(labelled, people)
    asked_rows = {name: interval(table, "right") for name, table in asked.groupby("question")}
    print_frame("People left out", pd.DataFrame(
        [{"question": name, **row} for name, row in asked_rows.items()]))  # fmt: skip
    by = asked[asked["question"].isin(["set, as recorded", "unknown rejected",
               "templates: unknown rejected", "templates, never learned: unknown rejected",
               "templates: set"])]  # fmt: skip
    for group in ("side", "exercise"):
        table = by.assign(right=by["right"].astype(float)).pivot_table(
            index=group, columns="question", values="right"
        )
        print_frame(f"By {group}", (100 * table).reset_index())
    print(json.dumps({"people": len(people), "counts": count_rows, "simulated": known,
                      "days": spent, "questions": asked_rows}))  # fmt: skip


if __name__ == "__main__":
    main()
