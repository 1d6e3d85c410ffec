"""Every score that a format says has the unit of its scale: cards, FHIR, plain text and answers."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from rich.console import Console

from contracts.observation import Observation
from serving.forecast.audit_status import ServedModel
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.formats.cds.cards import cards
from serving.formats.fhir.assessment import _horizon_note, _notes
from serving.formats.plain_text import as_plain_text
from tests.serving.pages.conftest import SPEED
from tests.serving.pages.test_units import HUNDREDTHS, without_unit


def test_every_format_says_the_unit_of_a_score(served_walking: ServedModel) -> None:
    known = [(6, 0.31), (20, 0.44), (34, 0.62)]
    question = Question(
        subject="P", enrolment_day=6, next_measurement=True,
        observations=[Observation(code=SPEED, day_since_onset=d, value=v) for d, v in known],
    )  # fmt: skip
    answer = respond(question, served_walking, now=datetime.now(UTC))
    assert answer.status == "forecast"
    answer = msgspec.structs.replace(answer, forecast_id="0" * 32)
    console = Console(width=200)
    with console.capture() as capture:
        console.print(as_plain_text(answer))
    text = "\n\n".join(line for line in capture.get().splitlines() if "│" not in line)
    shown = [card[part] for card in cards(answer, "")["cards"] for part in ("summary", "detail")]
    notes = [_horizon_note(answer, each) for each in answer.horizons] + _notes(answer, [])
    assert HUNDREDTHS.search(text)
    found = [
        line for each in (text, *shown, *notes, *answer.in_words) for line in each.split("\n\n")
    ]
    # What a card starts from and its reasons are in the unit that its summary says.
    found = [line for line in found if not line.startswith(("Why: ", "Forecast of "))]
    assert [said for line in found for said in without_unit(line, "en")] == []
