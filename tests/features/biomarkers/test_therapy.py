from __future__ import annotations

import pandas as pd
import pytest

from features.biomarkers import therapy


def test_adherence_is_the_share_of_the_plan_in_the_week_before() -> None:
    days = pd.date_range("2024-03-04", periods=10)
    received = pd.Series(30.0, index=days).drop(days[3])
    share = therapy.adherence(received, 210.0)
    assert share.index[0] == days[6]
    assert share.iloc[0] == pytest.approx(6 * 30 / 210)
    with pytest.raises(ValueError, match="above 0"):
        therapy.adherence(received, 0)
