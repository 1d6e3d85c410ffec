"""What `rehabcast audit` compares a candidate with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.bundle import MANIFEST_FILE
from contracts.digests import file_digest
from contracts.errors import ContractError
from contracts.predictions import CANDIDATE, CHAMPION, HORIZON, MODEL, ORIGIN, SUBJECT
from rehabcast import signed_artifacts
from rehabcast.auditing import champion_forecasts
from rehabcast.auditing.champion_forecasts import champion_table, with_champion
from rehabcast.settings import Settings


def forecasts(model: str, subjects: list[int], q50: float) -> pd.DataFrame:
    return pd.DataFrame(
        {MODEL: model, SUBJECT: subjects, ORIGIN: 0, HORIZON: 84, "q50": q50},
    )


def test_the_champion_stands_beside_the_candidate_for_the_same_forecasts_only() -> None:
    candidate = forecasts(CANDIDATE, [1, 2], 30.0)
    champion = pd.concat([forecasts(CANDIDATE, [2, 3], 40.0), forecasts("comparator", [2], 1.0)])
    both = with_champion(candidate, champion.assign(note="not in the candidate's table")).rows
    assert list(both.columns) == list(candidate.columns)
    added = both[both[MODEL] == CHAMPION]
    assert added[[SUBJECT, "q50"]].to_numpy().tolist() == [[2, 40.0]]
    assert len(both) == 3


@pytest.mark.parametrize("outcome", ["truth", "reached:walks"])
def test_a_table_of_other_people_with_the_same_numbers_is_refused(outcome: str) -> None:
    candidate = forecasts(CANDIDATE, [1, 2, 3], 30.0).assign(**{outcome: [1.0, 0.0, np.nan]})
    same = forecasts(CANDIDATE, [3, 1, 9], 40.0).assign(**{outcome: [np.nan, 1.0, 7.0]})
    assert (with_champion(candidate, same).rows[MODEL] == CHAMPION).sum() == 2
    other = same.assign(**{outcome: [0.0, 1.0, 7.0]})
    with pytest.raises(ContractError, match="1 of 2 subjects, so it is of another cohort"):
        with_champion(candidate, other)


def test_outcomes_that_came_later_are_left_out_counted_and_not_refused() -> None:
    rng = np.random.default_rng(0)
    truth_N = rng.integers(0, 67, 60).astype(float)
    candidate = forecasts(CANDIDATE, list(range(60)), 30.0).assign(truth=truth_N)
    for changed in (0, 1, 12, 25):
        before_N = truth_N.copy()
        before_N[:changed] = np.where(before_N[:changed] > 30, np.nan, before_N[:changed] + 4)
        champion = forecasts(CANDIDATE, list(range(60)), 40.0).assign(truth=before_N)
        both = with_champion(candidate, champion)
        added = both.rows[both.rows[MODEL] == CHAMPION]
        assert both.other_outcomes == set(range(changed))
        assert set(added[SUBJECT]) == set(range(changed, 60))


@pytest.mark.parametrize("values", [2, 3, 7, 67])
def test_other_people_with_the_same_numbers_are_told_however_few_values_a_score_has(
    values: int,
) -> None:
    rng = np.random.default_rng(values)
    for _ in range(20):
        one_N, other_N = rng.integers(0, values, (2, 80)).astype(float)
        candidate = forecasts(CANDIDATE, list(range(80)), 30.0).assign(truth=one_N)
        with pytest.raises(ContractError, match="so it is of another cohort"):
            with_champion(candidate, candidate.assign(truth=other_N))
        few_N = np.where(np.arange(80) < 8, other_N, one_N)
        assert len(with_champion(candidate, candidate.assign(truth=few_N)).other_outcomes) <= 8


def test_two_tables_of_a_champion_have_two_digests(tmp_path: Path) -> None:
    digests = set()
    for q50 in (30.0, 31.0):
        forecasts(CANDIDATE, [1], q50).to_parquet(tmp_path / "table.parquet", index=False)
        digests.add(champion_table(Settings(), "arm/1", tmp_path / "table.parquet").digest)
    assert len(digests) == 2


def test_a_champion_whose_bundle_gives_no_forecast_any_more_is_compared_all_the_same(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "predictions.parquet"
    forecasts(CANDIDATE, [1, 2], 30.0).to_parquet(table, index=False)
    folder = shutil.copytree(bundle_folder, tmp_path / "bundle")
    manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
    manifest |= {"format": "rehabcast-bundle/1", "predictions_digest": file_digest(table)}
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")
    monkeypatch.setattr(champion_forecasts, "find", lambda _, name: name)
    monkeypatch.setattr(signed_artifacts, "fetch_bundle", lambda *_: folder)
    monkeypatch.setattr(signed_artifacts, "fetch", lambda *_: table)
    assert champion_table(Settings(), "arm/1", None).rows[SUBJECT].tolist() == [1, 2]


def test_a_file_that_is_not_a_prediction_table_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "other.parquet"
    pd.DataFrame({"x": [1]}).to_parquet(file)
    with pytest.raises(ContractError, match="not a prediction table") as refused:
        champion_table(Settings(), "arm/1", file)
    assert "rehabcast evaluate" in refused.value.what_to_do


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more", b"# A page of text"])
def test_a_file_that_cannot_be_read_as_a_table_is_refused_without_a_traceback(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "table.parquet"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ContractError) as refused:
        champion_table(Settings(), "arm/1", file)
    assert refused.value.reason.startswith("table.parquet")
    assert refused.value.what_to_do
