"""`rehabcast audit --mitigate`: what each way to make forecasts fairer costs and brings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.table import Table

from rehabcast.commands.output import progress
from rehabcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from inference.bundle import Bundle


def run_mitigation(
    model_version: str,
    axis: str | None,
    variants: list[str],
    cohort: Path | None,
    config: Path | None,
) -> dict[str, Any]:
    """Compare mitigations of a version; return what `audit --mitigate --json` prints."""
    import pandas as pd

    from audits.judging.mitigation import compare
    from audits.measure.partitions import axes
    from audits.report.editions import to_html, to_pdf
    from audits.report.mitigation import comparison_document
    from contracts.errors import ContractError
    from rehabcast.evidence import REPORT_FOLDER, open_bundle, policy_of
    from training.registry.model_versions import fetch, fetch_predictions, find

    settings = Settings()
    version = find(settings.store, model_version)

    def table_of(name: str) -> pd.DataFrame:
        return pd.read_parquet(fetch_predictions(settings.store, find(settings.store, name))[0])

    predictions = table_of(model_version)
    varied = [each.axis for each in axes(predictions) if not each.is_constant]
    if not varied:
        raise ContractError(f"{model_version}: no attribute varies in this cohort")
    chosen = axis if axis is not None else varied[0]
    given = {name: table_of(name) for name in variants}
    bundle = open_bundle(settings, version)
    trained = {} if cohort is None else _trained(bundle, cohort, config)
    told = compare(predictions, chosen, policy_of(bundle), {**trained, **given})
    with TemporaryDirectory() as place:
        folder = Path(place)
        document = comparison_document(told, chosen, model_version, folder)
        (folder / "mitigation.html").write_text(to_html(document, folder), "utf-8")
        (folder / "mitigation.pdf").write_bytes(to_pdf(document, folder))
        for path in sorted(folder.iterdir()):
            settings.store.client().log_artifact(version.run_id, str(path), REPORT_FOLDER)
    return {
        "model_version": model_version,
        "attribute": chosen,
        "attributes": varied,
        "recommended": None,
        "methods": [asdict(one) for one in told],
        "report_folder": str(fetch(settings.store, version, REPORT_FOLDER)),
    }


def _trained(bundle: Bundle, cohort: Path, config: Path | None) -> dict[str, pd.DataFrame]:
    from features.cohort import read_cohort
    from rehabcast.commands.training import parameters_of
    from training.fitting.variants import configurations, train_variants

    parameters = parameters_of(config, bundle.manifest.seed)
    steps = parameters.folds * len(configurations(parameters))
    with progress("Training variants", steps) as advance:
        return train_variants(read_cohort(cohort), bundle, parameters, advance=advance)


def comparison_table(record: dict[str, Any]) -> Table:
    """Return the comparison as a table."""
    from audits.judging.mitigation import Compared
    from audits.measure.intervals import Interval
    from audits.report.mitigation import COLUMNS, rows_of_comparison

    def interval(told: dict[str, float] | None) -> Interval | None:
        return None if told is None else Interval(**told)

    told = [
        Compared(
            **{
                **one,
                "overall_interval": interval(one["overall_interval"]),
                "gap_interval": interval(one["gap_interval"]),
            }
        )
        for one in record["methods"]
    ]
    title = f"Mitigation of {record['model_version']}, by {record['attribute']}"
    caption = "None is recommended: a smaller gap can be bought by making everyone worse."
    table = Table(*COLUMNS, title=title, caption=caption)
    for row in rows_of_comparison(told):
        table.add_row(*row)
    return table
