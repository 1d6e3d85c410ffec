"""Prediction tables of other cohorts: signed where they are made, verified where they count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from audits.judging.further.external import ExternalTable
from contracts.cohort import Cohort
from contracts.errors import ContractError
from contracts.predictions import (
    ASKED,
    MODEL,
    RELATION,
    SUBJECT,
    Relation,
    forecasts_of,
    questions_of,
)
from contracts.verdict import ExternalValidation
from inference.bundle import Bundle, BundleDescription
from rehabcast.auditing.signed_tables import read_stated, write_stated
from rehabcast.settings import Settings

METADATA = b"rehabcast.auditing.external_validation"
MAKE_AGAIN = "make it with `rehabcast evaluate`, and keep its signature beside it"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleOf:
    """Whose forecasts a table holds: a cohort's, or those of a service's record.

    Parameters
    ----------
    name, digest
        What it is called, and the digest of its data.
    simulated
        Whether its people are.
    """

    name: str
    digest: str
    simulated: bool

    @classmethod
    def cohort(cls, cohort: Cohort) -> PeopleOf:
        """Return the people of a cohort."""
        provenance = cohort.provenance
        return cls(name=provenance.name, digest=cohort.digest, simulated=provenance.simulated)


def with_relations(table: pd.DataFrame, relations: Mapping[int, Relation]) -> pd.DataFrame:
    """Return a prediction table that says what each person is to the model."""
    return table.assign(**{RELATION: table[SUBJECT].map(relations).astype(str)})


def write_signed(
    settings: Settings,
    table: pd.DataFrame,
    bundle: Bundle,
    people: PeopleOf,
    output: Path,
    made: str,
) -> ExternalValidation:
    """Write a prediction table of a cohort and sign it.

    Parameters
    ----------
    table
        With what each person is to the model (`with_relations`).
    people
        Whose forecasts these are.
    made
        When its forecasts were made, UTC in ISO 8601.
    """
    relations = forecasts_of(table).drop_duplicates(SUBJECT)[RELATION]
    validation = ExternalValidation(
        predictions_digest="",
        bundle_digest=bundle.digest,
        cohort_name=people.name,
        data_digest=people.digest,
        simulated=people.simulated,
        made_at=made,
        made_by=settings.actor,
        people=len(relations),
        overlap=int((relations == Relation.TRAINED_ON).sum()),
        new=int((relations == Relation.NEW).sum()),
    )
    digest = write_stated(settings, table, validation, METADATA, output)
    return validation.model_copy(update={"predictions_digest": digest})


def open_external(
    settings: Settings, file: Path, bundle: Bundle | BundleDescription
) -> ExternalTable:
    """Read a signed prediction table for the audit of a bundle.

    Raises
    ------
    IntegrityError
        It is not signed by a trusted key, or a byte was changed.
    ContractError
        It cannot be read, says nothing of its cohort, was made with another bundle, or is no
        validation of this one: simulated people for a model of real ones, or nobody whom it was
        not trained on.
    """
    refusal = ContractError(
        f"{file.name}: not a prediction table that says which cohort it is of", MAKE_AGAIN
    )
    validation, rows, digest = read_stated(settings, file, ExternalValidation, METADATA, refusal)
    try:
        forecasts, questions = forecasts_of(rows), questions_of(rows)
        is_new = forecasts[RELATION] == Relation.NEW
        asked_new = (rows.loc[rows[MODEL] == ASKED, RELATION] == Relation.NEW).reset_index(
            drop=True
        )
    except KeyError as error:
        raise refusal from error
    _check(file.name, validation, bundle)
    return ExternalTable(
        validation=validation.model_copy(update={"predictions_digest": digest}),
        forecasts=forecasts[is_new].reset_index(drop=True),
        questions=questions[asked_new].reset_index(drop=True),
    )


def _check(name: str, validation: ExternalValidation, bundle: Bundle | BundleDescription) -> None:
    if validation.bundle_digest != bundle.digest:
        raise ContractError(
            f"{name}: the forecasts are of bundle {validation.bundle_digest[:12]}, and the audit is"
            f" of {bundle.digest[:12]}",
            "evaluate the version that is audited",
        )
    if validation.simulated and not bundle.manifest.simulated:
        raise ContractError(
            f"{name}: its people are SIMULATED, and those of the model are real",
            "evaluate the version on a real cohort",
        )
    if not validation.new:
        seen = validation.overlap or 0
        unknown = (validation.people or 0) - seen
        raise ContractError(
            f"{name}: of {validation.people} people with a forecast and an outcome, nobody is known"
            f" to be new to the model: it was trained on {seen}, and of {unknown} that is not known"
            " or they were held out of its training",
            "evaluate the version on people whom it was not trained on, where the key is that its"
            " people were sealed with (keys/people.key)",
        )
