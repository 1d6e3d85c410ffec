"""Tables of monitoring.

`service_watch` and `service_alert_decision` are what the record adds up to, and verified with it.
The others are no record: what was last computed from it, which each day and each new value renews,
and what was sent to the webhook.
"""

from __future__ import annotations

import sqlalchemy as sa

from serving.state.tables import metadata


def _person() -> tuple[sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("tenant", sa.String(250), primary_key=True),
        sa.Column("subject", sa.String(250), primary_key=True),
    )


def _alert() -> tuple[sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("code", sa.String(100), primary_key=True),
    )


watch_table = sa.Table(
    "service_watch",
    metadata,
    *_person(),
    # Date of the onset at the latest, or "": nobody sends a measurement of a day to come.
    sa.Column("onset_by", sa.String(10), nullable=False),
    sa.Column("newest_entry", sa.Integer, nullable=False),
)
decision_table = sa.Table(
    "service_alert_decision",
    metadata,
    *_person(),
    *_alert(),
    sa.Column("decision", sa.String(20), nullable=False),
    sa.Column("person", sa.String(100), nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("until", sa.String(10), nullable=False),
    sa.Column("day", sa.Integer, nullable=False),
    sa.Column("urgency", sa.Integer, nullable=False),
    sa.Column("time", sa.String(40), nullable=False),
)
look_table = sa.Table(
    "service_alert_look",
    metadata,
    *_person(),
    sa.Column("entry", sa.Integer, nullable=False),
    sa.Column("date", sa.String(10), nullable=False),
)
alert_table = sa.Table(
    "service_alert",
    metadata,
    *_person(),
    *_alert(),
    sa.Column("urgency", sa.Integer, nullable=False),
    sa.Column("since_day", sa.Integer, nullable=False),
    sa.Column("since_date", sa.String(10), nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Index("service_alert_of_tenant", "tenant", "urgency", "since_date"),
)
sent_table = sa.Table(
    "service_alert_sent",
    metadata,
    *_person(),
    *_alert(),
    sa.Column("id", sa.String(32), nullable=False),
    # The day since onset on which it was first sent, and how urgent it was: what is new since?
    sa.Column("day", sa.Integer, nullable=False),
    sa.Column("urgency", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    # Seconds since 1970 at which to try again; 0 once it has arrived.
    sa.Column("due", sa.Integer, nullable=False),
)
OF_A_PERSON = (watch_table, decision_table, look_table, alert_table, sent_table)
"""Tables that an erasure empties of a person."""
