"""Benchmark: evidence over time on 14,845 real people, month by month, country by country.

`make bench NAME=evidence_ist` reads ../shared/data/ist_stroke_trial. A logistic model is fitted on
whoever was randomised before 1994, as a hospital's own would be; then the months to 1996 are
replayed as if it were in service, each counted when its six months and four weeks are over, by the
rules of `ist_policy.toml`. Again with a harm that is planted in one country. Prints when it is
acted on, and what is named.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audits.judging.policy import load_policy
from audits.sequential.hypotheses import Hypothesis, hypotheses, not_followed
from audits.sequential.payoffs import week_of_outcomes
from audits.sequential.plan import load_plan
from audits.sequential.state import Act, decide, share, standings
from contracts.predictions import (
    CANDIDATE,
    CHANCE,
    GROUP,
    HORIZON,
    MODEL,
    ORIGIN,
    REACHED,
    STATUS,
    SUBJECT,
    OutcomeStatus,
)
from rehabcast.output import stdout_console
from support.repository import REAL_DATA

FILE = REAL_DATA / "ist_stroke_trial" / "ist.csv.gz"
POLICY = load_policy(Path(__file__).with_name("ist_policy.toml"))
MILESTONE = "independent"
MONTHS = ("sty", "lut", "mar", "kwi", "maj", "cze", "lip", "sie", "wrz", "pa", "lis", "gru")
"""As the file writes them, in Polish."""

TRAINED_BEFORE, LEAST_PEOPLE = 1994, 500
"""First year in service; countries with fewer people are one group."""

HARM, HARMED, HARM_FROM = 0.2, "ITAL", 1995
Chances = NDArray[np.float64]


def people() -> pd.DataFrame:
    """Return everybody, by month of randomisation: what is known then, and the outcome."""
    raw = pd.read_csv(FILE, encoding="latin-1", low_memory=False)
    said = raw["RDATE"].astype(str).str.lower()
    month = said.map(lambda text: next(n for n, m in enumerate(MONTHS) if text.startswith(m)))
    year = 1900 + said.str[-2:].astype(int)
    common = raw["COUNTRY"].value_counts()
    country = raw["COUNTRY"].where(raw["COUNTRY"].map(common) >= LEAST_PEOPLE, "other")
    rows = pd.DataFrame(
        {
            SUBJECT: np.arange(len(raw), dtype=np.int64),
            ORIGIN: 0,
            HORIZON: 182,
            "year": year,
            "month": 12 * (year - TRAINED_BEFORE) + month,
            GROUP + "country": country.astype(object),
            GROUP + "sex": raw["SEX"].map({"M": "male", "F": "female"}).astype(object),
            GROUP + "age band": np.where(raw["AGE"] < 75, "under 75", "75 and over").astype(object),
            REACHED + MILESTONE: raw["OCCODE"].isin([3, 4]),
            "is_known": raw["OCCODE"].isin([1, 2, 3, 4]),
        }
    )
    inputs = raw[["AGE", "RSBP", "RDELAY"]].astype(float)
    for name in ("RCONSC", "SEX", "STYPE", *(f"RDEF{n}" for n in range(1, 9))):
        inputs = inputs.join(pd.get_dummies(raw[name], prefix=name, dtype=float))
    rows["row"] = [*inputs.fillna(inputs.median()).to_numpy()]
    # The order of people in a month says nothing of them.
    return rows.sample(frac=1, random_state=0, ignore_index=True)


def forecasts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return those in service, with the chance that the model gives each of independence."""
    before = rows[(rows["year"] < TRAINED_BEFORE) & rows["is_known"]]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(np.stack(before["row"].to_list()), before[REACHED + MILESTONE])
    served = rows[rows["year"] >= TRAINED_BEFORE].reset_index(drop=True)
    chance_N: Chances = model.predict_proba(np.stack(served["row"].to_list()))[:, 1]
    base = float(before[REACHED + MILESTONE].mean())
    return served.assign(**{CHANCE + MILESTONE: chance_N}, base=base)


def with_harm(served: pd.DataFrame) -> pd.DataFrame:
    """Return the same, with chances that are too low for one country from a year on."""
    harmed_N = (served[GROUP + "country"] == HARMED) & (served["year"] >= HARM_FROM)
    chance_N = served[CHANCE + MILESTONE]
    return served.assign(
        **{CHANCE + MILESTONE: np.where(harmed_N, np.clip(chance_N - HARM, 0.01, 1), chance_N)}
    )


class Replay(TypedDict):
    """What a replay found: how much was looked at, the largest evidence, what was acted on."""

    months: int
    people: int
    tests: int
    largest_mean: float
    acts: list[str]


def replay(served: pd.DataFrame) -> Replay:
    """Replay month by month; a group that is restricted is out of scope from then on.

    However few are left: the shipped plan suspends where a restriction leaves under half.
    """
    columns = [name for name in map(str, served) if name.startswith(GROUP)]
    groups = {c.removeprefix(GROUP): tuple(sorted(served[c].unique())) for c in columns}
    plan = load_plan().model_copy(update={"restart_weeks": 3, "minimum_share": 0.01})
    tested = hypotheses(POLICY, groups, (MILESTONE,), plan.range)
    months: list[tuple[int, dict[str, object]]] = []
    acts: list[str] = []
    out: frozenset[tuple[str, str]] = frozenset()
    for month, rows in served.groupby("month"):
        months.append((int(str(month)), sums(rows, tested)))
        stand = standings(0, months, tested, plan, out)
        decision = decide(stand, plan, out, may_restrict=True)
        if decision.act in {Act.RESTRICT, Act.SUSPEND}:
            year, number = divmod(int(str(month)), 12)
            named = "; ".join(
                f"{t.hypothesis.rule}, {t.hypothesis.group},"
                f" {'too high' if t.hypothesis.sign > 0 else 'too low'} ({t.largest:,.0f})"
                for t in decision.because
            )
            left = 1 - sum(share(stand, *group) for group in out)
            acts.append(
                f"{TRAINED_BEFORE + year}-{number + 1:02d} {decision.act} ({left:.0%} were left):"
                f" {named}"
            )
            out |= {(axis, group) for axis, group, _ in decision.restricted}
            if decision.act is Act.SUSPEND:
                break
    return {
        "months": len(months), "people": int(sum(int(str(s["due"])) for _, s in months)),
        "tests": len(tested), "largest_mean": stand.largest_mean, "acts": acts,
    }  # fmt: skip


def sums(rows: pd.DataFrame, tested: tuple[Hypothesis, ...]) -> dict[str, object]:
    """Return what a month's people add to the tests."""
    known = rows[rows["is_known"]]
    predictions = pd.concat(
        [
            known.assign(**{MODEL: CANDIDATE}),
            known.assign(**{MODEL: "last observation"}, **{CHANCE + MILESTONE: known["base"]}),
        ],
        ignore_index=True,
    )
    status = np.where(rows["is_known"], OutcomeStatus.OBSERVED, OutcomeStatus.LOST)
    follow_up = rows.assign(**{STATUS: status.astype(object)})
    return asdict(week_of_outcomes(predictions, follow_up, POLICY, tested))


def main() -> None:
    """Replay as it was, and with a planted harm."""
    served = forecasts(people())
    found = {
        "as it was": replay(served),
        f"{HARMED} promised {HARM:.0%} too little from {HARM_FROM}": replay(with_harm(served)),
    }
    table = Table("replay", "months", "people", "tests", "largest mean e-value", "acted on")
    for name, result in found.items():
        table.add_row(
            name, str(result["months"]), f"{result['people']:,}", str(result["tests"]),
            f"{result['largest_mean']:,.2f}", "\n".join(result["acts"]) or "nothing",
        )  # fmt: skip
    stdout_console.print(table)
    stdout_console.print(f"Not tested: {', '.join(not_followed(POLICY))}.")
    print(json.dumps({"benchmark": "evidence_ist", **found}))


if __name__ == "__main__":
    main()
