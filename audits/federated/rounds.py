"""What a site's ledger keeps of rounds, and which further round it takes part in.

Totals of two rounds differ by what changed between them: by a site that came or left, or by a few
new patients. So a site gives sums of a model's bundle once, and of another bundle only among the
same sites and of the same people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from audits.ledger.ledger import Ledger
from audits.ledger.trail import FEDERATED_AUDIT, FEDERATED_EXPORT, Entry, append
from contracts.errors import ContractError
from stores.database import write


def require_new(
    entries: Iterable[Entry], *, bundle_digest: str, sites: Iterable[str], people_digest: str
) -> None:
    """Refuse sums that would tell of few people beside those that were given before.

    Raises
    ------
    ContractError
        Sums of this bundle were given; or of another one, among other sites or of other people.
    """
    for entry in entries:
        if entry.kind != FEDERATED_EXPORT:
            continue
        details = entry.details()
        where = f"in round {details['round']!r}"
        if details["bundle_digest"] == bundle_digest:
            raise ContractError(
                f"this site gave sums of this model {where}: a second time, their difference would"
                " tell of few people",
                "judge another version of the model in the next round",
            )
        if details["sites"] != sorted(sites):
            raise ContractError(
                f"this site gave sums among other sites {where}: the difference of both rounds"
                " would tell the numbers of the site that came or left",
                "hold the round among the same sites",
            )
        if details["people_digest"] != people_digest:
            raise ContractError(
                f"this site gave sums of other people {where}: the difference of both rounds would"
                " tell of those who came or left",
                "hold the round on the same people, or on people of whom none was in a round",
            )


def require_not_judged(entries: Iterable[Entry], round_digest: str) -> None:
    """Refuse a round that is in the ledger already.

    Raises
    ------
    ContractError
        It is.
    """
    for entry in entries:
        if entry.kind == FEDERATED_AUDIT and entry.details()["round_digest"] == round_digest:
            raise ContractError(
                f"this round was judged before, in entry {entry.sequence} of the ledger",
                "`rehabcast ledger show` has its verdict; give the files of a new round",
            )


def record(
    ledger: Ledger, kind: str, about: str, details: Mapping[str, Any], *, actor: str, now: datetime
) -> Entry:
    """Append an entry on a round: sums given (`FEDERATED_EXPORT`) or judged (`FEDERATED_AUDIT`)."""
    identify = ledger.identities.offered(actor)
    return write(
        ledger.engine,
        partial(append, kind=kind, about=about, actor=actor, now=now, details=details,
                identify=identify),
    )  # fmt: skip
