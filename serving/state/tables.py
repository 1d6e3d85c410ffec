"""Tables of the service's store."""

from __future__ import annotations

import sqlalchemy as sa

NO_DAY = -1
"""Stored as the day of a fact about the person, so that it can be part of a key."""

metadata = sa.MetaData()

subject_table = sa.Table(
    "service_subject",
    metadata,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("enrolment_day", sa.Integer, nullable=False),
)
observation_table = sa.Table(
    "service_observation",
    metadata,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("code", sa.String(100), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Float),
    sa.Column("label", sa.String(100)),
    sa.Column("received_at", sa.String(40), nullable=False),
)
forecast_table = sa.Table(
    "service_forecast",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("time", sa.String(40), nullable=False, index=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("actor", sa.String(250), nullable=False),
    sa.Column("model_version", sa.String(250), nullable=False),
    sa.Column("bundle_digest", sa.String(64), nullable=False),
    sa.Column("input_digest", sa.String(64), nullable=False),
    sa.Column("output_digest", sa.String(64), nullable=False),
    # Not part of the hash, which has its digest: retention deletes it and the chain stays valid.
    sa.Column("output", sa.Text),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
)
feedback_table = sa.Table(
    "service_feedback",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True),
    sa.Column("time", sa.String(40), nullable=False),
    sa.Column("actor", sa.String(250), nullable=False),
    sa.Column("about", sa.String(64), nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("model_version", sa.String(250), nullable=False),
)
used_token_table = sa.Table(
    "service_used_token",
    metadata,
    sa.Column("token", sa.String(64), primary_key=True),
    sa.Column("expires", sa.Integer, nullable=False),
)
probe_table = sa.Table(
    "service_probe",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tries", sa.Integer, nullable=False),
)
