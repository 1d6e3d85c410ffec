from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import Problem, SourceUnreadable
from features.recording import UNITS, Signal, SourceFile
from features.sources.signal_tables import FACTORS, SignalColumns, read_signals
from features.tables.text_tables import TableForm

ONE_OF = {
    # What 1 in each unit is in the quantity's own unit, written out and not taken from the code.
    ("acceleration", "g"): 1.0,
    ("acceleration", "mg"): 0.001,
    ("acceleration", "m/s2"): 0.101972,
    ("rotation", "deg/s"): 1.0,
    ("rotation", "rad/s"): 57.29578,
    ("rotation", "mdeg/s"): 0.001,
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


@given(beyond=st.integers(0, 400), usual=st.integers(400, 1200))
def test_a_column_beyond_what_sensors_measure_is_refused_by_its_unit_and_a_spike_is_not(
    tmp_path_factory: pytest.TempPathFactory, beyond: int, usual: int
) -> None:
    """Of degrees a second that were declared as radians the slow ones stayed, row by row."""
    file = tmp_path_factory.getbasetemp() / "turns.csv"
    values = [100.0] * beyond + [1.0] * usual
    pd.DataFrame(dict.fromkeys("xyz", values)).to_csv(file, index=False)
    declared = SignalColumns.model_validate({
        "files": "*", "quantity": "rotation", "columns": list("xyz"), "unit": "rad/s",
        "rate_hz": 10, "start": "2024-03-04",
    })  # fmt: skip
    source = SourceFile(path=file, name="turns.csv", subject_label="1")
    if beyond <= 10 or beyond <= 0.01 * len(values):
        (reading,) = read_signals(source, (declared,))
        assert len(reading.signals[0].values_NC) == usual
    else:
        with pytest.raises(SourceUnreadable, match=f"x: {beyond} of its .* any sensor") as refused:
            next(read_signals(source, (declared,)))
        assert "one of deg/s, rad/s, mdeg/s" in str(refused.value)


HEART = {
    "files": "*", "quantity": "heart rate", "columns": ["hr"], "unit": "/min", "rate_hz": 1,
    "time": "t",
}  # fmt: skip
ROWS = ["2024-03-04T10:00:00,70", "2024-03-04T10:00:01,72", "2024-03-04T10:00:02,74"]


def signal_of(
    folder: Path, content: str | pd.DataFrame, form: dict[str, Any] | None = None, **changed: Any
) -> tuple[Signal | None, tuple[Problem, ...]]:
    name = "t.csv" if isinstance(content, str) else "t.parquet"
    if isinstance(content, str):
        (folder / name).write_text(content, "utf-8")
    else:
        content.to_parquet(folder / name)
    file = SourceFile(
        path=folder / name, name=name, subject_label="1",
        form=TableForm.model_validate(form or {}), zone=changed.pop("zone", ""),
    )  # fmt: skip
    (reading,) = read_signals(file, (SignalColumns.model_validate(HEART | changed),))
    return next(iter(reading.signals), None), reading.dropped


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ("t,hr\n{}\n", {}),
        ("t,hr\n{},\n", {}),
        ("hr,t,x\n{}\n", {}),
        ("t;hr\n{}\n", {"separator": ";"}),
        ("sep=;\nt;hr\n{}\n", {}),
    ],
)
def test_columns_are_read_by_their_names_wherever_they_stand(
    tmp_path: Path, content: str, form: dict[str, str]
) -> None:
    turned = content.startswith("hr")
    rows = [",".join(reversed(row.split(","))) + ",9" if turned else row for row in ROWS]
    lines = (",\n" if content.endswith(",\n") else "\n").join(rows)
    text = content.replace("{}", lines.replace(",", ";") if ";" in content else lines)
    signal, dropped = signal_of(tmp_path, text, form)
    assert signal is not None
    assert signal.values_NC[:, 0].tolist() == [70, 72, 74]
    assert not dropped


@pytest.mark.parametrize(
    ("content", "form", "words"),
    [
        ("t,hr\n05.03.2024 10:00,70\n", {}, "row 2, t: .* order of day, month and year"),
        ("t,hr\nsoon,70\nlater,71\n", {}, "row 2, t: none of its 2 values"),
        ('t,hr\n2024-03-04,"70,5"\n2024-03-05,"71,5"\n', {}, "row 2, hr: .* signs"),
        ("t,hr,hr\n2024-03-04,70,71\n", {}, "same name: hr"),
        ("t,HR\n2024-03-04,70\n", {}, "no column hr; found: t, HR"),
        ("t;hr\n2024-03-04;70\n", {}, "separated by a semicolon"),
        ("", {}, "empty"),
    ],
)
def test_a_column_that_is_not_as_declared_refuses_the_file(
    tmp_path: Path, content: str, form: dict[str, str], words: str
) -> None:
    with pytest.raises(SourceUnreadable, match=words):
        signal_of(tmp_path, content, form)


def test_wrong_rows_are_left_out_and_named_with_their_true_row(tmp_path: Path) -> None:
    wrong = ["soon,75", ",76", "2024-03-04T10:00:03,NA", "2024-03-04T10:00:04,x",
             "2024-03-04T10:00:05,-1"]  # fmt: skip
    signal, dropped = signal_of(tmp_path, "\n".join(["t,hr", "", *ROWS, *wrong]) + "\n")
    assert signal is not None
    assert signal.values_NC[:, 0].tolist() == [70, 72, 74]
    assert sorted((p.row, p.field, p.count) for p in dropped) == [
        (6, "t", 1), (7, "t", 1), (8, "hr", 1), (9, "hr", 2),
    ]  # fmt: skip


def test_a_row_that_is_left_out_keeps_its_time(tmp_path: Path) -> None:
    text = "hr\n70\nx\n74\n"
    signal, _ = signal_of(tmp_path, text, time="", start="2024-03-04T10:00:00")
    assert signal is not None
    assert signal.time_N.astype("datetime64[s]").astype(str).tolist() == [
        "2024-03-04T10:00:00",
        "2024-03-04T10:00:02",
    ]


@given(order=st.permutations(range(3)), again=st.lists(st.integers(0, 2)))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("quantity", ["heart rate", "steps"])
def test_the_order_and_the_repetition_of_rows_change_nothing(
    tmp_path: Path, quantity: str, order: list[int], again: list[int]
) -> None:
    unit = {"heart rate": "/min", "steps": "{steps}"}[quantity]
    rows = [ROWS[n] for n in (*order, *again)]
    text = "\n".join(["t,hr", *rows]) + "\n"
    signal, dropped = signal_of(tmp_path, text, quantity=quantity, unit=unit)
    assert signal is not None
    assert signal.values_NC[:, 0].tolist() == [70, 72, 74]
    assert (np.diff(signal.time_N) > np.timedelta64(0)).all()
    assert not dropped


def test_two_counts_of_one_moment_are_left_out_and_named(tmp_path: Path) -> None:
    text = "\n".join(["t,hr", *ROWS, "2024-03-04T10:00:01,73"]) + "\n"
    signal, dropped = signal_of(tmp_path, text, quantity="steps", unit="{steps}")
    assert signal is not None
    assert signal.values_NC[:, 0].tolist() == [70, 74]
    assert [(p.row, p.count) for p in dropped] == [(3, 2)]


@pytest.mark.parametrize(
    ("times", "zone", "hour", "told"),
    [
        (["2024-03-04T23:30:00Z"], "", "2024-03-04T23", True),
        (["2024-03-04T23:30:00Z"], "Europe/Oslo", "2024-03-05T00", False),
        (["2024-03-04T23:30:00-05:00"], "Europe/Oslo", "2024-03-04T23", False),
        (pd.to_datetime(["2024-03-04T23:30"]).tz_localize("America/New_York"), "", "2024-03-04T23", False),
        (pd.to_datetime(["2024-03-04T23:30"]).tz_localize("UTC"), "Europe/Oslo", "2024-03-05T00", False),
        (pd.to_datetime(["2024-03-04T23:30"]).tz_localize("UTC"), "", "2024-03-04T23", True),
    ],
)  # fmt: skip
def test_times_are_on_the_wearers_wall_clock(
    tmp_path: Path, times: Any, zone: str, hour: str, told: bool
) -> None:
    signal, dropped = signal_of(tmp_path, pd.DataFrame({"t": times, "hr": [70.0]}), zone=zone)
    assert signal is not None
    assert str(signal.time_N[0].astype("datetime64[h]")) == hour
    assert any("UTC" in problem.found for problem in dropped) == told
