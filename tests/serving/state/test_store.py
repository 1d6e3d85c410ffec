"""The service's store on a real PostgreSQL server, as a hospital would run it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import TRACED
from contracts.errors import ForecastRefused, ServiceUnavailable
from contracts.observation import Observation
from contracts.vocabulary import Kind, vocabulary
from serving.schemas import FeedbackRequest
from serving.state.consent import set_consent
from serving.state.store import NotOnRecord, Store
from support.repository import UPPER_LIMB, repository_task
from tests.refusals import refuses

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_a_running_record_is_kept_and_never_overwritten(store: Store) -> None:
    score = Observation(code="REHABCAST//FUGL_MEYER_UE", day_since_onset=10, value=22.0)
    age = Observation(code="REHABCAST//AGE", value=68.0)
    assert store.add("ward", "P", 10, [score, age], actor="dr", now=NOW) == 2
    assert store.add("ward", "P", None, [score], actor="dr", now=NOW) == 2
    other = Observation(code=score.code, day_since_onset=10, value=23.0)
    with refuses(ForecastRefused, match="nothing was added"):
        store.add("ward", "P", None, [other], actor="dr", now=NOW)
    assert store.record("ward", "P") == (10, [age, score])


def test_a_token_is_used_once_even_when_two_workers_look_at_once(store: Store) -> None:
    expires = int(NOW.timestamp()) + 60
    with ThreadPoolExecutor(8) as pool:
        accepted = list(pool.map(lambda _: store.use_once("digest", expires, NOW), range(16)))
    assert accepted.count(True) == 1


CODES = st.sampled_from(["REHABCAST//FUGL_MEYER_UE", "LOINC//41950-7"])
SUBJECTS = st.sampled_from(["P", "Q"])
ACTIONS = st.one_of(
    st.tuples(st.just("add"), SUBJECTS, CODES, st.integers(0, 2), st.integers(0, 3)),
    st.tuples(st.just("consent"), SUBJECTS, st.sampled_from(["given", "withdrawn"])),
    st.tuples(st.just("feedback"), st.sampled_from(["a" * 32, "b" * 32])),
    st.tuples(st.just("read"), SUBJECTS),
)


def answer_of(store: Store, tenant: str, action: tuple[Any, ...]) -> object:
    match action:
        case ("add", subject, code, day, value):
            observation = Observation(code=code, day_since_onset=day, value=float(value))
            return store.add(tenant, subject, 10, [observation], actor="dr", now=NOW)
        case ("consent", subject, state):
            return set_consent(store.engine, tenant, subject, state, actor="dr", now=NOW)
        case ("feedback", forecast):
            request = FeedbackRequest(forecast_id=forecast, outcome="accepted")
            return store.add_feedback(tenant, [request], actor="dr", now=NOW)
        case (_, subject):
            return store.record(tenant, subject)


def answers_of(store: Store, tenant: str, action: tuple[Any, ...]) -> str:
    try:
        return repr(answer_of(store, tenant, action))
    except ForecastRefused as refusal:
        return f"{type(refusal).__name__} {refusal}"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), ACTIONS), max_size=14))
def test_nothing_that_one_tenant_does_changes_an_answer_of_another(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, tuple[Any, ...]]]
) -> None:
    folder = tmp_path_factory.mktemp("tenants")
    with (
        closing(Store(f"sqlite:///{folder / 'both.db'}")) as both,
        closing(Store(f"sqlite:///{folder / 'alone.db'}")) as alone,
    ):
        for is_ours, action in steps:
            answered = answers_of(both, "ours" if is_ours else "theirs", action)
            if is_ours:
                assert answered == answers_of(alone, "ours", action)


def test_what_is_anothers_and_what_is_unknown_are_refused_alike(store: Store) -> None:
    store.add(
        "ours", "P", 10, [Observation(code="REHABCAST//AGE", value=68.0)], actor="dr", now=NOW
    )
    refusals = []
    for tenant, subject in (("theirs", "P"), ("theirs", "nobody"), ("", "P")):
        with refuses(NotOnRecord) as refusal:
            store.record(tenant, subject)
        refusals.append(str(refusal.value))
    assert len(set(refusals)) == 1


def test_a_store_from_before_the_chain_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE service_forecast (sequence INTEGER)")
    with refuses(ServiceUnavailable, match="development version"):
        Store(url)
    assert sa.inspect(engine).get_table_names() == ["service_forecast"]
    engine.dispose()


def test_no_value_beyond_what_its_code_can_have_is_put_on_record(tmp_path: Path) -> None:
    """Whoever stores it: on record it would hide what alerts should say."""
    numeric = {code: entry for code, entry in vocabulary().items() if entry.is_numeric}
    right: list[Observation] = []
    assert len(numeric) > 100
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}")) as store:
        for code, entry in sorted(numeric.items()):
            assert entry.low is not None
            assert entry.high is not None
            day = None if entry.kind is Kind.PERSON else 12
            for value in (entry.low - 1, entry.high + 1):
                wrong = Observation(code=code, day_since_onset=day, value=value)
                with pytest.raises(ForecastRefused, match=code):
                    store.add("ward", "P", 10, [wrong], actor="dr", now=NOW)
            right.append(Observation(code=code, day_since_onset=day, value=entry.high))
        assert store.add("ward", "P", 10, right, actor="dr", now=NOW) == len(right)


def test_a_lost_outcome_is_found_once_and_no_second_score_of_it_is_chosen_from(
    tmp_path: Path,
) -> None:
    task = repository_task(UPPER_LIMB)
    first, end = task.horizons[-1].window_days
    code = task.target.code

    def found(day: int, score: float = 30.0) -> list[Observation]:
        values = [Observation(code=code, day_since_onset=10 + day, value=score)]
        return [*values, Observation(code=TRACED, day_since_onset=10 + day)]

    with closing(Store(f"sqlite:///{tmp_path / 'a.db'}", make=True)) as store:

        def add(values: list[Observation]) -> int:
            return store.add("ward", "P", 10, values, actor="dr", now=NOW, tasks=[task])

        assert add(found(first)) == 2
        # The same once more changes nothing, nor is a score without the mark one of tracing.
        assert add(found(first)) == 2
        assert add(found(first + 1)[:1]) == 3
        refused = "another score that tracing found"
        with refuses(ForecastRefused, match=refused):
            add(found(first + 1))
        # Nor the mark alone, behind its score; nor a score behind its mark.
        with refuses(ForecastRefused, match=refused):
            add(found(first + 1)[1:])
        assert add(found(end - 1)[1:]) == 4
        with refuses(ForecastRefused, match=refused):
            add(found(end - 1)[:1])
        # Another outcome, and whatever else is measured, is taken as before.
        assert add(found(end)) == 6
        assert add([Observation(code="REHABCAST//AGE", value=68.0)]) == 7
