"""Kinds of files that commands write, told by a file's first and last bytes.

A command replaces a file only where it is of the kind that it writes itself
(`rehabcast.commands.rules.outputs`); who made it is not told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HEAD, TAIL = 8 * 1024, 256 * 1024
"""Bytes that are looked at: a form stands at the beginning, what Parquet is of at the end."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Parameters
    ----------
    what
        What it is, as in a sentence.
    says
        What its first and last bytes have.
    """

    what: str
    says: re.Pattern[bytes]

    def is_of(self, file: Path) -> bool:
        """Return whether a file is of this kind, or empty: nothing is lost with it."""
        with file.open("rb") as opened:
            content = opened.read(HEAD)
            size = opened.seek(0, 2)
            opened.seek(max(size - TAIL, min(size, HEAD)))
            content += opened.read()
        return not content or self.says.search(content) is not None


def _kind(what: str, says: bytes) -> Kind:
    return Kind(what, re.compile(says, re.DOTALL))


def _form(what: str, kind: str) -> Kind:
    """Return the kind of a JSON document that says its form first (`contracts.naming.formats`)."""
    return _kind(what, rb'^\s*\{\s*"format":\s*"rehabcast-' + kind.encode() + rb"/")


def _table(what: str, metadata: bytes) -> Kind:
    """Return the kind of a signed Parquet file (`rehabcast.auditing.signed_tables`)."""
    return _kind(what, b"^PAR1.*" + re.escape(metadata))


LEDGER_HEAD = _kind("a head of the ledger", rb'^\{"length": \d+, "head": "')
RECORD_HEAD = _kind("a head of the record", rb'^\{"record": \{"length": \d+')
SIGNATURE = _kind("a signature", rb"sigstore\.bundle")
PARAMETERS = _kind("a file of training parameters", rb'^architecture = "')
PREDICTIONS = _table("a prediction table", b"rehabcast.auditing.external_validation")
PAIRS = _table("a table of pairs", b"rehabcast.auditing.served_pairs")
METRICS = _kind("numbers of monitoring", rb"^# HELP rehabcast_evidence_")
EDITION = _kind("an edition of monitoring", rb'^\s*\{\s*"format": ?"rehabcast-monitoring-edition/')
LEADERBOARD = _kind("a leaderboard", rb'^\{\s*"cohort": .*"better_but_not_servable":')
PICTURE = _kind("a picture by Matplotlib", rb"^(\x89PNG|<\?xml|%PDF).*[Mm]atplotlib")
FEATURES = _kind(
    "a report on a cohort's features",
    rb'<meta name="generator" content="rehabcast features report">',
)
EXERCISE_REPORT = _kind(
    "a report of exercise", rb'<meta name="generator" content="rehabcast exercise report">'
)
EXERCISE_DAYS = _kind("a table of days of exercise", rb"^subject,date,code,value,unit\r?\n")
SETS = _kind("a file of sets", rb'^\s*\{\s*"format": "rehabcast-exercise-sets/|^set,exercise,side,')
TEMPLATE = _form("a template of an exercise", "exercise-template")
RECOGNISER_AUDIT = _form("a recogniser's audit", "exercise-audit")
RECOGNISER = _kind("a recogniser", rb"^.{8}\{.{0,200}rehabcast-exercise-recogniser/")
