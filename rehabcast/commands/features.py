"""`rehabcast features ...`: extract daily biomarkers anew, and report on what a cohort holds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from rehabcast.commands.engine import Engine, EngineOption, RayAddress
from rehabcast.commands.output import AsJson, emit, words

app = typer.Typer(no_args_is_help=True, help="Extract daily biomarkers, and report on them.")

CohortFolder = Annotated[Path, typer.Argument(help="Cohort folder.")]


@app.command("extract")
def extract_features(
    cohort: CohortFolder,
    engine: EngineOption = Engine.LOCAL,
    ray_address: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Turn a cohort's minutes into daily biomarkers anew; what is done already is not done again.

    Exits 0 when the cohort is whole; recordings that can't be read are told and keep their days.
    """
    from features.extract import extract
    from features.ray_runners import extract_on_ray

    done = extract(cohort, extract_on_ray(ray_address) if engine is Engine.RAY else None)
    record = {
        "cohort": str(cohort),
        "digest": done.cohort.digest,
        "extracted": done.extracted,
        "kept": done.kept,
        "problems": [asdict(problem) for problem in done.problems],
    }
    table = Table("what", "how many", title=f"daily biomarkers of {cohort}")
    table.add_row("subjects extracted now", str(done.extracted))
    table.add_row("subjects whose days still hold", str(done.kept))
    table.add_row("digest", done.cohort.digest[:16])
    emit(record, table, as_json=as_json)
    if not as_json:
        for problem in done.problems:
            words.print(f"  {problem}", markup=False)


@app.command("report")
def report_features(
    cohort: CohortFolder,
    output: Annotated[
        Path | None, typer.Option(help="HTML file; by default report.html in the cohort folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a page of wear time, missingness by group and week, channel ranges, and drops."""
    from features.cohort import read_cohort
    from features.report import write_report

    file = output or cohort / "report.html"
    write_report(read_cohort(cohort), cohort, file)
    emit({"report": str(file)}, f"{file} is written.", as_json=as_json)
