"""What a version is trained again with to compare mitigations."""

from __future__ import annotations

import pytest

from contracts.naming.mitigations import CHECKPOINT, DRO, PLAIN, REWEIGHING
from training.fitting.config import LARGEST, TrainingConfig
from training.fitting.crossfit import networks_of
from training.fitting.variants import configurations, steps


def test_every_variant_can_be_trained_and_only_one_knows_groups_where_an_epoch_is_chosen() -> None:
    given = TrainingConfig(minimum_group=7, robustness="group DRO")
    variants = configurations(given)
    assert {name: each.robustness for name, each in variants.items()} == {
        PLAIN: "none", CHECKPOINT: "none", REWEIGHING: "reweighing", DRO: "group DRO",
    }  # fmt: skip
    aware = {name for name, each in variants.items() if each.minimum_group < LARGEST}
    assert aware == {CHECKPOINT}


@pytest.mark.parametrize("folds", [3, 5])
def test_each_network_of_each_variant_is_a_step(folds: int) -> None:
    """Not each fold: `audit --mitigate` said "21 of 20"."""
    given = TrainingConfig(folds=folds)
    assert steps(given) == len(configurations(given)) * networks_of(given)
