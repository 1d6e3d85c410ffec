"""One HTML page on what a cohort holds and lacks, in pictures with their tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from contracts.cohort import SUBJECT, Cohort
from contracts.errors import ContractError, Problem
from contracts.groups import MINIMUM_SHOWN
from contracts.vocabulary import vocabulary
from features.cohort import IMPORT_REPORT
from features.past.groups import WORN_DAY_HOURS
from features.report import pictures, tables


def write_report(cohort: Cohort, folder: Path, file: Path) -> None:
    """Write the page; it shows no single person's values and needs nothing from the network.

    Parameters
    ----------
    cohort, folder
        The cohort, and the folder that it was read from (for the import's report).
    file
        HTML file to write.

    Raises
    ------
    ContractError
        The import's report can't be read.
    """
    days = tables.daily(cohort.events)
    groups = tables.groups(cohort.events)
    losses = tables.losses(*_import_problems(folder), cohort.provenance.rules)
    missing = tables.missing_by_week(days, groups)
    page = _template().render(
        cohort=cohort,
        subjects=cohort.events[SUBJECT].nunique(),
        threshold=WORN_DAY_HOURS,
        fewest=MINIMUM_SHOWN,
        wear=tables.wear(days),
        reference=vocabulary()[code].name if (code := tables.reference(days)) else "",
        wear_picture=pictures.wear(days),
        missing=missing,
        missing_pictures={name: pictures.missing(table, name) for name, table in missing.items()},
        channels=tables.channels(days),
        ranges_picture=pictures.ranges(days),
        losses=losses,
        losses_picture=pictures.losses(losses),
        rules=cohort.provenance.rules,
    )
    file.write_text(page, "utf-8")


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("features", "report"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["plain"] = lambda v: f"{v:,.0f}" if abs(v) >= 1000 else f"{v:.3g}"
    return environment.get_template("report.html")


def _import_problems(folder: Path) -> tuple[list[Problem], list[Problem]]:
    """Return what an import left out, and which files it could not use; nothing without one."""
    file = folder / IMPORT_REPORT
    if not file.exists():
        return [], []
    try:
        report: dict[str, Any] = json.loads(file.read_text("utf-8"))
        dropped, unreadable = (
            [Problem(**record) for record in report[key]] for key in ("dropped", "unreadable")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(
            f"{file}: not what this version of rehabcast writes ({error})",
            "import the cohort again",
        ) from error
    return dropped, unreadable
