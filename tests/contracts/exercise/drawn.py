"""Sets and programmes as hypothesis draws them."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import strategies as st

from contracts.exercise import ExerciseSet, Repetition, SetFile, Span

BEGIN = datetime(2026, 3, 2, 8)
NAMES = ("external rotation", "wall slide")


@st.composite
def repetitions(draw: st.DrawFn) -> Repetition:
    """Draw a repetition whose place in its set is given later."""
    seconds = draw(st.floats(0.5, 8))
    return Repetition(
        start_s=0.0, end_s=seconds, duration_s=seconds, tempo=draw(st.floats(0, 1)),
        range_deg=draw(st.none() | st.floats(0, 180)),
        smoothness_sparc=draw(st.none() | st.floats(-12, 0)),
        smoothness_ldlj=draw(st.none() | st.floats(-12, 0)),
    )  # fmt: skip


@st.composite
def set_files(draw: st.DrawFn) -> SetFile:
    """Draw some sets of one side, one after the other."""
    sets, at = [], BEGIN
    for _ in range(draw(st.integers(0, 3))):
        at += timedelta(minutes=draw(st.integers(1, 2_000)))
        parts, until = [], 0.0
        for one in draw(st.lists(repetitions(), max_size=3)):
            start = until + 0.25
            until = start + one.duration_s
            parts.append(placed(one, start))
        end = at + timedelta(seconds=until + 1)
        sets.append(
            ExerciseSet(
                exercise=draw(st.none() | st.sampled_from(NAMES)),
                side=draw(st.sampled_from(["left", "right", None])),
                start=at,
                end=end,
                repetitions=tuple(parts),
                confidence=draw(st.floats(0, 1)),
                model_version="drawn/1",
            )
        )
        at = end
    span = Span(start=BEGIN, end=at + timedelta(hours=1))
    return SetFile(sets=tuple(sets), recorded=draw(st.sampled_from([None, (), (span,)])))


def placed(one: Repetition, start: float) -> Repetition:
    """Return a repetition that begins at another second of its set."""
    return Repetition(
        start_s=start, end_s=start + one.duration_s, duration_s=one.duration_s, tempo=one.tempo,
        range_deg=one.range_deg, smoothness_sparc=one.smoothness_sparc,
        smoothness_ldlj=one.smoothness_ldlj,
    )  # fmt: skip
