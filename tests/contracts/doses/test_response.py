"""The shipped dose response means what its source says, and a wrong file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from contracts.doses import read_dose_response, shipped_dose_response, shipped_dose_responses
from contracts.errors import ContractError
from contracts.vocabulary import vocabulary
from inference.twin.mechanism import Doses, Gains, gains_at, raised
from inference.twin.person import halton

ARM = "REHABCAST//FUGL_MEYER_UE"
FILE = Path(__file__).resolve().parents[3] / "contracts/doses/responses/stroke-upper-limb.toml"


def gained(days_since_onset: float) -> list[float]:
    """Return 5, 50 and 95 % of the points that 10 hours at 5 a week add at 30 of 66."""
    response = shipped_dose_response(ARM)
    assert response is not None
    normal_XI = ndtri(halton(2_048))
    spread_I = np.exp(response.largest_log_spread * normal_XI[0])
    gains = Gains(
        largest_I=response.groups[1].largest * spread_I * response.part_at(days_since_onset),
        rate_I=1 / response.gain_days.at(normal_XI[1]),
        forgetting_I=np.log(2) / response.half_life_days.at(normal_XI[2]),
        half_dose_I=response.half_dose_hours.at(normal_XI[3]),
    )
    doses = Doses(hours_NS=np.array([[5.0]]), end_NS=np.array([[np.inf]]))
    gain_I = gains_at(gains, np.zeros(2_048), doses, np.array([14.0]))[0, 0]
    better_I = 66 * (raised(np.full(2_048, 30 / 66), gain_I) - 30 / 66)
    return list(np.quantile(better_I, (0.05, 0.5, 0.95)))


def test_ten_hours_mean_what_the_source_says() -> None:
    low, middle, high = gained(730)
    assert (low, high) == (pytest.approx(0.2, abs=0.1), pytest.approx(3.3, abs=0.5))
    assert 0.6 < middle < 1.1, "the mean is 1.1, the median below it"
    assert gained(30)[1] == pytest.approx(0.45 * middle, rel=0.05)
    assert gained(30)[1] < gained(180)[1] < middle


def test_it_holds_for_scores_that_there_are_and_for_no_other() -> None:
    codes = [code for each in shipped_dose_responses() for code in each.instruments]
    assert len(codes) == len(set(codes))
    assert set(codes) <= set(vocabulary())
    assert shipped_dose_response("REHABCAST//ARAT") is None


@given(days=st.floats(0, 5_000))
def test_nothing_is_as_likely_as_the_trials_leave_open(days: float) -> None:
    """Chance of a slope of 0 or less: mean and SD by outcome, docs/twin-evidence.md."""
    response = shipped_dose_response(ARM)
    assert response is not None
    early, late = ndtr(0.002 / 0.040), ndtr(-0.087 / 0.119)
    assert late - 0.01 <= response.nothing_at(days) <= early
    assert response.nothing_at(30) == response.nothing_at(90) == pytest.approx(early, abs=0.03)
    assert response.nothing_at(730) == response.nothing_at(365) == pytest.approx(late, abs=0.01)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("late_from_day = 365", "late_from_day = 90", "late_from_day, 90, is not after"),
        ("median = 60", "median = 0", "greater than 0"),
        ('name = "poor"\nlargest = 0.3', 'name = "poor"', "groups 1, largest is missing"),
        ("early_part = 0.45", "early_part = 1.4", "early_part is 1.4"),
        ("nothing_late = 0.23", "nothing_late = 1.0", "nothing_late is 1"),
    ],
)
def test_a_wrong_file_is_refused_with_its_key(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = FILE.read_text("utf-8")
    assert old in text
    file = tmp_path / "own.toml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ContractError, match=says):
        read_dose_response(file)
