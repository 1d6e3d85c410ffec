"""Tables of the service's store.

`service_entry` is the record itself: chained, append-only. The others hold what it adds up to, so
that a request need not read the whole record; `serving.state.verification` compares the two. Those
of `COMPUTED` are no record: what monitoring last computed from it, which each day and each new
value renews, and what was sent to the webhook. Nor are those of `PUSHED`: the days that are
computed from single points are on record.
"""

from __future__ import annotations

import sqlalchemy as sa

NO_DAY = -1
"""Stored as the day of a fact about the person, so that it can be part of a key."""

metadata = sa.MetaData()


def _person() -> tuple[sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("tenant", sa.String(250), primary_key=True),
        sa.Column("subject", sa.String(250), primary_key=True),
    )


entry_table = sa.Table(
    "service_entry",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("time", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False, index=True),
    sa.Column("tenant", sa.String(250), nullable=False),
    sa.Column("actor", sa.String(600), nullable=False),
    # Text and not JSON: a database may reformat JSON, and the hash is of these exact characters.
    sa.Column("details", sa.Text, nullable=False),
    # The hash has digests of these three, keyed by `salt`: they can be erased, and not be guessed.
    sa.Column("subject", sa.String(250)),
    sa.Column("content", sa.Text),
    sa.Column("salt", sa.String(64)),
    sa.Column("subject_digest", sa.String(64), nullable=False),
    sa.Column("content_digest", sa.String(64), nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Index("service_entry_of_subject", "tenant", "subject"),
)
subject_table = sa.Table(
    "service_patient",
    metadata,
    *_person(),
    sa.Column("enrolment_day", sa.Integer, nullable=False),
)
observation_table = sa.Table(
    "service_measurement",
    metadata,
    *_person(),
    sa.Column("code", sa.String(100), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Float),
    sa.Column("label", sa.String(100)),
)
consent_table = sa.Table(
    "service_consent",
    metadata,
    *_person(),
    sa.Column("state", sa.String(20), nullable=False),
)
used_token_table = sa.Table(
    "service_used_token",
    metadata,
    sa.Column("token", sa.String(64), primary_key=True),
    sa.Column("expires", sa.Integer, nullable=False),
)
session_table = sa.Table(
    "service_session",
    metadata,
    # Digest of what the browser's cookie holds: who reads the table can open no page.
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(250), nullable=False),
    sa.Column("person", sa.String(100), nullable=False),
    sa.Column("tenant", sa.String(250), nullable=False),
    sa.Column("roles", sa.String(200), nullable=False),
    # Seconds since 1970.
    sa.Column("begun", sa.Integer, nullable=False),
    sa.Column("seen", sa.Integer, nullable=False),
)
"""Who is signed in to the pages: nothing of a patient, and no record."""

probe_table = sa.Table(
    "service_probe",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tries", sa.Integer, nullable=False),
)

form_table = sa.Table(
    "service_form",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
)
"""Form of the store (`contracts.naming.formats`), in one row."""

EARLIER_TABLE = "service_forecast"
"""A table of stores from before the record was one chain; they cannot be read any more."""


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
DECISION_COLUMNS = tuple(column.name for column in decision_table.columns if not column.primary_key)
"""What a decision is, beside whose and about which alert."""

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
point_table = sa.Table(
    "service_pushed_point",
    metadata,
    *_person(),
    # Digest of what the point says; the statement is that of its identifier, or "".
    sa.Column("point", sa.String(64), primary_key=True),
    sa.Column("statement", sa.String(64), nullable=False),
    sa.Column("first_date", sa.String(10), nullable=False),
    sa.Column("last_date", sa.String(10), nullable=False, index=True),
    sa.Column("rows", sa.Text, nullable=False),
)
"""What a gateway pushed in the last weeks: later points of a day are added to these."""

pushed_day_table = sa.Table(
    "service_pushed_day",
    metadata,
    *_person(),
    sa.Column("code", sa.String(100), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Float, nullable=False),
)
"""What pushed points came to when last put on record: they change no other value."""

pushed_onset_table = sa.Table(
    "service_pushed_onset",
    metadata,
    *_person(),
    sa.Column("onset_date", sa.String(10), nullable=False),
)
noted_table = sa.Table(
    "service_noted",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sequence", sa.Integer, nullable=False),
)
"""Up to which entry everybody's newest values were noted when the store was last opened."""

followed_table = sa.Table(
    "service_followed",
    metadata,
    sa.Column("service", sa.String(250), primary_key=True),
    *_person(),
    # Week in which the person's outcome counts, in whole weeks of the proleptic calendar.
    sa.Column("week", sa.Integer, nullable=False),
    sa.Column("given_on", sa.String(10), nullable=False),
    # Empty once the outcome was counted.
    sa.Column("forecast", sa.Text, nullable=False),
    # By week alone, SQLite read everybody of a service to find its next week.
    sa.Index("service_followed_of_week", "service", "week"),
)
"""Whose outcome is awaited, and the forecast that it counts for: one a person and service.

A service is a version, and where it is the champion since when (`Followed`)."""

evidence_table = sa.Table(
    "service_evidence",
    metadata,
    sa.Column("service", sa.String(250), primary_key=True),
    sa.Column("week", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sums", sa.Text, nullable=False),
)
"""What each closed week added to the tests of a service; nothing of a single person's outcome
but in a week in which one person alone counted, and never shown."""

evidence_begun_table = sa.Table(
    "service_evidence_begun",
    metadata,
    sa.Column("service", sa.String(250), primary_key=True),
    sa.Column("terms", sa.String(64), nullable=False),
    sa.Column("first_week", sa.Integer, nullable=False),
    # Up to which week outcomes were counted, and up to which entry forecasts were read.
    sa.Column("closed_week", sa.Integer, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
)
"""By which terms a service is followed, from when, and how far its forecasts were read."""

edition_table = sa.Table(
    "service_edition",
    metadata,
    sa.Column("service", sa.String(250), primary_key=True),
    sa.Column("month", sa.String(7), primary_key=True),
    # What people read, and the numbers that each told number is told from.
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("cells", sa.Text, nullable=False),
)
"""Monthly editions as they were made first: what was told once is told again. Its numbers of people
that are shown nowhere stay here, as those of `evidence_table`."""

seen_table = sa.Table(
    "service_seen",
    metadata,
    sa.Column("service", sa.String(250), primary_key=True),
    sa.Column("part", sa.String(400), primary_key=True),
    sa.Column("counts", sa.Text, nullable=False),
)
"""How many people came before with each level of each quantity, in a part of the year or by pairs
of a group; never shown. Counts stay when a person of them is erased."""

COMPUTED = (look_table, alert_table, sent_table)
"""Tables of what was computed, which a withdrawal of consent empties of a person."""

PUSHED = (point_table, pushed_day_table, pushed_onset_table)
"""Tables of what was pushed; a withdrawal of consent and an erasure empty them of a person."""

OF_A_PERSON = (watch_table, decision_table, followed_table, *COMPUTED, *PUSHED)
"""Tables that an erasure empties of a person."""


def create_tables(connection: sa.Connection) -> None:
    """Make the tables that are not there, and what those of an earlier version lack."""
    metadata.create_all(connection)
    for index in followed_table.indexes:
        index.create(connection, checkfirst=True)


def of_person(table: sa.Table, tenant: str, subject: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions that a row of a table is about a person of a tenant."""
    return table.c.tenant == tenant, table.c.subject == subject
