"""Tells an address of new alerts: that there is one, of which kind, about which pseudonym.

Nothing else about the patient leaves the service; who is told reads the alert with a token of their
own. Each message is signed (HMAC-SHA256 over time and body) and sent again until it arrives, later
each time: so it may arrive twice, with the same id. One thread of each worker does this; what one
has taken, no other takes for a minute.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import sqlalchemy as sa

from contracts.errors import ContractError
from serving.faults import Fault, place_of
from serving.state.alerting.looking import look_at_waiting
from serving.state.champion import Snapshot
from serving.state.entries import new_id
from serving.state.store import Store
from serving.state.tables import alert_table, decision_table, sent_table
from serving.state.watch.caseload import KEY, has_consent, not_hidden
from stores.database import write
from stores.private_files import require_private

log = logging.getLogger("rehabcast.alerts")

EVERY_SECONDS = 5.0
SEND_SECONDS = 5.0
LEASE_SECONDS = 60
LOOK_SECONDS = 2.0
"""How long a round looks at records, at most."""

AT_ONCE = 5
"""Alerts that are taken in one go: all of them are tried within the lease."""

FIRST_WAIT, LONGEST_WAIT = 10, 3_600
"""Seconds until a message is sent again: doubled each time."""

SHORTEST_KEY = 32
"""Bytes of the key, as long as the signature (RFC 2104)."""

TIMESTAMP, SIGNATURE = "X-Rehabcast-Timestamp", "X-Rehabcast-Signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One alert as it is sent: nothing but its kind, and whom it is about."""

    id: str
    tenant: str
    subject: str
    kind: str
    code: str
    attempts: int

    def body(self) -> bytes:
        """Return the body: the same each time that it is sent."""
        fields = {"id": self.id, "tenant": self.tenant, "subject": self.subject, "kind": self.kind}
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def signature(key: bytes, timestamp: str, body: bytes) -> str:
    """Return the signature of a message: HMAC-SHA256 over timestamp, a dot and body, in hex."""
    return hmac.new(key, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def key_in(file: Path) -> bytes:
    """Read the key that messages are signed with.

    Raises
    ------
    ContractError
        It is shorter than the signature.
    ReadableByOthers
        Others can read it.
    """
    require_private(file)
    key = file.read_bytes().strip()
    if len(key) < SHORTEST_KEY:
        raise ContractError(
            f"the webhook's key is shorter than {SHORTEST_KEY} bytes",
            "write a random one to the file, such as by `openssl rand -hex 32`",
        )
    return key


class Webhook:
    """Sends alerts to an address for as long as it is open; it never ends by itself.

    Parameters
    ----------
    address, key
        Where to, and what messages are signed with.
    snapshots
        Returns the champions of the moment, one a task.
    """

    def __init__(
        self, store: Store, address: str, key: bytes, snapshots: Callable[[], Sequence[Snapshot]],
        seconds: float = EVERY_SECONDS,
    ) -> None:  # fmt: skip
        self._store, self._address, self._key, self._snapshots = store, address, key, snapshots
        self._seconds, self._failed = seconds, ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> Fault | None:
        """What an operator should look at."""
        if not self._thread.is_alive() and not self._closing.is_set():
            return Fault("alerts are not sent any more", "restart this worker")
        if self._failed:
            return Fault(f"alerts cannot be sent ({self._failed})", "check the webhook's receiver")
        return None

    def close(self) -> None:
        """Stop; what has not arrived is sent by another worker, or after the next start."""
        self._closing.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            try:
                self.once(datetime.now(UTC))
            # Whatever it was, the next round tries again, and /readyz shows it meanwhile.
            except Exception as error:
                log.error("alerts cannot be sent: %s", place_of(error))
                self._failed = "the store does not answer"

    def once(self, now: datetime) -> int:
        """Look at those who wait for it, and send what is new or due; return how many arrived."""
        look_at_waiting(self._store, None, self._snapshots(), now, LOOK_SECONDS)
        arrived, failed = 0, ""
        for message in write(self._store.engine, lambda connection: take(connection, now)):
            if self._closing.is_set():
                break
            why = self._send(message, now)
            arrived, failed = arrived + (not why), why or failed
            note(self._store.engine, message, now, arrived=not why)
        self._failed = failed
        return arrived

    def _send(self, message: Message, now: datetime) -> str:
        """Send a message; return why it did not arrive, or nothing."""
        timestamp = str(int(now.timestamp()))
        try:
            body = message.body()
            headers = {
                "Content-Type": "application/json", TIMESTAMP: timestamp,
                SIGNATURE: f"sha256={signature(self._key, timestamp, body)}",
            }  # fmt: skip
            with httpx.Client(timeout=SEND_SECONDS, follow_redirects=False) as client:
                answer = client.post(self._address, content=body, headers=headers)
        except httpx.HTTPError as error:
            # Its own words hold the address.
            return type(error).__name__
        except Exception as error:
            # One message must not keep the others from being sent.
            log.error("an alert cannot be sent: %s", place_of(error))
            return type(error).__name__
        return "" if answer.is_success else f"HTTP {answer.status_code}"


def take(connection: sa.Connection, now: datetime) -> list[Message]:
    """Return alerts that are new or due, and keep them from other workers for a while."""
    alert, sent, seconds = alert_table.c, sent_table.c, int(now.timestamp())
    same = sa.and_(*(alert[name] == sent[name] for name in KEY))
    decided = sa.and_(*(alert[name] == decision_table.c[name] for name in KEY))
    new = sa.or_(sent.id.is_(None), alert.since_day > sent.day, alert.urgency > sent.urgency)
    due = sa.and_(sent.due > 0, sent.due <= seconds)
    query = (
        sa.select(alert_table, sent.id, sent.attempts, new.label("new"))
        .select_from(alert_table.outerjoin(sent_table, same).outerjoin(decision_table, decided))
        .where(sa.or_(new, due), not_hidden(now.date()), has_consent(alert_table))
        .order_by(alert.urgency.desc(), alert.since_date)
        .limit(AT_ONCE)
    )
    messages = []
    for row in connection.execute(query).all():
        key = {name: getattr(row, name) for name in KEY}
        where = [sent[name] == value for name, value in key.items()]
        identity, attempts = (new_id(), 0) if row.new else (row.id, row.attempts)
        state = {"attempts": attempts + 1, "due": seconds + LEASE_SECONDS}
        if row.new:
            connection.execute(sa.delete(sent_table).where(*where))
            since = (now.date() - date.fromisoformat(row.since_date)).days
            day = row.since_day + max(since, 0)
            values = {**key, **state, "id": identity, "day": day, "urgency": row.urgency}
            connection.execute(sa.insert(sent_table).values(values))
        else:
            connection.execute(sa.update(sent_table).where(*where).values(state))
        messages.append(Message(id=identity, **key, attempts=attempts + 1))
    return messages


def note(engine: sa.Engine, message: Message, now: datetime, *, arrived: bool) -> None:
    """Note that a message arrived, or when to send it again."""
    wait = min(FIRST_WAIT * 2 ** min(message.attempts - 1, 20), LONGEST_WAIT)
    due = 0 if arrived else int(now.timestamp()) + wait
    same = sent_table.c.id == message.id
    write(engine, lambda c: c.execute(sa.update(sent_table).where(same).values(due=due)))
