"""How many forecasts a report says that there are in all, beside what is shown of parts of them."""

from __future__ import annotations

import pandas as pd

from contracts.predictions import HORIZON, ORIGIN, SUBJECT


def forecasts_shown(table: pd.DataFrame) -> int | None:
    """Return the number of forecasts as a report shows it, of the candidate's rows.

    None where a question lacks a forecast at some horizon: less the horizons that are shown, even a
    rounded number may count the people of one that is not.
    """
    questions = len(table[[SUBJECT, ORIGIN]].drop_duplicates())
    number = len(table)
    return number if number == questions * table[HORIZON].nunique() else None
