"""Every page of the service, with those that need ledger and registry."""

from __future__ import annotations

from pathlib import Path

from rehabcast.pages import bench, governance
from rehabcast.pages.governance import ROOM
from rehabcast.pages.imports import pages as imports
from rehabcast.pages.served import who_was_served
from serving.access.sign_in import Role
from serving.pages.page import HOME, Page
from serving.pages.table import CLINICIANS, PAGES

TEMPLATES = Path(__file__).parent / "templates"
VERSION = f"{ROOM}/{{model}}/{{number}}"
READERS = frozenset({Role.GOVERNANCE, Role.ML_OWNER, Role.OPERATOR})
DECIDERS = frozenset({Role.GOVERNANCE, Role.ML_OWNER})

ALL_PAGES: tuple[Page, ...] = (
    *PAGES,
    Page(method="GET", path=imports.START, answer=imports.start, roles=CLINICIANS),
    Page(
        method="POST", path=f"{imports.START}/look", answer=imports.look, roles=CLINICIANS,
        fields=imports.OF_FILE, takes_file=True, once=False,
    ),
    Page(
        method="POST", path=f"{imports.START}/read", answer=imports.read, roles=CLINICIANS,
        fields=imports.sent_fields, takes_file=True, once=False,
    ),
    Page(
        method="POST", path=f"{imports.START}/keep", answer=imports.keep, roles=CLINICIANS,
        fields=imports.sent_fields, takes_file=True,
    ),
    Page(method="GET", path=ROOM, answer=governance.room, roles=READERS),
    Page(method="GET", path=f"{ROOM}/ledger", answer=governance.trail, roles=READERS),
    Page(method="GET", path=f"{ROOM}/served", answer=who_was_served, roles=READERS),
    Page(method="GET", path=VERSION, answer=governance.version, roles=READERS),
    Page(
        method="POST", path=f"{VERSION}/approve", answer=governance.approve, roles=DECIDERS,
        fields=governance.approval_fields,
    ),
    Page(
        method="POST", path=f"{VERSION}/promote", answer=governance.promote, roles=DECIDERS,
    ),
    Page(
        method="POST", path=f"{VERSION}/override", answer=governance.override, roles=DECIDERS,
        fields=governance.OVERRIDE_FIELDS,
    ),
    Page(
        method="POST", path=f"{VERSION}/revoke", answer=governance.revoke, roles=READERS,
        fields=governance.REASON_FIELDS,
    ),
    Page(
        method="POST", path=f"{VERSION}/rollback", answer=governance.rollback, roles=DECIDERS,
        fields=governance.ROLLBACK_FIELDS,
    ),
    Page(method="GET", path=f"{HOME}/bench", answer=bench.bench, roles=READERS),
)  # fmt: skip
