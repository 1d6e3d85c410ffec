"""`rehabcast audit --mitigate`: accuracy and fairness of each mitigation, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.table import Table

from rehabcast.output import progress
from rehabcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from audits.judging.mitigation import MethodResult
    from audits.judging.units import ScoreUnit
    from audits.measure.metrics import Measure
    from inference.bundle import Bundle
    from training.registry.model_versions import ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class MitigationComparison:
    """Mitigations of one version, compared on one attribute.

    Parameters
    ----------
    model_version
        `NAME/N`.
    attribute, attributes
        Which attribute's groups were compared, and which could have been.
    recommended
        Always None: the choice is the board's.
    methods, score_unit
        Each metric under each method, and the unit of scores that tables write.
    report_folder
        Where the comparison's pages are.
    """

    model_version: str
    attribute: str
    attributes: tuple[str, ...]
    recommended: None = None
    methods: tuple[MethodResult, ...]
    score_unit: ScoreUnit
    report_folder: Path

    def as_record(self) -> dict[str, Any]:
        """Return what `audit --mitigate --json` prints."""
        return {
            "model_version": self.model_version,
            "attribute": self.attribute,
            "attributes": self.attributes,
            "recommended": self.recommended,
            "methods": self.methods,
            "report_folder": self.report_folder,
        }

    def as_table(self) -> Table:
        """Return the comparison as a table for people."""
        from audits.report.mitigation import COLUMNS, comparison_rows

        title = f"Mitigation of {self.model_version}, by {self.attribute}"
        caption = "None is recommended: a method can make the gap smaller by making everyone worse."
        table = Table(*COLUMNS, title=title, caption=caption)
        for row in comparison_rows(list(self.methods), self.score_unit):
            table.add_row(*row)
        return table


def run_mitigation(
    model_version: str,
    axis: str | None,
    variants: list[str],
    cohort: Path | None,
    config: Path | None,
    policy_file: Path | None = None,
) -> MitigationComparison:
    """Compare mitigations of a version, and write the comparison's pages to its run."""
    from audits.disclosure.cells import Cell
    from audits.disclosure.published import pattern_of
    from audits.disclosure.quantities import quantity_of
    from audits.judging.mitigation import compare
    from audits.measure.groups import EVERYONE, by_attribute
    from contracts.errors import ContractError
    from rehabcast.signed_artifacts import REPORT_FOLDER, open_bundle, open_predictions, policy_for
    from training.registry.model_versions import fetch, find

    settings = Settings()
    version = find(settings.store, model_version)
    bundle = open_bundle(settings, version)

    def predictions_of(name: str) -> pd.DataFrame:
        variant = find(settings.store, name)
        return open_predictions(settings, variant, open_bundle(settings, variant)).rows

    predictions = open_predictions(settings, version, bundle).rows
    groupings = by_attribute(predictions)
    attributes = tuple(each.axis for each in groupings if not each.is_constant)
    if not attributes:
        raise ContractError(
            f"{model_version}: no attribute varies in this cohort",
            "compare mitigations of a version that was trained on people of more than one group",
        )
    attribute = axis if axis is not None else attributes[0]
    named = {name: predictions_of(name) for name in variants}
    trained = {} if cohort is None else _trained(settings, version, bundle, cohort, config)
    policy = policy_for(settings, bundle, policy_file)
    pattern = pattern_of(predictions, policy)

    def may_show(measure: Measure, group: str | None) -> bool:
        quantity = quantity_of(measure.metric, measure.milestone)
        everyone = Cell(axis=EVERYONE, group=EVERYONE)
        cell = everyone if group is None else Cell(axis=attribute, group=group)
        return pattern.shows(quantity, cell)

    methods = compare(predictions, attribute, policy, {**trained, **named}, may_show=may_show)
    _publish(settings, version, methods, attribute, policy.score_unit)
    return MitigationComparison(
        model_version=model_version,
        attribute=attribute,
        attributes=attributes,
        methods=tuple(methods),
        score_unit=policy.score_unit,
        report_folder=fetch(settings.store, version, REPORT_FOLDER),
    )


def _publish(
    settings: Settings,
    version: ModelVersion,
    methods: list[MethodResult],
    attribute: str,
    unit: ScoreUnit,
) -> None:
    """Write the comparison as HTML and PDF to the version's run."""
    from audits.report.editions import to_html, to_pdf
    from audits.report.mitigation import comparison_document
    from rehabcast.signed_artifacts import REPORT_FOLDER

    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        document = comparison_document(methods, attribute, str(version), folder, unit)
        (folder / "mitigation.html").write_text(to_html(document, folder), "utf-8")
        (folder / "mitigation.pdf").write_bytes(to_pdf(document, folder))
        for path in sorted(folder.iterdir()):
            settings.store.client().log_artifact(version.run_id, str(path), REPORT_FOLDER)


def _trained(
    settings: Settings, version: ModelVersion, bundle: Bundle, cohort: Path, config: Path | None
) -> dict[str, pd.DataFrame]:
    from features.cohort import read_cohort
    from rehabcast.auditing.retraining import parameters_of_version
    from training.fitting.config import read_config
    from training.fitting.variants import steps, train_variants

    parameters = (
        parameters_of_version(settings, version, bundle.manifest.config_digest)
        if config is None
        else read_config(config)
    )
    with progress("Training variants", steps(parameters)) as advance:
        return train_variants(read_cohort(cohort), bundle, parameters, advance=advance)
