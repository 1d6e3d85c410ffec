from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import ContractError
from features.simulate.scenario import Scenario, read_scenario, scenario_of
from features.simulate.subjects import draw_subjects

FOLDER = Path(__file__).resolve().parents[3] / "scenarios"
FILES = sorted(FOLDER.glob("*.toml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_scenario_file_can_be_simulated_and_says_what_it_plants(file: Path) -> None:
    scenario = read_scenario(file)
    assert scenario.about
    drawn = draw_subjects(0, 0, scenario)
    assert drawn.member.any() != scenario.disparity.is_nothing
    assert scenario_of(scenario.as_record(), source="record") == scenario


def test_the_plain_file_is_the_default() -> None:
    plain = read_scenario(FOLDER / "stroke.toml")
    assert scenario_of({**plain.as_record(), "about": ""}, source="record") == Scenario()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[groups]\nrate_spred = 2.0\n", "rate_spred"),
        ("[therapy]\ntruth = 'magic'\n", "truth"),
        ("[disparity]\nlabel = 'left-handed'\n", "left-handed"),
        ("name = [", "cannot be read"),
    ],
)
def test_a_scenario_that_cannot_be_is_refused_with_what_is_wrong(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "odd.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ContractError, match=message) as refused:
        read_scenario(file)
    assert "odd.toml" in str(refused.value)


def test_a_planted_share_is_the_share_of_the_group() -> None:
    scenario = read_scenario(FOLDER / "fairness-5-minority.toml")
    mix = scenario.mixed_people().mixes["REHABCAST//ETHNICITY"]
    assert mix["other"] == pytest.approx(0.03)
    assert sum(mix.values()) == pytest.approx(1)
