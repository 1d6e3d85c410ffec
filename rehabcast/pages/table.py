"""Every page of the service, with those that need ledger and registry."""

from __future__ import annotations

from pathlib import Path

from rehabcast.pages import bench, governance
from rehabcast.pages.governance import ROOM
from serving.access.sign_in import Role
from serving.pages.page import HOME, Page
from serving.pages.table import PAGES

TEMPLATES = Path(__file__).parent / "templates"
VERSION = f"{ROOM}/{{model}}/{{number}}"
READERS = frozenset({Role.GOVERNANCE, Role.ML_OWNER, Role.OPERATOR})
DECIDERS = frozenset({Role.GOVERNANCE, Role.ML_OWNER})

ALL_PAGES: tuple[Page, ...] = (
    *PAGES,
    Page(method="GET", path=ROOM, answer=governance.room, roles=READERS),
    Page(method="GET", path=f"{ROOM}/ledger", answer=governance.trail, roles=READERS),
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
