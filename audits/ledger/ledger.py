"""The ledger: which version is the champion, and the append-only trail of how it came to be.

Each entry of the trail carries the hash of the one before, so that an edit, a loss in the middle
or a changed order can be detected. A chain alone cannot reveal that its tail was cut or rewritten:
keep a signed `LedgerState` elsewhere (a second system) and pass it to `Ledger.verify` as anchor.

SQLite by default, PostgreSQL by URL; triggers refuse changes of the trail in both.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from audits.ledger.audit_entries import (
    append_approval,
    append_audit,
    approvals_of,
    freeze_policy,
    require_approvers,
    require_latest,
)
from audits.ledger.changes.plans import require_within_plan
from audits.ledger.consistency import (
    check_anchor,
    check_champions,
    check_entries,
    recorded_champions,
)
from audits.ledger.identity import TRIAL, Identities
from audits.ledger.promotions import (
    current_champion,
    epoch_of,
    promoted_at_epoch,
    replace_champion,
    restored,
)
from audits.ledger.records import (
    Approval,
    AuditRecord,
    Champion,
    LedgerState,
    Override,
    Role,
    audit_of,
    champion_of,
    new_champion,
    require_reason,
)
from audits.ledger.storage import champion_table, open_database
from audits.ledger.trail import (
    AUDIT,
    PROMOTION,
    REVOCATION,
    ROLLBACK,
    WITHDRAWALS,
    WITHDRAWN,
    Entry,
    entries,
    latest,
    utc,
    verified,
)
from contracts.changes.comparison import PlanComparison
from contracts.errors import EvidenceMissing
from contracts.verdict import Verdict
from stores.database import reading, write
from stores.secret_url import SecretUrl


class Ledger:
    """Opens the ledger at a database URL; creates it where there is none, if it is to (`make`).

    Parameters
    ----------
    identities
        How it knows who acts: by people's keys, or, in a one-person trial, not at all.

    Raises
    ------
    EvidenceMissing, ServiceUnavailable
        There is none and none is created; or it cannot be opened.
    """

    def __init__(
        self, url: str | SecretUrl, identities: Identities = TRIAL, *, make: bool = True
    ) -> None:
        self.engine, self.identities = open_database(url, make=make), identities

    def close(self) -> None:
        """Close the connections to the database."""
        self.engine.dispose()

    def freeze_policy(self, version: str, digest: str, *, actor: str, now: datetime) -> None:
        """Append the digest of the policy in force, unless it is the last that was appended."""
        write(
            self.engine,
            partial(freeze_policy, version=version, digest=digest, actor=actor, now=now,
                    identities=self.identities),
        )  # fmt: skip

    def record_audit(
        self,
        verdict: Verdict,
        report_digest: str,
        *,
        actor: str,
        now: datetime,
        valid_until: datetime,
    ) -> AuditRecord:
        """Append an audit, which replaces earlier ones at the gate (`append_audit`)."""
        return write(
            self.engine,
            partial(append_audit, verdict=verdict, report_digest=report_digest, actor=actor,
                    now=now, valid_until=valid_until, identities=self.identities),
        )  # fmt: skip

    def latest_audit(
        self, model_version: str, bundle_digest: str | None = None
    ) -> AuditRecord | None:
        """Return a version's last audit; None where it has none, or it was of another bundle."""
        with reading(self.engine) as connection:
            entry = latest(connection, kind=AUDIT, about=model_version)
        audit = None if entry is None else audit_of(entry)
        return audit if audit and bundle_digest in {None, audit.bundle_digest} else None

    def approve(
        self, audit: AuditRecord, role: Role, *, person: str, reason: str, now: datetime
    ) -> Approval:
        """Append a person's approval of an audit's report: `audit_entries.append_approval`."""
        return write(
            self.engine,
            partial(append_approval, audit=audit, role=role, person=person, reason=reason, now=now,
                    identities=self.identities),
        )  # fmt: skip

    def approvals(self, audit: AuditRecord) -> list[Approval]:
        """Return the approvals of an audit, oldest first."""
        with reading(self.engine) as connection:
            return approvals_of(connection, audit, self.identities.people)

    def epoch(self, model: str) -> int:
        """Return how often the champion of a model has changed."""
        with reading(self.engine) as connection:
            return epoch_of(connection, model)

    def promote(
        self,
        audit: AuditRecord,
        *,
        seen_epoch: int,
        actor: str,
        now: datetime,
        override: Override | None = None,
        compared: PlanComparison | None = None,
    ) -> Champion:
        """Make an audited version the champion, if nothing has changed since `seen_epoch`.

        Swap, trail and outbox are one transaction. Only `audits.ledger.gate` calls this, with what
        the report says of the change plan. The database itself refuses a blocked audit, an audit
        that did not pass and has no override, and two approvals by one person.

        Raises
        ------
        PromotionRefused
            Champion or audit were replaced meanwhile, an approval is missing, or a plan forbids it.
        """

        def action(connection: sa.Connection) -> Champion:
            require_latest(connection, audit)
            people = require_approvers(connection, audit, self.identities.people)
            require_within_plan(connection, audit, compared, self.identities.people)
            champion = new_champion(
                audit, people, override, epoch=seen_epoch + 1, promoted_at=utc(now)
            )
            return replace_champion(
                connection, champion, kind=PROMOTION, actor=actor, now=now,
                details={"audit": audit.sequence}, identify=self.identities.required(actor),
            )  # fmt: skip

        return write(self.engine, action)

    def roll_back(
        self, model: str, to_epoch: int, *, seen_epoch: int, actor: str, reason: str, now: datetime
    ) -> Champion:
        """Make the champion of an earlier epoch the champion again; `audits.ledger.gate` checks it.

        Raises
        ------
        EvidenceMissing, PromotionRefused
            There was no such epoch; or the champion or its audit was replaced in the meantime.
        """
        require_reason(reason)

        def action(connection: sa.Connection) -> Champion:
            champion = restored(connection, model, to_epoch, epoch=seen_epoch + 1, now=now)
            return replace_champion(
                connection, champion, kind=ROLLBACK, actor=actor, now=now,
                details={"to_epoch": to_epoch, "why": reason.strip()},
                identify=self.identities.required(actor),
            )  # fmt: skip

        return write(self.engine, action)

    def at_epoch(self, model: str, epoch: int) -> Champion:
        """Return the champion that a model had from an epoch on."""
        with reading(self.engine) as connection:
            return promoted_at_epoch(connection, model, epoch)

    def revoke(self, model: str, *, actor: str, reason: str, now: datetime) -> Champion:
        """Take the champion out of service at once; nothing is served until the next change.

        Raises
        ------
        EvidenceMissing
            There is no champion, or it is revoked already.
        """
        require_reason(reason)

        def action(connection: sa.Connection) -> Champion:
            serving = current_champion(connection, model)
            if serving is None or serving.revoked is not None:
                raise EvidenceMissing(
                    f"{model!r} has no champion to revoke",
                    "`rehabcast ledger show` lists the promotions and revocations",
                )
            champion = replace(serving, epoch=serving.epoch + 1, revoked=reason.strip())
            return replace_champion(
                connection, champion, kind=REVOCATION, actor=actor, now=now, details={},
                identify=self.identities.offered(actor),
            )  # fmt: skip

        return write(self.engine, action)

    def withdrawn_since(self, model_version: str, sequence: int) -> str | None:
        """Return how a version was withdrawn after an entry: revoked, suspended or restricted."""
        with reading(self.engine) as connection:
            found = ((latest(connection, kind=k, about=model_version), k) for k in WITHDRAWALS)
            return next((WITHDRAWN[k] for e, k in found if e and e.sequence > sequence), None)

    def champion(self, model: str | None = None) -> Champion:
        """Return a model's champion, revoked or not; without a model, the one changed last.

        Raises
        ------
        EvidenceMissing
            There is none yet.
        """
        query = sa.select(champion_table).order_by(champion_table.c.sequence.desc()).limit(1)
        if model is not None:
            query = query.where(champion_table.c.model == model)
        with reading(self.engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            of = "" if model is None else f" of {model!r}"
            raise EvidenceMissing(
                f"the ledger has no champion{of}", "run `rehabcast promote NAME/N` after its audit"
            )
        return champion_of(dict(row._mapping))

    def trail(self) -> list[Entry]:
        """Return the whole trail, oldest first, each entry verified.

        Raises
        ------
        IntegrityError
            An entry was edited, lost or moved.
        """
        with reading(self.engine) as connection:
            return list(verified(entries(connection)))

    def verify(self, anchor: LedgerState | None = None) -> LedgerState:
        """Recompute the whole trail, and compare the champions with it.

        Parameters
        ----------
        anchor
            A state kept elsewhere, which the trail must still contain. Without one, a cut tail is
            detected only if a champion rests on it.

        Raises
        ------
        IntegrityError
            An entry was edited, lost or moved, a promotion rests on no audit or approval, or a
            champion differs from the trail.
        """
        with reading(self.engine) as connection:
            stored = list(verified(entries(connection)))
            rows = connection.execute(sa.select(champion_table)).all()
        check_entries(stored, self.identities.people)
        check_champions(recorded_champions(stored), [dict(row._mapping) for row in rows])
        check_anchor(stored, anchor)
        return LedgerState(length=len(stored), head=stored[-1].hash if stored else "")
