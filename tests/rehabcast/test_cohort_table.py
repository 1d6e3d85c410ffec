"""The first screen of a cohort: words a clinician reads, and nothing that is 0."""

from __future__ import annotations

from io import StringIO

import pandas as pd

from contracts.cohort import Cohort, Provenance, RuleCount
from contracts.naming.units import UNITS
from contracts.vocabulary import vocabulary
from features.cohort.summary import summarise
from rehabcast.cohort_table import cohort_table
from rehabcast.output import console_for


def test_every_unit_of_the_vocabulary_has_words() -> None:
    assert {entry.unit for entry in vocabulary().values()} <= set(UNITS)
    assert not [words for words in UNITS.values() if set("{}[]") & set(words)]


def test_a_cohort_is_told_in_words_with_how_many_people_each_is_of(events: pd.DataFrame) -> None:
    provenance = Provenance(name="made up", source="test", simulated=True)
    cohort = Cohort(events=events, provenance=provenance, digest="0" * 64)
    rules = [RuleCount(rule="dates moved", rows=1234), *[RuleCount(rule="x", rows=0)] * 9]
    console = console_for(width=150, file=StringIO())
    console.print(cohort_table(summarise(cohort), rules))
    lines = [
        " ".join(line.replace("\u2502", " ").split())
        for line in console.file.getvalue().splitlines()
    ]
    scores = int((events["code"] == "REHABCAST//FUGL_MEYER_UE").sum())
    assert any("SIMULATED" in line for line in lines)
    assert "people 60" in lines
    assert any(line.endswith(f", points {scores:,} 60") for line in lines)
    assert "rule: dates moved 1,234 rows" in lines
    assert "9 other rules of the import no row" in lines
    assert not [line for line in lines if line.endswith(" 0")]
