"""`rehabcast evaluate`: external validation of a registered version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from contracts.predictions import Overlap, Validation
from rehabcast.commands.training import CohortOption, VersionArgument
from rehabcast.output import AsJson, emit
from rehabcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from contracts.cohort import Cohort
    from inference.bundle import Bundle
    from training.comparison.evaluate import HorizonScore


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Scores of a registered version on a cohort.

    Parameters
    ----------
    model_version, bundle_digest
        What was evaluated.
    cohort, simulated
        Name of the cohort, and whether it is simulated.
    seen_in_training
        True where the cohort's data are those that the model was trained on.
    validation
        What the scores are worth, by people and not by files (`contracts.predictions.Overlap`).
    overlap
        How many of these people the model was trained on, or training held out.
    predictions
        File of the prediction table.
    horizons
        Scores by horizon: of the new people where the validation is external, of those held out
        where it is theirs, else of all.
    """

    model_version: str
    bundle_digest: str
    cohort: str
    simulated: bool
    seen_in_training: bool
    validation: Validation
    overlap: Overlap
    predictions: Path
    horizons: tuple[HorizonScore, ...]


def evaluate(
    model_version: VersionArgument,
    cohort: CohortOption,
    output: Annotated[
        Path, typer.Option("--output", help="Where to write the prediction table (Parquet).")
    ] = Path("predictions.parquet"),
    as_json: AsJson = False,
) -> None:
    """Validate a registered model on any cohort: scores, and the prediction table as Parquet."""
    evaluation = run_evaluation(model_version, cohort, output)
    emit(evaluation, scores_table(evaluation), as_json=as_json)


def run_evaluation(model_version: str, folder: Path, output: Path) -> Evaluation:
    """Forecast a cohort with a version's signed bundle; write the table, return the scores.

    Raises
    ------
    IntegrityError
        The bundle's signature is missing or not valid, or a byte was changed.
    """
    from contracts.cohort import SUBJECT, SUBJECT_LABEL
    from contracts.predictions import RELATION
    from features.cohort import read_cohort
    from rehabcast.overlap import overlap_of
    from rehabcast.signed_artifacts import open_bundle
    from training.comparison.evaluate import scores_by_horizon
    from training.registry.model_versions import find

    settings = Settings()
    bundle = open_bundle(settings, find(settings.store, model_version))
    cohort = read_cohort(folder)
    table = _predictions(bundle, cohort)
    subjects = table[SUBJECT].unique().tolist()
    relations, overlap = overlap_of(settings, bundle, cohort, subjects)
    label = table[SUBJECT].map({n: cohort.label(n) for n in subjects})
    table = table.assign(
        **{SUBJECT_LABEL: label, RELATION: table[SUBJECT].map(relations).astype(str)}
    )
    table.to_parquet(output, index=False)
    return Evaluation(
        model_version=model_version,
        bundle_digest=bundle.digest,
        cohort=cohort.provenance.name,
        simulated=cohort.provenance.simulated,
        seen_in_training=cohort.digest == bundle.manifest.data_digest,
        validation=overlap.validation,
        overlap=overlap,
        predictions=output,
        horizons=tuple(scores_by_horizon(_scored(table, overlap))),
    )


def _scored(table: pd.DataFrame, overlap: Overlap) -> pd.DataFrame:
    """Return the rows of the people whom the validation is about."""
    from contracts.predictions import RELATION, Relation, Validation

    about = {Validation.EXTERNAL: Relation.NEW, Validation.HELD_OUT: Relation.HELD_OUT}
    relation = about.get(overlap.validation)
    return table if relation is None else table[table[RELATION] == relation]


def in_words(evaluation: Evaluation) -> str:
    """Return what the scores are worth, and who was left out."""
    overlap = evaluation.overlap
    if not overlap.known:
        return (
            "Whether the model was trained on these people is not known: the bundle does not say,"
            " or the key that it was sealed with is not here. This is NOT an external validation."
        )
    words = [f"Validation: {evaluation.validation}.", f"Of {overlap.people} people"]
    words.append(
        f"{overlap.trained_on} were trained on, {overlap.held_out} held out of training,"
        f" {overlap.new} are new, and of {overlap.not_known} it is not known."
    )
    if evaluation.validation in {Validation.EXTERNAL, Validation.HELD_OUT}:
        words.append("Only those whom the validation is about are scored.")
    if overlap.same_identifier:
        words.append(
            f"{overlap.same_identifier} new ones have the identifier of somebody trained on, but"
            " another record: check that they are other people."
        )
    return " ".join(words)


def _predictions(bundle: Bundle, cohort: Cohort) -> pd.DataFrame:
    import pandas as pd

    from contracts.predictions import CANDIDATE, ORIGIN, REFUSED, SUBJECT
    from features.sequences import cohort_sequences
    from inference.bundle import forecast_batch
    from inference.out_of_distribution import is_out_of_distribution
    from training.predictions import prediction_table

    batch = cohort_sequences(cohort.events, bundle.task, bundle.layout)
    table = prediction_table(batch, forecast_batch(bundle, batch), bundle.task, model=CANDIDATE)
    refused = pd.DataFrame(
        {
            SUBJECT: batch.subject_B,
            ORIGIN: batch.origin_day_B,
            REFUSED: is_out_of_distribution(bundle.reference, batch),
        }
    )
    return table.merge(refused, on=[SUBJECT, ORIGIN], how="left", validate="many_to_one")


def scores_table(evaluation: Evaluation) -> Table:
    """Return the scores as a table for people."""
    label = "SIMULATED " if evaluation.simulated else ""
    table = Table(
        "week",
        "subjects",
        "outcomes",
        "MAE",
        "CRPS",
        "bias",
        "80 % coverage",
        "80 % width",
        title=f"{evaluation.model_version} on {label}{evaluation.cohort}",
        caption=in_words(evaluation),
    )
    for score in evaluation.horizons:
        table.add_row(
            f"{score.weeks:g}",
            str(score.subjects),
            str(score.outcomes),
            f"{score.mae:.2f}",
            f"{score.crps:.2f}",
            f"{score.bias:+.2f}",
            f"{score.coverage_80:.0%}",
            f"{score.width_80:.1f}",
        )
    return table
