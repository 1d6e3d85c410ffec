from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from contracts.cohort import CODE, NUMBER
from contracts.errors import ContractError
from features.biomarkers.posture import axis, posture_of
from features.importing import import_source
from features.recording import Quantity, Signal

RATE = 20
AXES = [f"{sign}{letter}" for sign, letter in product("+-", "xyz")]
ATTITUDES = [(up, front) for up, front in permutations(AXES, 2) if up[-1] != front[-1]]
BASE = "2024-03-04T00:00:00"


def body(inclined_deg: float, rolled_deg: float, seconds: int) -> np.ndarray:
    """Gravity as a segment feels it, (N, 3) in (up, front, side), after a lean back and a roll."""
    turn = Rotation.from_euler("ZX", [inclined_deg, rolled_deg], degrees=True)
    # The segment leans back about the side axis, then rolls about its own long axis.
    return np.repeat(turn.inv().apply([[1.0, 0.0, 0.0]]), seconds * RATE, axis=0)


def on_device(body_N3: np.ndarray, up: str, front: str) -> np.ndarray:
    basis = np.stack([axis(up), axis(front), np.cross(axis(up), axis(front))])
    return (body_N3 @ basis).astype(np.float32)


def signal(body_N3: np.ndarray, up: str, front: str, placement: str) -> Signal:
    step = (np.arange(len(body_N3)) * (1e9 / RATE)).astype("timedelta64[ns]")
    return Signal(
        subject_label="1",
        quantity=Quantity.ACCELERATION,
        time_N=np.datetime64(BASE, "ns") + step,
        values_NC=on_device(body_N3, up, front),
        epoch_s=1 / RATE,
        placement=placement,
    )


STANDING, SITTING, ON_THE_SIDE = (0, 0), (-85, 0), (-85, 80)


@given(
    attitude=st.sampled_from(ATTITUDES),
    parts=st.lists(
        st.tuples(st.sampled_from([STANDING, SITTING]), st.integers(10, 60)), min_size=1, max_size=8
    ),
    lean=st.floats(-44, 44),
    roll=st.floats(-64, 64),
)
def test_a_thigh_gives_posture_whatever_way_the_device_sits_on_it(
    attitude: tuple[str, str], parts: list[tuple[tuple[int, int], int]], lean: float, roll: float
) -> None:
    felt = [
        body(angles[0] if angles[0] else lean, roll if angles[0] else 0, seconds)
        for angles, seconds in parts
    ]
    posture = posture_of(signal(np.concatenate(felt), *attitude, "left thigh"), *attitude)
    expected = np.repeat(
        [1 if angles == STANDING else 2 for angles, _ in parts], [n for _, n in parts]
    )
    assert posture.values_NC.argmax(axis=1).tolist() == expected.tolist()
    assert posture.values_NC.sum(axis=1).tolist() == [1.0] * len(expected)


def test_a_roll_makes_the_whole_time_off_the_feet_lying_and_short_changes_count_for_nothing() -> (
    None
):
    parts = [(STANDING, 60), (SITTING, 60), (ON_THE_SIDE, 30), (SITTING, 60), (STANDING, 60),
             (SITTING, 9), (STANDING, 20), (SITTING, 60), (STANDING, 8), (SITTING, 40)]  # fmt: skip
    felt = np.concatenate([body(*angles, seconds) for angles, seconds in parts])
    posture = posture_of(signal(felt, "-x", "+z", "right thigh"), "-x", "+z")
    expected = [1] * 60 + [3] * 150 + [1] * 89 + [2] * 108
    assert posture.values_NC.argmax(axis=1).tolist() == expected


def test_a_trunk_gives_lying_alone_and_a_wrist_nothing() -> None:
    felt = np.concatenate([body(-20, 0, 30), body(-80, 40, 30), body(10, 0, 30)])
    posture = posture_of(signal(felt, "+y", "+z", "lower back"), "+y", "+z").values_NC
    assert posture[:, 3].tolist() == [0] * 30 + [1] * 30 + [0] * 30
    assert np.isnan(posture[:, 1:3]).all()
    with pytest.raises(ContractError, match="not at 'left wrist'"):
        posture_of(signal(felt, "+y", "+z", "left wrist"), "+y", "+z")


def test_what_follows_a_gap_is_not_joined_to_what_was_before_it() -> None:
    felt = np.concatenate([body(0, 0, 30), body(-85, 0, 5)])
    whole = signal(felt, "+y", "+z", "left thigh")
    after = whole.time_N + np.where(np.arange(len(felt)) < 30 * RATE, 0, 3_600_000_000_000).astype(
        "timedelta64[ns]"
    )
    moved = Signal(**{n: getattr(whole, n) for n in whole.__slots__} | {"time_N": after})
    assert posture_of(moved, "+y", "+z").values_NC.argmax(axis=1).tolist() == [1] * 30 + [2] * 5


def table(parts: list[tuple[tuple[int, int], int]], up: str, front: str) -> pd.DataFrame:
    """A signal as a table, with the tremor of somebody who wears the device."""
    felt = np.concatenate([body(*angles, seconds) for angles, seconds in parts])
    felt = felt + np.random.default_rng(0).normal(0, 0.05, felt.shape)
    return pd.DataFrame(on_device(felt, up, front), columns=["x", "y", "z"])


MAP = """
[[signals]]
files = "*"
quantity = "acceleration"
columns = ["x", "y", "z"]
unit = "g"
rate_hz = 20
start = "2024-03-04T08:00:00"
placement = "left thigh"

[[posture]]
files = "thigh*"
up = "-x"
front = "+z"
"""


def days_of_import(source: Path, output: Path, text: str) -> dict[str, float]:
    (output / "map.toml").write_text(text)
    done = import_source(source, output / "cohort", map_file=output / "map.toml")
    return done.cohort.events.set_index(CODE)[NUMBER].dropna().to_dict()


def test_a_raw_recording_becomes_hours_of_posture_and_a_count_of_rises(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    parts = [(STANDING, 600), (SITTING, 1200), (STANDING, 300), (ON_THE_SIDE, 900), (STANDING, 600)]
    table(parts, "-x", "+z").to_csv(source / "thigh.csv", index=False)
    days = days_of_import(source, tmp_path, MAP)
    for code, seconds in (("STANDING_TIME", 1500), ("SITTING_TIME", 1200), ("LYING_TIME", 900)):
        assert days[f"REHABCAST//{code}"] == pytest.approx(seconds / 3600, abs=1e-4)
    assert days["REHABCAST//SIT_TO_STAND"] == 2
    assert days["REHABCAST//UPRIGHT_SHARE"] == pytest.approx(1500 / 3600, abs=1e-4)


def test_a_trunk_beside_the_thigh_says_whether_who_is_down_lies(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    source = folder / "1"
    source.mkdir(parents=True)
    # On the back the thigh alone can't tell lying from sitting.
    thigh = [(STANDING, 600), (SITTING, 1200), (SITTING, 1200), (STANDING, 600)]
    trunk = [(STANDING, 600), ((-10, 0), 1200), ((-88, 0), 1200), (STANDING, 600)]
    table(thigh, "-x", "+z").to_csv(source / "thigh.csv", index=False)
    table(trunk, "+y", "+z").to_csv(source / "chest.csv", index=False)
    signals = MAP[: MAP.index("[[posture]]")]
    text = (
        signals.replace('files = "*"', 'files = "*/thigh*"')
        + signals.replace('files = "*"', 'files = "*/chest*"').replace("left thigh", "chest")
        + '[[posture]]\nfiles = "*thigh*"\nup = "-x"\nfront = "+z"\n'
        + '[[posture]]\nfiles = "*chest*"\nup = "+y"\nfront = "+z"\n'
    )
    output = tmp_path / "out"
    output.mkdir()
    days = days_of_import(folder, output, text)
    assert days["REHABCAST//LYING_TIME"] == pytest.approx(1200 / 3600, abs=1e-4)
    assert days["REHABCAST//SITTING_TIME"] == pytest.approx(1200 / 3600, abs=1e-4)
    assert days["REHABCAST//STANDING_TIME"] == pytest.approx(1200 / 3600, abs=1e-4)
    assert days["REHABCAST//SIT_TO_STAND"] == 1


@pytest.mark.parametrize(("up", "front"), [("+x", "-x"), ("up", "+z")])
def test_a_map_that_names_no_two_axes_is_refused(tmp_path: Path, up: str, front: str) -> None:
    from contracts.errors import ContractError
    from features.importing.import_map import read_import_map

    (tmp_path / "map.toml").write_text(
        f'[[posture]]\nfiles = "*"\nup = "{up}"\nfront = "{front}"\n'
    )
    with pytest.raises(ContractError, match="posture"):
        read_import_map(tmp_path / "map.toml")
