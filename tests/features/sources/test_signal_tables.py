from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.recording import UNITS, SourceFile
from features.sources.signal_tables import FACTORS, SignalColumns, read_signals

ONE_OF = {
    # What 1 in each unit is in the quantity's own unit, written out and not taken from the code.
    ("acceleration", "g"): 1.0,
    ("acceleration", "mg"): 0.001,
    ("acceleration", "m/s2"): 0.101972,
    ("rotation", "deg/s"): 1.0,
    ("rotation", "rad/s"): 57.29578,
    ("muscle", "uV"): 1.0,
    ("muscle", "mV"): 1000.0,
    ("muscle", "V"): 1_000_000.0,
    ("beat interval", "ms"): 1.0,
    ("beat interval", "s"): 1000.0,
    ("heart rate", "/min"): 1.0,
    ("temperature", "Cel"): 1.0,
    ("activity counts", "{count}"): 1.0,
    ("steps", "{steps}"): 1.0,
}


@pytest.mark.parametrize(("quantity", "unit"), ONE_OF)
def test_each_unit_becomes_the_quantitys_own(tmp_path: Path, quantity: str, unit: str) -> None:
    wanted = 0.5
    value = wanted / ONE_OF[quantity, unit]
    columns = ("x", "y", "z") if quantity in {"acceleration", "rotation"} else ("x",)
    pd.DataFrame(dict.fromkeys(columns, [value] * 3)).to_csv(tmp_path / "t.csv", index=False)
    declared = SignalColumns.model_validate(
        {
            "files": "t.csv",
            "quantity": quantity,
            "columns": list(columns),
            "unit": unit,
            "rate_hz": 10,
            "start": "2024-03-04",
        }
    )
    (reading,) = read_signals(
        SourceFile(path=tmp_path / "t.csv", name="t.csv", subject_label="1"), (declared,)
    )
    np.testing.assert_allclose(reading.signals[0].values_NC, wanted, rtol=1e-5)


def test_every_unit_that_is_taken_is_tested() -> None:
    taken = {(str(quantity), unit) for quantity, units in FACTORS.items() for unit in units}
    assert taken == set(ONE_OF)
    assert {UNITS[quantity] for quantity in FACTORS} <= {unit for _, unit in ONE_OF}
