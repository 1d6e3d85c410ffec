"""Two models in one service on a real ledger: each follows its own promotions and revocations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from audits.ledger.gate import PresentedEvidence, promote
from audits.ledger.ledger import Ledger
from audits.ledger.records import Override, Role
from contracts.errors import ContractError, PromotionRefused
from contracts.verdict import Outcome
from rehabcast.ledger_source import LedgerSource, load_champion
from rehabcast.settings import Settings
from serving.state.champion import ChampionInService
from serving.state.champions import Champions, champions_of
from serving.state.following import Terms
from tests.rehabcast.test_ledger_source import verdict

NOW = datetime.now(UTC)
MODELS = ("arm", "leg")


class Source(LedgerSource):
    """The real ledger; of each version the task is its model's."""

    def load(self, terms: Terms) -> Any:
        target = SimpleNamespace(code=terms.model)
        task = SimpleNamespace(name=terms.model, target=target)
        return SimpleNamespace(bundle=SimpleNamespace(task=task), version=terms.model_version)

    def registry(self) -> None:
        return None


def put_in_service(ledger: Ledger, version: str) -> None:
    audit = ledger.record_audit(
        verdict(version, Outcome.PASS), "f" * 64, actor="ann", now=NOW,
        valid_until=NOW + timedelta(days=30),
    )  # fmt: skip
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        ledger.approve(audit, role, person=person, reason="Read it, discussed it.", now=NOW)
    presented = PresentedEvidence(
        bundle_digest="b" * 64, report=verdict(version, Outcome.PASS), report_digest="f" * 64,
        policy_digest="c" * 64,
    )  # fmt: skip
    promote(
        ledger, model_version=version, presented=presented, actor="bob", now=NOW,
        override=Override(approver="Ann", reason="Pilot on one ward.",
                          until=NOW + timedelta(days=9), restricted_use="Ward 3 only."),
    )  # fmt: skip


@contextmanager
def started(place: Settings) -> Iterator[Champions | None]:
    """Open both as `rehabcast serve` does; None where nothing may be served."""

    def begin(model: str) -> ChampionInService:
        return ChampionInService(Source(place, model), 600, may_be_withdrawn=True)

    try:
        champions = champions_of({model: partial(begin, model) for model in MODELS}, 600)
    except PromotionRefused:
        yield None
        return
    with closing(champions):
        yield champions


def in_service(champions: Champions | None) -> dict[str, str]:
    current = [] if champions is None else champions.current
    return {
        each.served.bundle.task.name: each.served.version  # type: ignore[attr-defined]
        for each in current
        if each.withdrawn is None
    }


STEPS = st.tuples(st.sampled_from(MODELS), st.sampled_from(["promote", "revoke"]))


@settings(
    max_examples=12, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps=st.lists(STEPS, min_size=1, max_size=6))
def test_what_becomes_of_one_model_changes_nothing_of_the_other(
    steps: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Started after each step, and running through all later ones: both serve what was promoted."""
    folder: Path = tmp_path_factory.mktemp("two")
    place = Settings(ledger_url=f"sqlite:///{folder / 'ledger.db'}", home=folder)
    expected: dict[str, str] = {}
    latest = dict.fromkeys(MODELS, 0)
    with closing(Ledger(place.ledger_url)) as ledger:
        put_in_service(ledger, "arm/1")
        expected["arm"], latest["arm"] = "arm/1", 1
        with started(place) as running:
            assert running is not None
            for model, step in steps:
                if step == "promote":
                    latest[model] += 1
                    put_in_service(ledger, f"{model}/{latest[model]}")
                    expected[model] = f"{model}/{latest[model]}"
                elif expected.pop(model, None):
                    ledger.revoke(model, actor="bob", reason="Harm was seen.", now=NOW)
                for champion in [*running._models[0].values()]:
                    for _ in range(3):
                        champion.refresh()  # type: ignore[attr-defined]
                running.begin_again()
                assert in_service(running) == expected
                with started(place) as fresh:
                    assert in_service(fresh) == expected


def test_a_setting_with_several_models_opens_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REHABCAST_HOME", str(tmp_path))
    monkeypatch.setenv("REHABCAST_MODEL", "arm, leg")
    assert Settings().model == MODELS
    with pytest.raises(ContractError, match="names 2 models: name one of them: arm, leg"):
        load_champion()
    Ledger(f"sqlite:///{tmp_path / 'ledger.db'}").close()
    with pytest.raises(PromotionRefused, match="no champion of 'leg'"):
        load_champion("leg")
