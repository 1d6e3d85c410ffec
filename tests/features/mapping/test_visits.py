"""Tables with columns for each visit."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from contracts.cohort import CODE
from features.importing import import_source
from features.mapping.answers import answered
from features.mapping.findings import Standing
from features.mapping.proposal import propose_map
from features.mapping.visits import visit_of
from features.mapping.writing import map_text
from tests.features.mapping.conftest import Propose, column_of
from tests.features.mapping.test_round_trip import confirm

FM = "REHABCAST//FUGL_MEYER_UE"

BY_VISIT = "id;onset;sex;date_T0;FMA_UE_T0;date_T1;FMA_UE_T1\n" + "".join(
    f"P{n};2024-01-{n + 10};f;2024-01-{n + 15};{20 + n};2024-03-{n + 10};{30 + n}\n"
    for n in range(12)
)


def test_each_visit_is_read_with_its_own_date(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "scores.csv").write_text(BY_VISIT)
    proposal = answered(propose_map([folder], folder), confirm)
    whens = [f.value for t in proposal.tables if (f := t.finding("when")) is not None]
    assert whens == ["date_T0", "date_T1"]
    (folder / "map.toml").write_text(map_text(proposal), "utf-8")
    events = import_source(folder / "map.toml", tmp_path / "cohort").cohort.events
    scores = events[events[CODE] == FM]
    assert sorted(scores["numeric_value"]) == sorted(v + n for n in range(12) for v in (20, 30))
    assert {stamp.month for stamp in scores["time"]} == {1, 3}
    assert (events[CODE] == "REHABCAST//SEX").sum() == 12


def test_visits_without_dates_of_their_own_are_asked(propose: Propose) -> None:
    text = "id;date;FMA_UE_T0;FMA_UE_T1\n" + "".join(
        f"P{n};2024-01-{n + 15};{20 + n};{30 + n}\n" for n in range(12)
    )
    proposal = propose(scores=text)
    for name in ("FMA_UE_T0", "FMA_UE_T1"):
        code = column_of(proposal, name).finding("code")
        assert code is not None
        assert code.standing is Standing.ASKED
    assert '"FMA_UE_T1" seem to be it too' in map_text(proposal).replace("\n    #", "")


@given(
    stem=st.sampled_from(["FM", "Barthel", "date"]), visit=st.sampled_from(["T0", "t12", "6", "bl"])
)
def test_a_visit_is_told_at_either_end_of_a_name(stem: str, visit: str) -> None:
    assert (
        visit_of(f"{stem}_{visit}") == visit_of(f"{visit}.{stem}") == (stem.lower(), visit.lower())
    )
    assert visit_of(stem) == (stem.lower(), "")
