"""The daily values of a person's exercise as a long table, for `cohort import`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from features.adherence.days import DayValue

COLUMNS = ("subject", "date", "code", "value", "unit")


def day_table(subject: str, values: Sequence[DayValue]) -> str:
    """Return the values as CSV, a row a value."""
    from contracts.vocabulary import vocabulary

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for each in values:
        unit = vocabulary()[each.code].unit
        table.writerow((subject, each.day.isoformat(), each.code, f"{each.value:.6g}", unit))
    return text.getvalue()
