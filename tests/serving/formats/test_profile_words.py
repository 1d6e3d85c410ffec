"""A functional profile in words: on a page whole, on a card as far as it fits."""

from __future__ import annotations

import io

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from contracts.vocabulary import Domain
from serving.forecast.audit_status import ServedModel
from serving.formats.cds.cards import MOST_WORDS, cards
from serving.formats.plain_text import as_plain_text
from serving.formats.profile_words import domain_in_words, profile_lines
from serving.profile import AtThatTime, DomainProfile, Earlier, InstrumentScale, ProfileMeasure
from tests.serving.formats.test_documents import bare, forecast, overridden

ARM = ProfileMeasure(
    code="REHABCAST//FUGL_MEYER_UE", name="Fugl-Meyer upper extremity", unit="{score}", value=18,
    first_day=21, last_day=21, scale=InstrumentScale(low=0, high=66, better="higher"),
    before=Earlier(value=30, first_day=14, last_day=14),
    first=Earlier(value=12, first_day=0, last_day=0),
    people=AtThatTime(lower=20, middle=30, upper=40, people=25),
)  # fmt: skip
STEPS = ProfileMeasure(
    code="LOINC//41950-7", name="steps in 24 hours", unit="/d", value=3012.5, first_day=24,
    last_day=30, scale=None, before=Earlier(value=1000, first_day=10, last_day=23), first=None,
    people=AtThatTime(lower=1800, middle=2900, upper=4400, people=25),
)  # fmt: skip
MOOD = ProfileMeasure(
    code="REHABCAST//MADRS", name="Montgomery-Asberg Depression Rating Scale", unit="{score}",
    value=14, first_day=18, last_day=18, scale=InstrumentScale(low=0, high=60, better="lower"),
    before=None, first=None, people=None,
)  # fmt: skip
AFFECT = msgspec.structs.replace(
    MOOD, name="positive affect (PANAS)", value=31,
    scale=InstrumentScale(low=10, high=50, better="higher"),
)  # fmt: skip
SPEED = msgspec.structs.replace(
    STEPS, name="gait speed in daily life", unit="m/s", value=0.6249,
    people=AtThatTime(lower=0.3, middle=0.45, upper=0.6, people=11),
)  # fmt: skip
BY_DOMAIN = {"arm": [ARM], "walking": [STEPS, SPEED], "mood": [MOOD]}


def profile(measures: dict[str, list[ProfileMeasure]]) -> list[DomainProfile]:
    return [
        DomainProfile(
            domain=domain.value,
            measures=measures.get(domain.value, []),
            not_known=[] if measures.get(domain.value) else ["now"],
        )
        for domain in Domain
        if domain is not Domain.NONE
    ]


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        (
            ARM,
            "Fugl-Meyer upper extremity 18 of 66, on day 21 - before 12 on day 0, 30 on day 14 -"
            " below the middle half of people at that time (20 to 40, median 30, from at least 25)",
        ),
        (
            STEPS,
            "steps in 24 hours 3,012 a day, in days 24 to 30 - before 1,000 in days 10 to 23 -"
            " within the middle half of people at that time (1,800 to 4,400, median 2,900, from"
            " at least 25)",
        ),
        (
            SPEED,
            "gait speed in daily life 0.62 metres a second, in days 24 to 30 - before 1,000 in days 10 to 23 -"
            " above the middle half of people at that time (0.30 to 0.60, median 0.45, from at"
            " least 11)",
        ),
        (
            MOOD,
            "Montgomery-Asberg Depression Rating Scale 14 of 60 (lower is better), on day 18 - own"
            " course not known - people at that time not known",
        ),
        (
            AFFECT,
            "positive affect (PANAS) 31 of 10 to 50, on day 18 - own course not known - people at"
            " that time not known",
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_measure_says_what_it_is_held_against(measure: ProfileMeasure, words: str) -> None:
    domain = DomainProfile(domain="any", measures=[measure], not_known=[])
    assert domain_in_words(domain) == f"any: {words}"


def test_a_page_has_every_domain(served: ServedModel) -> None:
    answer = msgspec.structs.replace(bare(overridden(served)), profile=profile(BY_DOMAIN))
    console = Console(width=400, file=io.StringIO(), color_system=None, legacy_windows=False)
    console.print(as_plain_text(answer))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Profile on day 21 after enrolment" in text
    assert "arm: Fugl-Meyer upper extremity 18 of 66" in text
    assert text.count("not known (nothing measured lately)") == 6


def test_a_card_says_the_other_domains_in_words(served: ServedModel) -> None:
    answer = bare(overridden(served))
    answer = msgspec.structs.replace(answer, instrument_code=ARM.code, profile=profile(BY_DOMAIN))
    detail = cards(answer, "")["cards"][0]["detail"]
    assert (
        "Profile: walking 3,012 a day (half then 1,800 to 4,400); mood 14 of 60 (lower is better);"
        " not known: balance, self-care, activity, heart, sleep, participation."
    ) in detail


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    measures=st.dictionaries(
        st.sampled_from([domain.value for domain in Domain]),
        st.lists(st.sampled_from([ARM, STEPS, SPEED, MOOD, AFFECT]), max_size=2),
    ),
    full=st.booleans(), override=st.booleans(),
)  # fmt: skip
def test_a_card_stays_short_whatever_is_known(
    served: ServedModel, measures: dict[str, list[ProfileMeasure]], full: bool, override: bool
) -> None:
    answer = (forecast if full else bare)(overridden(served))
    if not override:
        model = msgspec.structs.replace(answer.model, override=None)
        answer = msgspec.structs.replace(answer, model=model, notes=[])
    whole = profile(measures)
    card = cards(msgspec.structs.replace(answer, profile=whole), "")["cards"][0]
    assert len(f"{card['summary']} {card['detail']}".split()) <= MOST_WORDS
    lengths = [len(line.split()) for line in profile_lines(whole, without=answer.instrument_code)]
    assert lengths == sorted(lengths, reverse=True)
    if not override:
        # Where there is room at all, the profile is there.
        assert "Profile: " in card["detail"] or not lengths or full
