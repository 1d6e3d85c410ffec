from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from contracts.observation import Observation
from serving.forecast.audit_status import ServedModel
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.formats.cds.cards import MOST_WORDS, cards
from serving.formats.cds.override import LONGEST, MOST_HELD_BACK, override_line
from serving.model_info import Override
from serving.schemas import ForecastAnswer
from tests.serving.formats.test_plain_text import NOW

WORD = st.text("abcdefgh", min_size=1, max_size=2 * LONGEST)
TEXT = st.lists(WORD, min_size=1, max_size=30).map(" ".join)


def overridden(
    answer: ForecastAnswer, texts: tuple[str, str, str], held: list[str]
) -> ForecastAnswer:
    who, use, why = texts
    override = Override(approver=who, restricted_use=use, reason=why, until="2100-01-01T00:00:00Z")
    model = msgspec.structs.replace(
        answer.model, override=override, audit_outcome="insufficient evidence"
    )
    return msgspec.structs.replace(
        answer, model=model, held_back=held, banner="-", forecast_id="0" * 32
    )


def served_answer(served: ServedModel) -> ForecastAnswer:
    score = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": 20.0}
    question = Question(
        subject="P-1", enrolment_day=10, observations=msgspec.convert([score], list[Observation])
    )
    return respond(question, served, now=NOW)


def test_no_part_of_an_override_is_lost_silently(served: ServedModel) -> None:
    plain = served_answer(served)

    @given(st.tuples(TEXT, TEXT, TEXT), st.lists(TEXT, max_size=3), st.integers(0, 80))
    def check(texts: tuple[str, str, str], held: list[str], most: int) -> None:
        answer = overridden(plain, texts, held)
        line = override_line(answer, most, "https://clinic.test/about", held)
        fewest = override_line(answer, 0, "https://clinic.test/about", held)
        assert len(line.split()) <= max(most, len(fewest.split()))
        assert "until 1 January 2100 by" in line
        for text in texts:
            # Whole, or its beginning and a link to the rest.
            is_cut = f"{text[: min(LONGEST, len(text.split()[0]))]}" in line and "[…](" in line
            assert text in line or is_cut
        assert not held or " ".join(held[0].split()[:MOST_HELD_BACK]) in line
        for card in cards(answer, "https://clinic.test/about")["cards"]:
            assert len(f"{card['summary']} {card['detail']}".split()) <= MOST_WORDS
            assert all(text.split()[0][:LONGEST] in card["detail"] for text in texts)

    check()
