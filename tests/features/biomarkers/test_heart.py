from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.biomarkers import heart

START = np.datetime64("2024-03-04T10:00:00", "ns")


def test_variability_has_its_closed_form_and_forgets_ectopic_beats() -> None:
    even = np.tile([800.0, 840.0], 60)
    found = heart.variability(even)
    assert found[heart.RMSSD] == pytest.approx(40)
    assert found[heart.SDNN] == pytest.approx(20 * np.sqrt(120 / 119))
    ectopic = even.copy()
    ectopic[50] = 400
    assert heart.variability(ectopic)[heart.RMSSD] == pytest.approx(40, abs=1)
    assert heart.variability(even[:10]) == {}
    assert heart.variability(np.full(100, 50.0)) == {}


def test_recomputed_variability_agrees_with_that_of_another_maker(shared: object) -> None:

    file = Path(str(shared)) / "welltory_covid_hrv" / "data" / "hrv_measurements.csv.gz"
    table = pd.read_csv(file).head(400)
    ours = [
        heart.variability(np.array(text.split(","), dtype=float)).get(heart.RMSSD)
        for text in table["rr_data"]
    ]
    both = pd.DataFrame({"ours": ours, "theirs": table["rmssd"]}).dropna().astype(float)
    # They clean beats by rules of their own; where there is nothing to clean, all digits agree.
    assert len(both) > 350
    assert both.corr(method="spearman").iloc[0, 1] > 0.8
    assert ((both["ours"] / both["theirs"] - 1).abs()).median() < 0.001


def test_heart_rate_reserve_and_recovery() -> None:
    assert heart.reserve_used(60, 60, 50) == 0
    assert heart.reserve_used(208 - 35, 60, 50) == pytest.approx(1)
    time = START + np.arange(200) * np.timedelta64(1, "s")
    rate = np.where(np.arange(200) < 100, 150.0, 150.0 - 0.4 * (np.arange(200) - 99))
    assert heart.recovery(time, rate) == pytest.approx(rate.max() - rate[60])
    assert heart.recovery(time[:30], rate[:30]) is None
