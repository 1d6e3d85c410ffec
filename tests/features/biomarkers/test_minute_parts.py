"""However a recording is split, copied and ordered, its minutes are those of the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Problem
from features.biomarkers.epochs import minutes_of
from features.biomarkers.minute_parts import join_minutes, one_device_a_place
from features.recording import Quantity, Signal

START = np.datetime64("2024-03-04T10:00:20", "ns")
EPOCHS = {
    Quantity.COUNTS: 15.0, Quantity.STEPS: 15.0, Quantity.HEART_RATE: 5.0,
    Quantity.TEMPERATURE: 3.0, Quantity.POSTURE: 1.0, Quantity.WORN: 60.0, Quantity.SPEED: 1.0,
    Quantity.ACCELERATION: 0.1,
}  # fmt: skip
MINUTES = 4


def recorded(quantity: Quantity, seed: int = 0) -> Signal:
    """Return some minutes of a quantity, whole seconds of which a raw signal never splits."""
    generator = np.random.default_rng(seed)
    epoch_s = EPOCHS[quantity]
    count = int(MINUTES * 60 / epoch_s)
    values = generator.integers(30, 180, (count, 1)).astype(np.float32)
    if quantity is Quantity.ACCELERATION:
        values = generator.normal(0.5, 0.5, (count, 3)).astype(np.float32)
    elif quantity is Quantity.POSTURE:
        values = np.eye(4, dtype=np.float32)[generator.integers(0, 4, count)]
    step = (np.arange(count) * epoch_s * 1e9).round().astype("timedelta64[ns]")
    return Signal(
        subject_label="1",
        quantity=quantity,
        time_N=START + step,
        values_NC=values,
        epoch_s=epoch_s,
        placement="left wrist",
        device="d",
    )


def piece(signal: Signal, low: int, high: int, unit: int = 1) -> Signal:
    inside = slice(low * unit, high * unit)
    return replace(signal, time_N=signal.time_N[inside], values_NC=signal.values_NC[inside])


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        one.sort_index(axis=1), other.sort_index(axis=1), check_exact=False, rtol=1e-9
    )


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_split_copy_and_order_of_a_recording_gives_its_minutes(data: st.DataObject) -> None:
    quantity = data.draw(st.sampled_from(sorted(EPOCHS)))
    signal = recorded(Quantity(quantity))
    # What is summed up by 5 s (the amplitude deviation) is the whole's if these are not cut.
    unit = 50 if quantity is Quantity.ACCELERATION else 1
    length = len(signal) // unit
    whole = join_minutes([minutes_of(signal)])
    parts: list[pd.DataFrame] = []
    for number in range(data.draw(st.integers(1, 3))):
        cuts = sorted(data.draw(st.lists(st.integers(1, length - 1), unique=True, max_size=4)))
        bounds = list(zip([0, *cuts], [*cuts, length], strict=True))
        parts += [
            minutes_of(piece(signal, low, high, unit), file=f"f{number}", piece=place)
            for place, (low, high) in enumerate(bounds)
        ]
    # Older exports that end somewhere add nothing, since another file holds all of it.
    for end in data.draw(st.lists(st.integers(1, length), max_size=2)):
        parts.append(minutes_of(piece(signal, 0, end, unit), file="older"))
    shuffled = data.draw(st.permutations(parts))
    problems: list[Problem] = []
    same(join_minutes(shuffled, problems), whole)
    assert problems == []


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 2399), st.permutations([0, 1, 2]))
def test_raw_data_split_inside_a_second_keep_their_moments(cut: int, order: list[int]) -> None:
    signal = recorded(Quantity.ACCELERATION)
    parts = [
        minutes_of(piece(signal, low, high)) for low, high in ((0, cut), (cut, 2400), (0, cut))
    ]
    whole, joined = join_minutes([minutes_of(signal)]), join_minutes([parts[n] for n in order])
    exact = [
        "n",
        *(f"{name}_{axis}" for name in ("sum", "square", "low", "high") for axis in "xyz"),
    ]
    same(joined[[*exact, "enmo_sum"]], whole[[*exact, "enmo_sum"]])
    # A second that is cut may count once more, an epoch of five may deviate.
    assert (joined["use_s"] - whole["use_s"]).abs().max() <= 1
    np.testing.assert_allclose(joined["mad_sum"], whole["mad_sum"], rtol=0.2)


def test_pieces_whose_stamps_overlap_by_some_milliseconds_lose_nothing() -> None:
    signal = recorded(Quantity.ACCELERATION)
    late = piece(signal, 1000, 2400)
    late = replace(late, time_N=late.time_N - np.timedelta64(130, "ms"))
    joined = join_minutes([minutes_of(piece(signal, 0, 1000)), minutes_of(late)])
    assert joined["n"].sum() == 2400


def test_of_two_values_of_a_minute_the_one_with_more_samples_counts() -> None:
    signal = recorded(Quantity.HEART_RATE)
    sparse = replace(signal, time_N=signal.time_N[::4], values_NC=signal.values_NC[::4] + 20)
    dense, mixed = (
        join_minutes([minutes_of(s) for s in signals]) for signals in ([signal], [sparse, signal])
    )
    same(mixed, dense)


def test_minutes_that_contradict_each_other_are_reported_in_any_order() -> None:
    signal = recorded(Quantity.COUNTS)
    other = replace(signal, values_NC=signal.values_NC + 1)
    parts = [minutes_of(signal, file="a"), minutes_of(other, file="b")]
    results = []
    for order in (parts, parts[::-1]):
        problems: list[Problem] = []
        results.append(join_minutes(order, problems))
        (problem,) = problems
        assert problem.found.startswith(f"{MINUTES + 1} minute(s) occur twice")
        assert {"a", "b"} == {problem.file, problem.found.split("this file and in ")[1][0]}
    same(*results)
    # A device that was not carried only misses: the larger amounts were kept.
    assert results[0]["counts"].sum() == other.values_NC.sum()


def test_a_device_that_gives_acceleration_and_counts_is_in_use_once(
    signal: Callable[..., Signal],
) -> None:
    raw = signal(np.full((600, 3), 2.0), Quantity.ACCELERATION, 10.0)
    counts = signal(np.full((60, 1), 1000.0), Quantity.COUNTS, 1.0)
    joined = join_minutes([minutes_of(raw), minutes_of(counts)])
    assert joined["use_s"].tolist() == [60.0]


def test_a_rise_between_two_pieces_is_counted() -> None:
    sat, stood = np.eye(4, dtype=np.float32)[[2]], np.eye(4, dtype=np.float32)[[1]]
    signal = recorded(Quantity.POSTURE)
    values = np.concatenate([np.repeat(sat, 100, axis=0), np.repeat(stood, 140, axis=0)])
    signal = replace(signal, values_NC=values)
    parts = [minutes_of(piece(signal, 0, 100)), minutes_of(piece(signal, 100, 240))]
    for joined in (join_minutes(parts), join_minutes([minutes_of(signal)])):
        assert joined["rises"].sum() == 1


def test_steps_of_which_none_is_known_are_missing() -> None:
    signal = recorded(Quantity.STEPS)
    unknown = replace(signal, values_NC=np.full_like(signal.values_NC, np.nan))
    assert join_minutes([minutes_of(unknown)])["steps"].isna().all()


@pytest.mark.parametrize("quantity", [Quantity.SPEED, Quantity.COUNTS])
def test_minutes_before_1970_are_the_right_ones(quantity: Quantity) -> None:
    signal = recorded(quantity)
    before = replace(signal, time_N=signal.time_N - np.timedelta64(80 * 365, "D"))
    joined, earlier = (join_minutes([minutes_of(s)]) for s in (signal, before))
    assert ((joined["time"] - earlier["time"]) == pd.Timedelta(days=80 * 365)).all()


def worn(device: str, start: str, count: int, **values: object) -> pd.DataFrame:
    times = pd.date_range(start, periods=count, freq="min")
    table = pd.DataFrame({"placement": "wrist", "device": device, "time": times, **values})
    return table.assign(worn=pd.Series(True, index=table.index, dtype="boolean"))


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]])
def test_two_devices_at_one_placement_measure_a_minute_once(order: list[int]) -> None:
    tables = [
        worn("a", "2024-03-04T10:00", 60, counts=10.0, asleep=True),
        worn("b", "2024-03-04T10:00", 100, counts=30.0, asleep=True),
        worn("c", "2024-03-04T10:00", 30, steps=5.0, asleep=None),
    ]
    found = one_device_a_place(pd.concat([tables[n] for n in order], ignore_index=True))
    by_device = found.groupby("device")
    assert by_device["counts"].sum().to_dict() == {"a": 0, "b": 3000, "c": 0}
    assert found["asleep"].eq(True).sum() == 100
    assert by_device["steps"].sum().to_dict() == {"a": 0, "b": 0, "c": 150}
    assert len(found) == 190


def test_an_unworn_device_does_not_speak_and_exchanged_ones_both_do() -> None:
    lying_about = worn("a", "2024-03-04T08:00", 300, counts=0.0).assign(worn=False)
    morning = worn("b", "2024-03-04T10:00", 60, counts=10.0)
    noon = worn("c", "2024-03-04T11:00", 60, counts=20.0)
    minutes = pd.concat([lying_about, morning, noon], ignore_index=True)
    found = one_device_a_place(minutes.astype({"worn": "boolean"}))
    assert found.loc[found["device"] != "a", "counts"].tolist() == [10.0] * 60 + [20.0] * 60
