"""`rehabcast audit --mitigate`: what each way to make forecasts fairer costs and brings."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.table import Table

from rehabcast.commands.output import progress
from rehabcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from audits.judging.mitigation import MethodResult
    from audits.judging.units import ScoreUnit
    from inference.bundle import Bundle


def run_mitigation(
    model_version: str,
    axis: str | None,
    variants: list[str],
    cohort: Path | None,
    config: Path | None,
) -> tuple[dict[str, Any], Table]:
    """Compare mitigations of a version; return the record and the table that are printed."""
    import pandas as pd

    from audits.judging.mitigation import compare
    from audits.measure.groups import by_attribute
    from audits.report.editions import to_html, to_pdf
    from audits.report.mitigation import comparison_document
    from contracts.errors import ContractError
    from rehabcast.evidence import REPORT_FOLDER, open_bundle, policy_of
    from training.registry.register import fetch, fetch_predictions, find

    settings = Settings()
    version = find(settings.store, model_version)

    def table_of(name: str) -> pd.DataFrame:
        return pd.read_parquet(fetch_predictions(settings.store, find(settings.store, name))[0])

    predictions = table_of(model_version)
    varied = [group.axis for group in by_attribute(predictions) if not group.is_constant]
    if not varied:
        raise ContractError(f"{model_version}: no attribute varies in this cohort")
    chosen = axis if axis is not None else varied[0]
    given = {name: table_of(name) for name in variants}
    bundle = open_bundle(settings, version)
    trained = {} if cohort is None else _trained(bundle, cohort, config)
    policy = policy_of(bundle)
    methods = compare(predictions, chosen, policy, {**trained, **given})
    with TemporaryDirectory() as place:
        folder = Path(place)
        document = comparison_document(methods, chosen, model_version, folder, policy.score_unit)
        (folder / "mitigation.html").write_text(to_html(document, folder), "utf-8")
        (folder / "mitigation.pdf").write_bytes(to_pdf(document, folder))
        for path in sorted(folder.iterdir()):
            settings.store.client().log_artifact(version.run_id, str(path), REPORT_FOLDER)
    record = {
        "model_version": model_version,
        "attribute": chosen,
        "attributes": varied,
        "recommended": None,
        "methods": [method.as_record() for method in methods],
        "report_folder": str(fetch(settings.store, version, REPORT_FOLDER)),
    }
    title = f"Mitigation of {model_version}, by {chosen}"
    return record, comparison_table(methods, policy.score_unit, title)


def _trained(bundle: Bundle, cohort: Path, config: Path | None) -> dict[str, pd.DataFrame]:
    from features.cohort import read_cohort
    from rehabcast.commands.training import parameters_of
    from training.fitting.variants import configurations, train_variants

    parameters = parameters_of(config, bundle.manifest.seed)
    steps = parameters.folds * len(configurations(parameters))
    with progress("Training variants", steps) as advance:
        return train_variants(read_cohort(cohort), bundle, parameters, advance=advance)


def comparison_table(methods: list[MethodResult], unit: ScoreUnit, title: str) -> Table:
    """Return the comparison as a table."""
    from audits.report.mitigation import COLUMNS, comparison_rows

    caption = "None is recommended: a method can make the gap smaller by making everyone worse."
    table = Table(*COLUMNS, title=title, caption=caption)
    for row in comparison_rows(methods, unit):
        table.add_row(*row)
    return table
