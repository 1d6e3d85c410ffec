"""How many people and forecasts a report says there are, beside what is shown of parts of them."""

from __future__ import annotations

import pandas as pd

from contracts.groups import is_few
from contracts.predictions import HORIZON, ORIGIN, REACHED, SUBJECT, TRUTH


def forecasts_shown(table: pd.DataFrame) -> int | None:
    """Return the number of forecasts as a report shows it, of the candidate's rows.

    None where a question lacks a forecast at some horizon: less the horizons that are shown, even a
    rounded number may count the people of one that is not.
    """
    questions = len(table[[SUBJECT, ORIGIN]].drop_duplicates())
    number = len(table)
    return number if number == questions * table[HORIZON].nunique() else None


def people_shown(table: pd.DataFrame) -> int:
    """Return the number of people as a report shows it, of the candidate's rows.

    Without those of whom no outcome was observed, where they are few: less the people with one, who
    are shown too, it would count them.
    """
    everyone, observed = _people(table)
    return observed if is_few(everyone - observed) else everyone


def may_count(people: int, table: pd.DataFrame) -> bool:
    """Return whether a report that shows so many people may be of these rows."""
    return people in _people(table)


def _people(table: pd.DataFrame) -> tuple[int, int]:
    # A task of milestones only has no score.
    milestones = [name for name in table.columns if str(name).startswith(REACHED)]
    outcomes = [TRUTH] if TRUTH in table.columns else milestones
    observed = table.loc[table[outcomes].notna().any(axis="columns"), SUBJECT]
    return table[SUBJECT].nunique(), observed.nunique()
