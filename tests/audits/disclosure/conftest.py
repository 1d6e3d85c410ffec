"""Cells of small made-up tables, and reports composed of whole ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audits.disclosure.cells import Cells
from audits.disclosure.layout import cells_of
from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy, load_policy
from audits.measure.groups import by_attribute, everyone, intersections
from audits.report.content import ModelFacts, Report, compose


def laid_out(
    labels: Mapping[str, Sequence[str]],
    *,
    person: Sequence[int] | None = None,
    day: Sequence[int] | None = None,
    reached: Sequence[bool] | None = None,
    pairs: bool = True,
) -> Cells:
    """Return the cells of a table with one row per given label."""
    rows = len(next(iter(labels.values())))
    table = pd.DataFrame({f"group:{name}": list(each) for name, each in labels.items()})
    attributes = by_attribute(table)
    groupings = [everyone(table), *attributes, *(intersections(attributes) if pairs else [])]
    day_N = np.zeros(rows) if day is None else np.array(day)
    days: list[int | None] = [None] if day is None else [None, *sorted(set(day))]
    denominators = [np.ones(rows, dtype=bool)]
    if reached is not None:
        denominators += [np.array(reached), ~np.array(reached)]
    return cells_of(
        groupings,
        np.arange(rows) if person is None else np.array(person),
        day_N,
        [(d, [g.axis for g in groupings if d is None or len(g.attributes) < 2]) for d in days],
        np.stack(denominators),
    )


@pytest.fixture(scope="session")
def cells() -> Callable[..., Cells]:
    return laid_out


@pytest.fixture(scope="session")
def quickest_policy() -> Policy:
    """The shipped policy with few replicates: what is hidden does not depend on them."""
    return load_policy().model_copy(update={"replicates": 20})


FACTS = ModelFacts(
    developer=None, contact=None, funding=None, family="f", condition="c", target="t",
    target_low=0, target_high=66, horizon_weeks=(12,), milestones=(), inputs=(),
    audited_attributes={}, cohort_name="made up", simulated=True, subjects=9, seed=0,
    created="2026-11-27",
)  # fmt: skip


@pytest.fixture(scope="session")
def report_of(quickest_policy: Policy, inputs: AuditInputs) -> Callable[..., Report]:
    """Return a function that judges a prediction table and composes its report."""

    def made(table: pd.DataFrame, **changed: Any) -> Report:
        policy = quickest_policy.model_copy(update=changed)
        verdict = judge(table, policy, inputs)
        return compose(table, verdict, policy, FACTS, made_at="now", valid_until="then")

    return made
