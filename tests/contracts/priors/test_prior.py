"""Prior files: the shipped one, a hospital's own, and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.errors import ContractError, TaskInvalid
from contracts.priors import (
    BEFORE_PRIORS,
    FLAT,
    GROUPS,
    RecoveryPrior,
    prior_of,
    read_prior,
    shipped_prior,
    shipped_priors,
    start_in_words,
    started_from,
)
from contracts.task import Task
from training.task import read_task, task_digest

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "contracts" / "priors"
TASK = ROOT / "tasks" / "stroke-upper-limb.toml"

PUBLISHED = {
    "share": (0.2674, 0.1395, 0.1118, 0.1783, 0.3031),
    "rate": (0.0884, 0.4591, 0.8634, 0.8883, 0.9309),
    "time_weeks": (5.3114, 10.1417, 9.8122, 2.6722, 1.1822),
    "start_mean": (-3.1602, -2.0922, -2.7862, -1.3081, 0.0201),
    "start_spread": (0.510, 2.067, 2.678, 2.746, 2.374),
}
"""As published, to the last digit (van der Vliet 2020)."""


def content(name: str = "stroke-upper-limb") -> dict[str, Any]:
    read = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    del read["format"]
    return read


def test_the_groups_of_the_arm_are_as_published() -> None:
    prior = shipped_prior("stroke-upper-limb")
    for name, numbers in PUBLISHED.items():
        assert tuple(getattr(group, name) for group in prior.groups) == numbers
    assert prior.noise_share == 3.855 / 66
    assert (prior.rate_spread, prior.time_spread) == (1.25, 0.8)


@pytest.mark.parametrize("name", shipped_priors())
def test_every_shipped_prior_is_sound_and_called_as_its_file(name: str) -> None:
    assert shipped_prior(name).name == name
    assert len(shipped_prior(name).groups) == GROUPS


def test_a_task_names_a_shipped_prior_and_keeps_it_whole() -> None:
    task = read_task(TASK)
    assert task.prior == shipped_prior("stroke-upper-limb")
    # A bundle has the numbers themselves, whatever a later release ships under that name.
    assert Task.model_validate_json(task.model_dump_json()) == task


def test_a_task_without_one_is_written_as_before_there_were_any() -> None:
    without = read_task(TASK).model_copy(update={"prior": None})
    assert "prior" not in without.model_dump()
    assert task_digest(without) != task_digest(read_task(TASK))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A task of a hospital with a prior of its own beside it."""
    text = TASK.read_text("utf-8").replace('prior = "stroke-upper-limb"', 'prior = "our-knee.toml"')
    (tmp_path / "task.toml").write_text(text, "utf-8")
    prior = (FOLDER / "stroke-upper-limb.toml").read_text("utf-8")
    prior = prior.replace('name = "stroke-upper-limb"', 'name = "our-knee"').replace(
        "0.0884", "0.2"
    )
    (tmp_path / "our-knee.toml").write_text(prior, "utf-8")
    return tmp_path / "task.toml"


def test_a_hospital_may_have_its_own_prior_file_beside_its_task(own: Path) -> None:
    task = read_task(own)
    assert task.prior is not None
    assert (task.prior.name, task.prior.groups[0].rate) == ("our-knee", 0.2)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("stroke-arm", "no prior 'stroke-arm' is shipped: name one of stroke-upper-limb"),
        ("../our-knee.toml", "is not the name of a file beside the task file"),
        ("nothing.toml", "cannot be read"),
    ],
)
def test_a_prior_that_is_not_there_is_refused_with_what_to_write(
    own: Path, written: str, says: str
) -> None:
    own.write_text(own.read_text("utf-8").replace("our-knee.toml", written), "utf-8")
    with pytest.raises(ContractError, match=says):
        read_task(own)


def test_all_mistakes_of_a_prior_file_are_named(own: Path) -> None:
    file = own.with_name("our-knee.toml")
    text = file.read_text("utf-8").replace("rate = 0.2\n", "rate = 1.2\n")
    file.write_text(text.replace("noise_points", "noise"), "utf-8")
    with pytest.raises(ContractError) as refused:
        read_task(own)
    assert not isinstance(refused.value, TaskInvalid)
    for part in ("our-knee.toml", "groups 1, rate is 1.2", "noise_points is missing"):
        assert part in str(refused.value)


@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=8))
def test_shares_that_are_no_whole_population_are_refused(shares: list[float]) -> None:
    declared = content()
    group = declared["groups"][0]
    declared["groups"] = [{**group, "share": share} for share in shares]
    if len(shares) == GROUPS and abs(sum(shares) - 1) < 0.001:
        RecoveryPrior.model_validate(declared)
        return
    with pytest.raises(ValidationError, match=r"shares sum to|groups|tuple"):
        RecoveryPrior.model_validate(declared)


def test_where_a_network_started_is_known_of_every_version() -> None:
    stroke = shipped_prior("stroke-upper-limb")
    assert prior_of("hybrid", None) is FLAT
    assert prior_of("hybrid", stroke) is stroke
    assert prior_of("GRU-D", stroke) is None
    # Bundles from before it was recorded: every hybrid started from the groups of the arm.
    assert started_from("hybrid", None, None) == shipped_prior(BEFORE_PRIORS)
    assert started_from("hybrid", "flat", None) is FLAT
    assert started_from("temporal convolution", None, None) is None
    assert "flat: the task names no" in start_in_words(FLAT.name, FLAT.source)
    assert "van der Vliet 2020" in start_in_words(stroke.name, stroke.source)


def test_a_prior_of_a_later_form_is_refused_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "later.toml"
    file.write_text('format = "rehabcast-prior/2"\nname = "x"\n', "utf-8")
    with pytest.raises(ContractError, match="rehabcast-prior/2"):
        read_prior(file)
