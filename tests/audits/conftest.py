"""A small seeded prediction table, with planted disparities where a test asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from scipy.stats import norm
from sqlalchemy.engine import make_url

from audits.judging.judge import AuditInputs
from audits.judging.policy import Policy, load_policy
from audits.ledger.ledger import Ledger
from contracts.forecast import QUANTILE_LEVELS
from contracts.predictions import (
    CANDIDATE,
    CHANCE,
    DRAWN,
    EARLY_ERROR,
    FOLD,
    GROUP,
    HORIZON,
    LAST_SCORE,
    MODEL,
    ORIGIN,
    QUANTILE_COLUMNS,
    REACHED,
    STATUS,
    SUBJECT,
    TRACING_CHANCE,
    TRUTH,
)
from contracts.verdict import Finding, Outcome, Verdict

MILESTONE = "important gain"
GAIN = 4.25
COMPARATORS = {"last observation": 8.0, "proportional recovery": 6.0}
"""Standard deviation of the comparators' errors, in score points; the candidate's is 3."""


def make_table(
    subjects: int = 120,
    *,
    seed: int = 0,
    horizons: tuple[int, ...] = (42, 84),
    origins: tuple[int, ...] = (0,),
    groups: Mapping[str, tuple[str, ...]] | None = None,
    extra_error: Mapping[tuple[str, str], float] | None = None,
    models: tuple[str, ...] = (CANDIDATE, *COMPARATORS),
) -> pd.DataFrame:
    """Return a fair table, with `extra_error` points added to the medians of (axis, label)."""
    rng = np.random.default_rng(seed)
    groups = {"sex": ("female", "male")} if groups is None else groups
    labels = {axis: rng.choice(names, size=subjects) for axis, names in groups.items()}
    last_S = rng.uniform(5, 40, size=subjects)
    gain_S = rng.normal(10, 7, size=subjects)
    cells = [(origin, horizon) for origin in origins for horizon in horizons]
    people: dict[str, Any] = {
        SUBJECT: np.repeat(np.arange(subjects, dtype=np.int64), len(cells)),
        ORIGIN: np.tile([origin for origin, _ in cells], subjects),
        HORIZON: np.tile([horizon for _, horizon in cells], subjects),
    }
    index_N = people[SUBJECT]
    truth_N = np.clip(last_S + gain_S, 0, 66)[index_N] + rng.normal(0, 1, size=len(index_N))
    made = pd.DataFrame(people).assign(
        **{
            "days_since_onset": 20.0,
            FOLD: index_N % 5,
            LAST_SCORE: last_S[index_N],
            TRUTH: truth_N,
        },
        **{GROUP + axis: label_S[index_N] for axis, label_S in labels.items()},
    )
    return pd.concat(
        [_forecasts(made, model, rng, extra_error or {}) for model in models], ignore_index=True
    )


def _forecasts(
    made: pd.DataFrame,
    model: str,
    rng: np.random.Generator,
    extra_error: Mapping[tuple[str, str], float],
) -> pd.DataFrame:
    spread = COMPARATORS.get(model, 3.0)
    # A person's errors go together over the horizons: that is why the bootstrap is by subject.
    person_S = rng.normal(size=int(made[SUBJECT].max()) + 1)
    noise_N = 0.8 * person_S[made[SUBJECT]] + 0.6 * rng.normal(size=len(made))
    median_N = made[TRUTH].to_numpy() + spread * noise_N
    if model == CANDIDATE:
        for (axis, label), points in extra_error.items():
            median_N = median_N + points * (made[GROUP + axis] == label).to_numpy()
    table = made.assign(**{MODEL: model})
    z_Q = norm.ppf(QUANTILE_LEVELS)
    table[list(QUANTILE_COLUMNS)] = median_N[:, None] + spread * z_Q
    needed_N = made[LAST_SCORE].to_numpy() + GAIN
    table[CHANCE + MILESTONE] = norm.sf((needed_N - median_N) / spread)
    table[REACHED + MILESTONE] = made[TRUTH].to_numpy() >= needed_N
    return table


@pytest.fixture(scope="session")
def table_of() -> Callable[..., pd.DataFrame]:
    return make_table


def make_follow_up(
    table: pd.DataFrame, gone: pd.DataFrame | None = None, status: str = "lost"
) -> pd.DataFrame:
    """Return the follow-up table of a prediction table; complete but for the rows of `gone`."""
    complete = pd.concat([table] if gone is None else [table, gone], ignore_index=True)
    rows = complete[complete[MODEL] == CANDIDATE]
    groups = [name for name in rows.columns if name.startswith(GROUP)]
    is_gone = np.arange(len(rows)) >= len(table[table[MODEL] == CANDIDATE])
    became: dict[str, Any] = {
        STATUS: np.where(is_gone, status, "observed"),
        TRACING_CHANCE: np.nan,
        DRAWN: False,
        EARLY_ERROR: np.nan,
    }
    table = rows[[SUBJECT, ORIGIN, HORIZON, *groups]].assign(**became)
    return table.reset_index(drop=True)


@pytest.fixture(scope="session")
def follow_up_of() -> Callable[..., pd.DataFrame]:
    return make_follow_up


@pytest.fixture(scope="session")
def candidate() -> pd.DataFrame:
    """The candidate's rows for 120 fair people."""
    return make_table(120, models=(CANDIDATE,))


@pytest.fixture(scope="session")
def quick_policy() -> Policy:
    """The shipped policy with fewer bootstrap replicates, and nothing that must be recorded."""
    return load_policy().model_copy(update={"replicates": 200, "required": (), "lost": None})


@pytest.fixture(scope="session")
def inputs() -> AuditInputs:
    return AuditInputs(
        model_version="arm/3",
        bundle_digest="b" * 64,
        predictions_digest="a" * 64,
        data_digest="d" * 64,
        code_digest="c" * 64,
        simulated=True,
    )


def make_finding(**changed: Any) -> Finding:
    fields: dict[str, Any] = {
        "rule": "no group forecast less accurately",
        "metric": "mean absolute error",
        "statistic": "difference from the rest",
        "axis": "sex",
        "group": "female",
        "subjects": 60,
        "events": None,
        "value": 0.5,
        "low": -0.5,
        "high": 1.5,
        "limit": 4.25,
        "binding": True,
        "outcome": Outcome.PASS,
        "reason": "sex: female (n = 60): fine.",
    }
    return Finding(**{**fields, **changed})


@pytest.fixture(scope="session")
def finding_of() -> Callable[..., Finding]:
    return make_finding


def make_verdict(outcome: Outcome = Outcome.PASS, **changed: Any) -> Verdict:
    fields: dict[str, Any] = {
        "model_version": "arm/3",
        "bundle_digest": "b" * 64,
        "predictions_digest": "a" * 64,
        "policy_digest": load_policy().digest,
        "data_digest": "d" * 64,
        "code_digest": "c" * 64,
        "simulated": True,
        "outcome": outcome,
        "findings": (make_finding(outcome=outcome, reason=f"sex: female (n = 60): {outcome}."),),
    }
    return Verdict(**{**fields, **changed})


@pytest.fixture(scope="session")
def verdict_of() -> Callable[..., Verdict]:
    return make_verdict


@pytest.fixture(scope="session")
def postgresql(new_database: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """URL of a database of a real PostgreSQL server."""
    with new_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url = make_url(request.getfixturevalue("postgresql")).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return url.render_as_string(hide_password=False)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    opened = Ledger(ledger_url)
    yield opened
    opened.close()
