from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from features.measurements.lookups import looked_up

KEYS = st.lists(st.one_of(st.sampled_from(["a", "b", "c", "d"]), st.none()), max_size=20)


@given(keys=KEYS, table=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(-9, 9)))
def test_each_row_gets_what_a_map_would_give(
    keys: list[str | None], table: dict[str, float]
) -> None:
    column = pd.Series(keys, dtype="str", index=range(5, 5 + len(keys)))
    found = looked_up(column, table, "float64", float("nan"))
    expected = [table.get(key, float("nan")) if key else float("nan") for key in keys]
    pd.testing.assert_series_equal(found, pd.Series(expected, dtype=float, index=column.index))
