"""One HTML page on what a cohort holds and lacks, in pictures with their tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from contracts.cohort import SUBJECT, Cohort
from contracts.vocabulary import vocabulary
from features.cohort import IMPORT_REPORT
from features.groups import WORN_DAY_HOURS
from features.report import pictures, tables


def write_report(cohort: Cohort, folder: Path, file: Path) -> None:
    """Write the page; it holds no value of a single person and needs nothing from the network.

    Parameters
    ----------
    cohort, folder
        The cohort as read, and where it was read from (for the import's report).
    file
        HTML file to write.
    """
    days = tables.daily(cohort.events)
    groups = tables.groups(cohort.events)
    lost = tables.losses(_import_report(folder), cohort.provenance.rules)
    missing = tables.missing_by_week(days, groups)
    page = _template().render(
        cohort=cohort,
        subjects=cohort.events[SUBJECT].nunique(),
        threshold=WORN_DAY_HOURS,
        wear=tables.wear(days),
        reference=vocabulary()[code].name if (code := tables.reference(days)) else "",
        wear_picture=pictures.wear(days),
        missing=missing,
        missing_pictures={name: pictures.missing(table, name) for name, table in missing.items()},
        channels=tables.channels(days),
        ranges_picture=pictures.ranges(days),
        lost=lost,
        lost_picture=pictures.losses(lost),
        rules=cohort.provenance.rules,
    )
    file.write_text(page, "utf-8")


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("features", "report"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["plain"] = lambda v: f"{v:,.0f}" if abs(v) >= 1000 else f"{v:.3g}"
    return environment.get_template("report.html")


def _import_report(folder: Path) -> dict[str, Any]:
    file = folder / IMPORT_REPORT
    if not file.exists():
        return {"dropped": [], "unreadable": []}
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found
