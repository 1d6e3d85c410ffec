"""What `mlflow.pyfunc.load_model("models:/NAME/N")` loads: the signed bundle, for data frames.

For those who compare models. It is not the service: it does not ask the ledger whether the version
may be used for patients. Nothing is unpickled; the bundle's signature and every byte are verified
as everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from contracts.errors import ContractError
from contracts.observation import Observation
from contracts.predictions import QUANTILE_COLUMNS

if TYPE_CHECKING:
    from inference.bundle import Bundle
    from serving.forecast.audit_status import ServedModel
    from serving.schemas import ForecastAnswer

SUBJECT, ENROLMENT_DAY = "subject", "enrolment_day"
OBSERVATION = ("code", "day_since_onset", "value", "label")
"""Columns of the input, one row an observation: whose, and what `contracts.observation` names."""
ORIGIN_DAY, HORIZON_DAY, REASON = "origin_day", "horizon_day", "reason"


def _load_pyfunc(path: str) -> Forecaster:
    """Load a bundle that MLflow has put into a folder; MLflow calls this by its name.

    Raises
    ------
    IntegrityError
        It is not signed by a trusted key, or a byte was changed.
    EvidenceMissing
        Its run has no signature.
    """
    from rehabcast.settings import Settings, use_site_vocabulary
    from rehabcast.signed_artifacts import open_downloaded_bundle

    use_site_vocabulary()
    return Forecaster(without_audit(open_downloaded_bundle(Settings(), Path(path))))


def without_audit(bundle: Bundle, model_version: str = "") -> ServedModel:
    """Return a bundle to compare models by: no audit stands behind its forecasts."""
    from serving.forecast.audit_status import AuditStatus, ServedModel

    status = AuditStatus(
        model_version=model_version, report_digest="", outcome=None,
        valid_until=datetime.max.replace(tzinfo=UTC), approver=None, reason=None,
    )  # fmt: skip
    return ServedModel(bundle=bundle, audit_status=status)


class Forecaster:
    """Forecasts from a data frame of observations."""

    def __init__(self, served: ServedModel) -> None:
        self._served = served

    def predict(
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Forecast each subject from all of their observations.

        Parameters
        ----------
        model_input
            One row an observation: `subject` (text), `enrolment_day` (days since onset), `code`,
            `day_since_onset` (empty for a fact of the person), and `value` or `label`.

        Returns
        -------
        DataFrame
            One row a subject and horizon: `subject`, `origin_day` and `horizon_day` (days since
            enrolment), the quantiles in score points, and `reason`. Where there is no forecast, one
            row with the reason, as the service gives it, and empty numbers.

        Raises
        ------
        ContractError
            A column is missing or of the wrong type, or a subject has two days of enrolment.
        """
        needed = [SUBJECT, ENROLMENT_DAY, *OBSERVATION[:1]]
        for name in needed:
            if name not in model_input.columns or model_input[name].isna().any():
                raise ContractError(
                    f"the data frame has no column {name}, or an empty cell in it",
                    f"give one row an observation, with {', '.join((*needed, *OBSERVATION[1:]))}",
                )
        rows = [
            row
            for subject, records in model_input.groupby(SUBJECT, sort=False)
            for row in self._rows(str(subject), records)
        ]
        columns = [SUBJECT, ORIGIN_DAY, HORIZON_DAY, *QUANTILE_COLUMNS, REASON]
        return pd.DataFrame(rows, columns=columns)

    def _rows(self, subject: str, records: pd.DataFrame) -> Iterator[dict[str, object]]:
        from serving.forecast.question import Question
        from serving.forecast.respond import respond

        days = [_whole(day) for day in records[ENROLMENT_DAY].unique()]
        if len(days) != 1 or not isinstance(days[0], int):
            raise ContractError(
                f"subject {subject} has not one whole {ENROLMENT_DAY}",
                f"give the same {ENROLMENT_DAY}, in whole days since onset, in all their rows",
            )
        question = Question(
            subject=subject,
            enrolment_day=days[0],
            observations=_observations(subject, records),
            explain=False,
        )
        yield from _answer_rows(respond(question, self._served, now=datetime.now(UTC)))


def _observations(subject: str, records: pd.DataFrame) -> list[Observation]:
    present = [name for name in OBSERVATION if name in records.columns]
    try:
        return msgspec.convert(
            [
                {
                    name: _whole(cell) if name == "day_since_onset" else cell
                    for name, cell in zip(present, cells, strict=True)
                    if not pd.isna(cell)
                }
                for cells in records[present].astype(object).itertuples(index=False)
            ],
            list[Observation],
        )
    except msgspec.ValidationError as error:
        raise ContractError(
            f"subject {subject}: an observation is not one ({error})",
            f"give {', '.join(OBSERVATION)} as the service's documentation describes them",
        ) from error


def _answer_rows(answer: ForecastAnswer) -> Iterator[dict[str, object]]:
    if answer.status != "forecast":
        yield {SUBJECT: answer.subject, REASON: answer.reason}
        return
    for horizon in answer.horizons:
        yield {
            SUBJECT: answer.subject,
            ORIGIN_DAY: answer.origin_day,
            HORIZON_DAY: horizon.day_after_enrolment,
            **horizon.quantiles,
        }


def _whole(day: Any) -> Any:
    """Return a day as an integer where it is a whole number; a data frame has it as a float."""
    return int(day) if isinstance(day, float | np.number) and float(day).is_integer() else day
