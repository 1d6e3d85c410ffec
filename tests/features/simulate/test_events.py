from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, TEXT
from features.checks import check_events
from features.simulate.channels import CHANNELS
from features.simulate.events import shard_events
from features.simulate.scenario import Scenario
from features.simulate.subjects import Subjects, draw_subjects

PEOPLE = 4


def first_of(drawn: Any) -> Any:
    """Return the first people of whatever a shard has of each."""
    if isinstance(drawn, dict):
        return {key: first_of(value) for key, value in drawn.items()}
    if is_dataclass(drawn) and not isinstance(drawn, type):
        names = [field.name for field in fields(drawn)]
        return replace(drawn, **{name: first_of(getattr(drawn, name)) for name in names})
    return drawn[:PEOPLE]


@cache
def few() -> Subjects:
    """Return some simulated people; not a fixture, which a failure would print whole."""
    people: Subjects = first_of(draw_subjects(0, 4, Scenario()))
    return people


@given(luck=st.floats(-8, 8), longer=st.floats(1, 9))
@settings(max_examples=30, deadline=None)
def test_every_value_is_one_that_a_cohort_can_hold_however_far_it_was_drawn(
    luck: float, longer: float
) -> None:
    """What more people or another seed would draw: everybody's readings some SDs further off."""
    further = {
        channel.code: np.round(
            channel.to_value(
                channel.to_scale(few().daily[channel.code])
                + luck * np.hypot(channel.between, channel.within)
            ),
            channel.decimals,
        )
        for channel in CHANNELS
    }
    drawn = replace(few(), daily=further, minutes=few().minutes * longer)
    events = shard_events(drawn, 1, PEOPLE).to_pandas().astype({CODE: object, TEXT: object})
    assert check_events(events, file="simulated") == []
    for channel in CHANNELS:
        kept = events.loc[events[CODE] == channel.code, NUMBER].to_numpy(dtype=float)
        assert len(kept)
        # The exact posterior reads them back.
        assert np.isfinite(channel.to_scale(kept)).all()
