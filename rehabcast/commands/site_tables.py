"""The tables of a site for a federated audit: forecasts beside what happened, and what was due."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import ContractError
from contracts.verdict import Outcome
from rehabcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from audits.federated.people import SitePeople
    from audits.judging.policy import Policy
    from contracts.cohort import Cohort
    from inference.bundle import Bundle
    from training.registry.model_versions import ModelVersion

FOLDS = 5
"""Of the fits of bedside rules to a site's own people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _SiteTables:
    """A prediction table, the follow-up table where there is one, and whether it is SIMULATED."""

    predictions: pd.DataFrame
    follow_up: pd.DataFrame | None
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The people of this site, and what is judged of them by which rules."""

    people: SitePeople
    bundle: Bundle
    policy: Policy
    simulated: bool


def site_of(settings: Settings, model_version: str, cohort: Path | None) -> Site:
    """Return the people of a cohort, or those that the version was trained on.

    Raises
    ------
    ContractError
        Their forecasts can't be judged, or nobody is known to be new to the model.
    """
    from audits.federated.people import SitePeople
    from audits.judging.validation import validate
    from rehabcast.signed_artifacts import open_bundle, policy_for
    from training.registry.model_versions import find

    version = find(settings.store, model_version)
    bundle = open_bundle(settings, version)
    policy = policy_for(settings, bundle)
    tables = _site_tables(settings, version, bundle, cohort)
    for check in validate(tables.predictions, least_error=policy.least_error):
        if check.outcome is Outcome.BLOCKED:
            raise ContractError(
                f"the forecasts here can't be judged: {check.reason}",
                f"`rehabcast audit {model_version}` says more",
            )
    people = SitePeople.of(tables.predictions, tables.follow_up, policy)
    return Site(people=people, bundle=bundle, policy=policy, simulated=tables.simulated)


def _site_tables(
    settings: Settings, version: ModelVersion, bundle: Bundle, folder: Path | None
) -> _SiteTables:
    """Return the tables of a cohort, or, without one, those that the version was trained with.

    Raises
    ------
    ContractError
        Nobody of the cohort is known to be new to the model.
    """
    from rehabcast.signed_artifacts import open_predictions
    from training.registry.follow_up import fetch_follow_up

    audited = open_predictions(settings, version, bundle)
    if folder is None:
        follow_up = fetch_follow_up(settings.store, version, bundle.manifest.follow_up_digest)
        simulated = bundle.manifest.simulated
        return _SiteTables(predictions=audited.rows, follow_up=follow_up, simulated=simulated)
    from features.cohort import read_cohort
    from rehabcast.commands.evaluation import predictions_of

    cohort = read_cohort(folder)
    forecasts = predictions_of(bundle, cohort, audited)
    return _of_new_people(settings, bundle, cohort, forecasts)


def _of_new_people(
    settings: Settings, bundle: Bundle, cohort: Cohort, table: pd.DataFrame
) -> _SiteTables:
    import numpy as np
    import pandas as pd

    from contracts.predictions import EARLY_ERROR, HORIZON, SUBJECT, Relation, forecasts_of
    from features.cohort.follow_up import ends_of, follow_up_rows
    from features.sequences import cohort_sequences
    from rehabcast.auditing.overlap import overlap_of

    forecasts = forecasts_of(table)
    task, layout = bundle.task, bundle.layout
    due = follow_up_rows(
        cohort_sequences(cohort.events, task, layout, outcomes=False),
        ends_of(cohort.events, dates_shifted=cohort.provenance.dates_shifted), task,
    ).assign(**{EARLY_ERROR: np.nan})  # fmt: skip
    subjects = {*forecasts[SUBJECT].tolist(), *due[SUBJECT].tolist()}
    relations, _ = overlap_of(settings, bundle, cohort, subjects)
    new = [subject for subject, relation in relations.items() if relation is Relation.NEW]
    if not new:
        raise ContractError(
            f"nobody in cohort {cohort.provenance.name!r} is known to be new to the model",
            "give a cohort that it was not trained on, where the key is that its people were sealed"
            " with (keys/people.key)",
        )
    # Whom the service would refuse is said with the candidate's forecasts, and holds for all.
    others = (_with_columns(rule, forecasts) for rule in _bedside_rules(bundle, cohort))
    everything = pd.concat([forecasts, *others], ignore_index=True)
    everything = everything[everything[SUBJECT].isin(new)]
    served = due[HORIZON].isin(forecasts[HORIZON].unique()) & due[SUBJECT].isin(new)
    return _SiteTables(
        predictions=everything.reset_index(drop=True),
        follow_up=due[served].reset_index(drop=True),
        simulated=cohort.provenance.simulated,
    )


def _with_columns(rule: pd.DataFrame, forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return a rule's rows that have a counterpart, with all columns of the forecasts."""
    from audits.measure.prediction_table import KEY

    lacking = [name for name in forecasts.columns if name not in rule.columns]
    return rule.merge(forecasts[[*KEY, *lacking]], on=KEY, validate="one_to_one")


def _bedside_rules(bundle: Bundle, cohort: Cohort) -> list[pd.DataFrame]:
    """Forecast by bedside rules, fitted to the site's own people, each out of fold."""
    from features.sequences import cohort_sequences
    from training.models.bedside_rules import last_observation, proportional_recovery
    from training.models.stack import out_of_fold
    from training.predictions import prediction_table

    batch = cohort_sequences(cohort.events, bundle.task, bundle.layout)
    rules = {"last observation": last_observation, "proportional recovery": proportional_recovery}
    return [
        prediction_table(
            batch, out_of_fold(fit, batch, bundle.task, FOLDS, seed=0), bundle.task, model=name
        )
        for name, fit in rules.items()
    ]
