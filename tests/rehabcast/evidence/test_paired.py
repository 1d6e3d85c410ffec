"""`rehabcast monitor compare` on a home: pairs are judged, held back where few, signed and bound."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.sequential.in_service import ServedPairs
from contracts.changes.comparison import ServedComparison
from contracts.errors import ContractError, IntegrityError
from contracts.observation import Observation
from contracts.predictions import CANDIDATE, MODEL, SUBJECT
from contracts.task import Task
from inference.bundle import Bundle
from rehabcast.auditing.planned_changes import planned_line
from rehabcast.auditing.served_pairs import METADATA, open_pairs, write_pairs
from rehabcast.auditing.signed_tables import read_stated
from rehabcast.evidence.paired import people_shown
from rehabcast.identity import open_ledger
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import open_bundle
from serving.state.evidence.shadow import SHADOW
from serving.state.forecast_log import ForecastEntry, append
from serving.state.store import Store
from tests.rehabcast.command_line import run
from tests.rehabcast.evidence.test_running import FIELDS, FIRST, home
from tests.serving.state.evidence.test_counting import forecast
from training.registry.model_versions import find

__all__ = ["home"]

# MLflow uses what others deprecate; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

PEOPLE = 60
NOT = ContractError("not that", "make it again")


@pytest.fixture
def shadowed(home: Path) -> Path:
    """The folder of a home whose champion's bundle is registered again, as its shadow."""
    client = Settings().store.client()
    first = client.get_model_version("arm", "1")
    client.create_model_version("arm", first.source, first.run_id, tags=dict(first.tags))
    return home.parent


def serve(task: Task, people: int, worse: float) -> None:
    """Both are asked about five SIMULATED people a week; the shadow is further off by some points."""
    primary = next(h for h in task.horizons if h.weeks == task.primary_horizon_weeks)
    given: list[ForecastEntry] = []
    with closing(Store(Settings().store_url)) as store:
        for n in range(people):
            # Ten are men, which is few.
            name, day = f"{'P' * (2 if n < 10 else 1)}-{n + 100}", FIRST + timedelta(days=n)
            given += [
                forecast(task, 1000 + 2 * n, name, day),
                forecast(
                    task, 1001 + 2 * n, name, day, median=30 + worse, version="arm/2", route=SHADOW
                ),
            ]  # fmt: skip
            store.add(
                "ward", name, 5,
                [Observation(code=task.target.code, day_since_onset=5 + primary.day, value=28.0)],
                actor="dr", now=datetime(2026, 6, 1, tzinfo=UTC),
            )  # fmt: skip
        append(store, given)


def test_a_shadow_is_compared_person_by_person_and_its_table_counts_beside_that_champion_only(
    shadowed: Path, task: Task, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    early = run(capsys, monkeypatch, "monitor", "compare", "arm/2")
    assert "no outcome has come of a question that it and arm/1 both answered" in early.text
    refused = run(capsys, monkeypatch, "monitor", "compare", "arm/1")
    assert "is the version in service" in refused.text
    serve(task, PEOPLE, worse=3.0)
    with monkeypatch.context() as elsewhere:
        # One that is missing is refused with the settings, before anything is compared.
        (shadowed / "broken.toml").write_text("limits = 1\n", "utf-8")
        elsewhere.setenv("REHABCAST_POLICY", str(shadowed / "broken.toml"))
        said = run(capsys, monkeypatch, "monitor", "compare", "arm/2", "--output", "p.parquet")
    assert (said.code, list(shadowed.glob("p.parquet*"))) == (3, []), said.text
    said = run(
        capsys, monkeypatch, "monitor", "compare", "arm/2", "--output", "p.parquet", "--json"
    )
    assert said.code == 0, said.text
    record = json.loads(next(x for x in said.text.splitlines() if x.startswith("{")))
    pinned = json.loads(FIELDS.read_text("utf-8"))["monitor compare"]
    assert list(record) == [path for path in pinned if "." not in path]
    assert (record["champion"], record["people"]) == ("arm/1", "at least 60")
    by = {(d["metric"], d["attribute"], d["group"]): d for d in record["differences"]}
    everyone = by["mean absolute error", "everyone", "everyone"]
    # The outcome is 28: the champion's 30 is off by 2, the shadow's 33 by 5.
    assert everyone["difference"] == 3.0
    assert 1.0 < everyone["low"] < 3.0 < everyone["high"] < 5.0
    # Ten people are few; who is left would tell of them.
    for group in ("female", "male"):
        assert by["mean absolute error", "sex", group]["difference"] is None
    # Of an attribute with everyone in one group nothing is said a second time.
    assert {d["attribute"] for d in record["differences"]} == {"everyone", "sex"}
    assert record["criteria"] == []

    bundle = open_bundle(Settings(), find(Settings().store, "arm/2"))
    pairs = open_pairs(Settings(), shadowed / "p.parquet", bundle, "arm/1", bundle.digest)
    assert pairs.comparison.pairs_digest == record["pairs_digest"]
    assert len(pairs.rows[pairs.rows[MODEL] == CANDIDATE]) == PEOPLE
    refuses_what_is_of_another(shadowed / "p.parquet", bundle, pairs)


def refuses_what_is_of_another(file: Path, bundle: Bundle, pairs: ServedPairs) -> None:
    settings, other = Settings(), file.with_name("other.parquet")
    with pytest.raises(ContractError, match="beside bundle"):
        open_pairs(settings, file, bundle, "arm/1", "f" * 64)
    of_another = pairs.comparison.model_copy(update={"bundle_digest": "f" * 64})
    write_pairs(settings, pairs.rows, of_another, other)
    with pytest.raises(ContractError, match="its shadow is bundle ffff"):
        open_pairs(settings, other, bundle, "arm/1", bundle.digest)
    real = replace(bundle, manifest=bundle.manifest.model_copy(update={"simulated": False}))
    with pytest.raises(ContractError, match="SIMULATED"):
        open_pairs(settings, file, real, "arm/1", bundle.digest)
    with pytest.raises(ContractError, match="not that"):
        read_stated(settings, file, ServedComparison, b"another", NOT)
    with closing(open_ledger(settings)) as ledger, pytest.raises(ContractError, match="no change"):
        planned_line(settings, ledger, [], "arm/2", bundle, pairs.rows, None, file)
    pd.read_parquet(file).head(20).to_parquet(file)
    with pytest.raises(IntegrityError):
        read_stated(settings, file, ServedComparison, METADATA, NOT)


@pytest.mark.property
@given(
    is_in_N=st.lists(st.booleans(), max_size=60).map(np.array),
    seed=st.integers(0, 99),
)
def test_a_difference_told_again_is_of_the_same_people_or_of_eleven_more(
    is_in_N: np.ndarray, seed: int
) -> None:
    due = np.random.default_rng(seed).permutation(len(is_in_N))
    before: set[int] = set()
    for looked_at in range(len(due) + 1):
        own = pd.DataFrame({SUBJECT: due[:looked_at]})
        people = np.sort(due[:looked_at])
        in_group_N = is_in_N[people].astype(bool)
        now = set(people[people_shown(people, in_group_N, own)].tolist())
        assert before <= now
        assert len(now - before) in {0, 11}
        assert len(now) > in_group_N.sum() - 11
        before = now
