"""`rehabcast evaluate`: external validation of a registered version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table

from contracts.errors import ContractError
from contracts.predictions import Overlap, Validation
from rehabcast.commands.learning.training import CohortOption, VersionArgument
from rehabcast.output import AsJson, emit, require_place
from rehabcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from contracts.cohort import Cohort
    from inference.bundle import Bundle
    from rehabcast.signed_artifacts import PredictionTable
    from training.comparison.evaluate import HorizonScore, Refused


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
        File of the prediction table; its signature lies beside it, for `rehabcast audit
        --external`.
    horizons
        Scores by horizon: of the new people where the validation is external, of those held out
        where it is theirs, else of all.
    answered
        The same, of those forecasts only that the service would give.
    refused
        Forecasts scored in `horizons` that the service would refuse, by reason.
    asked, asked_refused
        People of the cohort, each asked about on the newest day with data; and those of them whom
        the service would refuse, by reason.
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
    answered: tuple[HorizonScore, ...]
    refused: tuple[Refused, ...]
    asked: int
    asked_refused: tuple[Refused, ...]


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
    """Read a cohort, and validate a version on it (`evaluate_on`)."""
    from features.cohort import read_cohort
    from training.registry.model_versions import find

    require_place(output)
    # That there is no such version is said before a large cohort is read.
    find(Settings().store, model_version)
    return evaluate_on(read_cohort(folder), model_version, output)


def evaluate_on(cohort: Cohort, model_version: str, output: Path) -> Evaluation:
    """Forecast a cohort with a version's signed bundle; write and sign the table, return scores.

    Raises
    ------
    IntegrityError
        The bundle's signature is missing or not valid, or a byte was changed.
    """
    from contracts.cohort import SUBJECT, SUBJECT_LABEL
    from contracts.predictions import REFUSAL, forecasts_of, questions_of
    from rehabcast.auditing.external_validation import PeopleOf, with_relations, write_signed
    from rehabcast.auditing.overlap import overlap_of
    from rehabcast.signed_artifacts import open_bundle, open_predictions
    from training.comparison.evaluate import refused_by_reason, scores_by_horizon
    from training.registry.model_versions import find

    require_place(output)
    settings = Settings()
    version = find(settings.store, model_version)
    bundle = open_bundle(settings, version)
    table = predictions_of(bundle, cohort, open_predictions(settings, version, bundle))
    subjects = table[SUBJECT].unique().tolist()
    relations, overlap = overlap_of(settings, bundle, cohort, subjects)
    label = table[SUBJECT].map({n: cohort.label(n) for n in subjects})
    table = with_relations(table.assign(**{SUBJECT_LABEL: label}), relations)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    write_signed(settings, table, bundle, PeopleOf.cohort(cohort), output, made)
    questions, scored = questions_of(table), _scored(forecasts_of(table), overlap)
    return Evaluation(
        model_version=model_version,
        bundle_digest=bundle.digest,
        cohort=cohort.provenance.name,
        simulated=cohort.provenance.simulated,
        seen_in_training=cohort.digest == bundle.manifest.data_digest,
        validation=overlap.validation,
        overlap=overlap,
        predictions=output,
        horizons=tuple(scores_by_horizon(scored)),
        answered=tuple(scores_by_horizon(scored[scored[REFUSAL] == ""])),
        refused=tuple(refused_by_reason(scored)),
        asked=len(questions),
        asked_refused=tuple(refused_by_reason(questions)),
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


def predictions_of(bundle: Bundle, cohort: Cohort, audited: PredictionTable) -> pd.DataFrame:
    """Forecast a cohort at the landmarks; say whom the service would refuse, there and today.

    Parameters
    ----------
    audited
        The table that the version's audit reads: the service answers for its groups only.

    Raises
    ------
    ContractError
        Nobody can be forecast and compared with an outcome.
    """
    from contracts.predictions import CANDIDATE, GROUP, MODEL
    from features.newest import newest_day
    from features.sequences import cohort_sequences
    from inference.bundle import forecast_batch
    from inference.out_of_distribution import is_out_of_distribution
    from inference.refusals import groups_in, refusals
    from inference.similar import nobody_alike
    from training.predictions import prediction_table, with_clusters, with_questions, with_refusals

    task, batch = bundle.task, cohort_sequences(cohort.events, bundle.task, bundle.layout)
    if len(batch) == 0:
        raise ContractError(
            f"nobody in cohort {cohort.provenance.name!r} has a score at a landmark and an outcome"
            f" at a horizon of {task.name}, so there is no forecast to score",
            "evaluate on a cohort that has the scores of this task, or import the missing ones",
        )
    rows = audited.rows[audited.rows[MODEL] == CANDIDATE]
    labels = {name: rows[name] for name in rows if str(name).startswith(GROUP)}
    known = groups_in(rows[list(labels)].rename(columns=lambda name: str(name).removeprefix(GROUP)))
    seen = bundle.calibration.seen
    quantiles_BHQ = forecast_batch(bundle, batch)
    stated = bundle.calibration.chances(quantiles_BHQ, batch, task, observed=True)
    table = prediction_table(batch, quantiles_BHQ, task, model=CANDIDATE, stated=stated)
    unlike_B = is_out_of_distribution(bundle.reference, batch)
    given_BH = seen.given(seen.similar(batch, task), batch)
    refusal_B = refusals(batch.groups_B, task, known, unlike_B, few_alike_B=nobody_alike(given_BH))
    table = with_refusals(table, batch, unlike_B, refusal_B, given_BH)
    asked = newest_day(cohort.events, task, bundle.layout)
    asked_given_BH = seen.given(seen.similar(asked.batch, task), asked.batch)
    of_asked = {
        "few_alike_B": nobody_alike(asked_given_BH),
        "unlike_B": is_out_of_distribution(bundle.reference, asked.batch),
        "nothing_measured_B": asked.nothing_measured_B,
        "no_score_B": asked.no_score_B,
    }
    groups_B = asked.batch.groups_B
    table = with_questions(
        table,
        asked.batch,
        refusals(groups_B, task, known | groups_in(batch.groups_B), **of_asked) != "",
        refusals(groups_B, task, known, **of_asked),
        task,
    )
    return with_clusters(table, cohort, task)


def scores_table(evaluation: Evaluation) -> Group:
    """Return the scores as tables for people: of everybody, and of those who get a forecast."""
    label = "SIMULATED " if evaluation.simulated else ""
    cohort = f"{evaluation.model_version} on {label}{evaluation.cohort}"
    if not evaluation.refused:
        tables = [_scores(f"{cohort}: the service would give every forecast", evaluation.horizons)]
    else:
        tables = [
            _scores(f"{cohort}: everybody, also if refused by the service", evaluation.horizons),
            _scores("Only forecasts that the service would give", evaluation.answered),
            _refused("Forecasts above that the service would refuse", evaluation.refused),
        ]
    refused = sum(reason.people for reason in evaluation.asked_refused)
    title = (
        f"Asked about each of {evaluation.asked} people on the newest day with data, the service"
        f" would refuse {refused}"
    )
    tables.append(_refused(title, evaluation.asked_refused))
    tables[0].caption = in_words(evaluation)
    return Group(*tables)


def _scores(title: str, horizons: Sequence[HorizonScore]) -> Table:
    table = Table(
        "week", "subjects", "outcomes", "MAE", "CRPS", "bias", "80 % coverage", "80 % width",
        title=title,
    )  # fmt: skip
    for score in horizons:
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


def _refused(title: str, refused: Sequence[Refused]) -> Table:
    table = Table("reason", "people", "forecasts", title=title)
    for each in refused:
        table.add_row(each.reason, str(each.people), str(each.forecasts))
    return table
