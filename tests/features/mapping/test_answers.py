from __future__ import annotations

import tomllib

from contracts.naming.open_points import OPEN, open_points
from features.mapping.answers import LEAVE_OUT, Place, answered
from features.mapping.findings import Finding, LeftOut
from features.mapping.writing import map_text
from tests.features.mapping.conftest import Propose, column_of

TABLE = "id;Aufnahme;Geschlecht;Alter\n" + "".join(
    f"P{n};2024-01-{n + 10};{'w' if n % 2 else 'x'};{60 + n}\n" for n in range(12)
)
SCORES = "id;Datum;FMA_UE;BBS\n" + "".join(
    f"P{n};2024-01-{n + 10};{20 + n if n else 'nicht testbar'};{30 + n}\n" for n in range(12)
)


def test_a_label_may_stand_for_nothing_a_word_for_a_value_and_a_column_may_stay_out(
    propose: Propose,
) -> None:
    def ask(place: Place, finding: Finding) -> str | None:
        if (finding.key, finding.about or place.column) in {
            ("labels", "x"), ("missing", "nicht testbar"), ("code", "BBS"),
        }:  # fmt: skip
            return LEAVE_OUT
        return None if finding.key == "unit" else finding.options[0].value

    proposal = answered(propose(people=TABLE, scores=SCORES), ask)
    text = map_text(proposal)
    assert 'labels = { "w" = "female" }, missing = ["x"]' in text
    assert "nicht testbar" not in text
    assert column_of(proposal, "BBS").left_out is LeftOut.OTHER
    (point,) = open_points(tomllib.loads(text))
    assert point.entry == ("people.csv", "Alter")


def test_nothing_changes_where_nobody_answers(propose: Propose) -> None:
    proposal = propose(people=TABLE, scores=SCORES)
    assert answered(proposal, lambda place, finding: None) == proposal
    assert OPEN in map_text(proposal)
