"""Sites that divide the people of one table, and what they make of a round together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from audits.federated.agreement import agree, said_by
from audits.federated.joint import Joint
from audits.federated.people import SitePeople
from audits.judging.policy import Policy, load_policy

GROUPS = {"sex": ("female", "male"), "age band": ("to 60", "to 75", "above")}


@dataclass(frozen=True, kw_only=True)
class Tables:
    """A prediction table and its follow-up table."""

    predictions: pd.DataFrame
    follow_up: pd.DataFrame
    policy: Policy = field(
        default_factory=lambda: load_policy().model_copy(update={"required": ()})
    )

    def people(self, subjects: Sequence[int] | None = None) -> SitePeople:
        tables = (self.predictions, self.follow_up)
        if subjects is not None:
            tables = tuple(t[t["subject_id"].isin(subjects)] for t in tables)  # type: ignore[assignment]
        return SitePeople.of(*tables, self.policy)

    def sites(self, site_S: np.ndarray) -> list[SitePeople]:
        """Divide people into sites, by the number of each person's site."""
        return [self.people(np.flatnonzero(site_S == n).tolist()) for n in np.unique(site_S)]


def joint_of(sites: Sequence[SitePeople]) -> Joint:
    said = tuple(said_by(site) for site in sites)
    return Joint(layout=agree(said), said=said, has_champion=False)


@pytest.fixture(scope="session")
def tables_of(
    table_of: Callable[..., pd.DataFrame], follow_up_of: Callable[..., pd.DataFrame]
) -> Callable[..., Tables]:
    def make(people: int, lost: int = 0, **options: object) -> Tables:
        table = table_of(people, **{"groups": GROUPS, **options})
        is_lost = table["subject_id"] < lost
        kept = table[~is_lost]
        gone = table[is_lost & (table["model"] == "candidate")]
        return Tables(predictions=kept, follow_up=follow_up_of(kept, gone))

    return make
