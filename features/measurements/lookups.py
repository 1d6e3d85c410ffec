"""What belongs to each of few different keys, such as codes or people, in a column of many rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def looked_up(keys: pd.Series, table: Mapping[Any, Any], kind: str, missing: Any) -> pd.Series:
    """Return for each row what a table has of its key, as `Series.map` does.

    Each different key is looked up once: a column of text of a million rows has few of them.

    Parameters
    ----------
    kind, missing
        The type of the values, and the value of a key that the table does not have.
    """
    number_N, unique = pd.factorize(keys)
    # The last stands for rows without a key, whose number is -1.
    values = [*(table.get(key, missing) for key in unique), missing]
    return pd.Series(np.array(values, dtype=kind)[number_N], index=keys.index)
