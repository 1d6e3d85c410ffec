"""`rehabcast features ...`: extract daily biomarkers again, and report on a cohort's data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from contracts.errors import CohortInvalid, Problem, as_lines
from rehabcast.commands.learning.engine import Engine, EngineOption, RayAddress
from rehabcast.output import AsJson, emit, stderr_console
from stores.private_files import written_whole

app = typer.Typer(no_args_is_help=True, help="Extract daily biomarkers, and report on them.")

CohortFolder = Annotated[Path, typer.Argument(help="Cohort folder.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionResult:
    """A cohort with new daily biomarkers.

    Parameters
    ----------
    cohort, digest
        The cohort's folder, and the digest of its data.
    extracted, kept
        Subjects extracted now, and subjects whose days were up to date.
    problems
        Recordings that cannot be read, and values left out.
    """

    cohort: Path
    digest: str
    extracted: int
    kept: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureReport:
    """Where the report was written."""

    report: Path


@app.command("extract")
def extract_features(
    cohort: CohortFolder,
    engine: EngineOption = Engine.LOCAL,
    ray_address: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Turn a cohort's minutes into daily biomarkers again; finished subjects are not repeated.

    Exits 0 when the cohort is complete; recordings that can't be read are listed and keep their
    days.
    """
    from features.extract import extract
    from features.ray_runners import extract_on_ray

    extraction = extract(cohort, extract_on_ray(ray_address) if engine is Engine.RAY else None)
    result = ExtractionResult(
        cohort=cohort,
        digest=extraction.cohort.digest,
        extracted=extraction.extracted,
        kept=extraction.kept,
        problems=extraction.problems,
    )
    table = Table("what", "how many", title=f"daily biomarkers of {cohort}")
    table.add_row("subjects extracted now", str(result.extracted))
    table.add_row("subjects already up to date", str(result.kept))
    table.add_row("digest", result.digest[:16])
    emit(result, table, as_json=as_json)
    if not as_json:
        for line in as_lines(result.problems, CohortInvalid.SHOWN, "--json lists all"):
            stderr_console.print(f"  {line}")


@app.command("report")
def report_features(
    cohort: CohortFolder,
    output: Annotated[
        Path | None,
        typer.Option(help="HTML file to write; by default report.html in the cohort folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a page on wear time, missing data by group and week, channel ranges, and data loss."""
    from features.cohort import read_cohort
    from features.report import write_report

    file = output or cohort / "report.html"
    with written_whole(file) as draft:
        write_report(read_cohort(cohort), cohort, draft)
    emit(FeatureReport(report=file), f"Wrote {file}.", as_json=as_json)
