"""How many forecasts a report says that there are in all, beside what is shown of parts of them."""

from __future__ import annotations

import pandas as pd

from contracts.predictions import HORIZON, ORIGIN, SUBJECT

STEP = 10


def forecasts_shown(table: pd.DataFrame) -> int:
    """Return the number of forecasts as a report shows it, of the candidate's rows.

    The number itself where every question has a forecast at each horizon; else to the ten below:
    less the horizons that are shown, it would count the people of one that is not.
    """
    questions = len(table[[SUBJECT, ORIGIN]].drop_duplicates())
    number = len(table)
    if number == questions * table[HORIZON].nunique():
        return number
    return number - number % STEP
