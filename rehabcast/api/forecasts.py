"""Forecasts of one person and their reasons, in Python.

They are for looking at a model. The service is what clinicians are answered by: it asks for
consent, keeps every forecast on record and follows the ledger while it runs.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from contracts.cohort import Cohort
from contracts.errors import ForecastRefused, IntegrityError
from rehabcast.api.arguments import COHORT, DAY, TEXT, VERSION, WEEKS, Kind, takes
from serving.schemas import SCORE
from stores.private_files import made_private

if TYPE_CHECKING:
    import shap

    from serving.forecast.audit_status import ServedModel
    from serving.schemas import ForecastAnswer

NOT_ON_RECORD = (
    "Computed in Python, not by the service: it is not on record, and nobody was asked for consent."
)
NOT_IN_SERVICE = "Nobody has let {} into service: its forecasts are not for anyone's care."


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that was opened, with its signature and every byte verified.

    Parameters
    ----------
    served
        Its bundle, and the audit that it rests on.
    notes
        What every forecast says of how it was made.
    """

    served: ServedModel
    notes: tuple[str, ...]


def _is_model(value: object) -> bool:
    from serving.forecast.audit_status import ServedModel

    return isinstance(value, Model) and isinstance(value.served, ServedModel)


MODEL = Kind("a model, as rehabcast.open_champion or open_version returns it", _is_model)


@takes(model=TEXT.or_none())
def open_champion(*, model: str | None = None) -> Model:
    """Open the model that the ledger lets into service, after every check of the service.

    It is the champion at this moment: a later revocation is not noticed.

    Parameters
    ----------
    model
        Name of the registered model; needed where `REHABCAST_MODEL` names several.

    Raises
    ------
    EvidenceMissing
        There is no ledger.
    PromotionRefused
        There is no champion, or it was withdrawn, or its audit has expired.
    IntegrityError
        The ledger's chain, a signature, a digest or the report is not what it must be.
    """
    from rehabcast.ledger_source import load_champion
    from rehabcast.settings import use_site_vocabulary

    use_site_vocabulary()
    with made_private():
        return Model(served=load_champion(model), notes=(NOT_ON_RECORD,))


@takes(model_version=VERSION)
def open_version(model_version: str) -> Model:
    """Open a registered version to compare models by; no audit stands behind its forecasts.

    Parameters
    ----------
    model_version
        `NAME/N`.

    Raises
    ------
    EvidenceMissing
        There is no such version.
    IntegrityError
        Its signature is missing or not valid, or a byte was changed.
    """
    from rehabcast.pyfunc import without_audit
    from rehabcast.settings import Settings, use_site_vocabulary
    from rehabcast.signed_artifacts import open_bundle
    from training.registry.model_versions import find

    use_site_vocabulary()
    settings = Settings()
    with made_private():
        version = find(settings.store, model_version)
        bundle = open_bundle(settings, version)
    return Model(
        served=without_audit(bundle, str(version)),
        notes=(NOT_ON_RECORD, NOT_IN_SERVICE.format(version)),
    )


@takes(model=MODEL, cohort=COHORT, subject=TEXT, as_of_day=DAY.or_none())
def forecast(
    model: Model, cohort: Cohort, subject: str, *, as_of_day: int | None = None
) -> ForecastAnswer:
    """Forecast one person, with the service's refusals of records and its limits of use.

    Whom the audit did not show the model to be right for is refused too where `model` is the
    champion; behind another version stands no audit, and its `banner` says so.

    Parameters
    ----------
    subject
        The person's identifier in the cohort's source.
    as_of_day
        The day after enrolment that the forecast is of, from what was known then; by default the
        newest day with a measurement.

    Returns
    -------
    ForecastAnswer
        `status` is `forecast` or `no forecast`; then `reason` and `what_to_do` say why. `horizons`
        has medians and ranges in points of the instrument and the chance of each milestone.

    Raises
    ------
    EvidenceMissing
        The person is not in the cohort.
    """
    return _answer(model, cohort, subject, as_of_day, None, SCORE)


@takes(
    model=MODEL,
    cohort=COHORT,
    subject=TEXT,
    as_of_day=DAY.or_none(),
    weeks=WEEKS.or_none(),
    output=TEXT,
)
def explain(
    model: Model,
    cohort: Cohort,
    subject: str,
    *,
    as_of_day: int | None = None,
    weeks: int | None = None,
    output: str = SCORE,
) -> shap.Explanation:
    """Explain one person's forecast by exact Shapley values, for the plots of `shap`.

    Parameters
    ----------
    subject
        The person's identifier in the cohort's source.
    as_of_day
        The day after enrolment that the forecast is of, as of `forecast`.
    weeks
        Which horizon; by default the task's primary one.
    output
        `score`, for the median, or the name of a milestone, for its chance.

    Returns
    -------
    shap.Explanation
        One value for each kind of information that is known of the person (P,), largest first,
        split into early and recent days where there are enough of them. `base_values` is the
        forecast for somebody of whom nothing is known; values and base add up to the forecast.

    Warns
    -----
    UserWarning
        What stands above the forecast itself: that people are SIMULATED, and that nobody let the
        model into service or somebody overrode its audit. What was odd about the record, `forecast`
        says: a warning may be logged.

    Raises
    ------
    ForecastRefused
        There is no forecast to explain, no such horizon or no such output: says why.
    EvidenceMissing
        The person is not in the cohort.
    """
    import shap

    from serving.forecast.audit_status import Standing, banner
    from serving.forecast.explain import ALL_DAYS

    answer = _answer(model, cohort, subject, as_of_day, weeks, output)
    if answer.status != "forecast":
        raise ForecastRefused(answer.reason, answer.what_to_do)
    if answer.reasons is None:
        raise IntegrityError("the forecast came without its reasons", "report this to us")
    simulated = [Standing.SIMULATED] if answer.model.simulated else []
    warnings.warn(
        " ".join([*filter(None, [banner(model.served)]), *simulated, *model.notes]), stacklevel=2
    )
    known = [each for each in answer.reasons.contributions if each.observed]
    return shap.Explanation(
        values=np.array([each.points for each in known]),
        base_values=np.float64(answer.reasons.base),
        feature_names=[
            each.modality + ("" if each.window == ALL_DAYS else f", {each.window}")
            for each in known
        ],
    )


def _answer(
    model: Model,
    cohort: Cohort,
    subject: str,
    as_of_day: int | None,
    weeks: int | None,
    output: str,
) -> ForecastAnswer:
    from rehabcast.commands.service.serve import forecast_request
    from serving.forecast.question import Question
    from serving.forecast.respond import respond

    request = forecast_request(cohort, subject, as_of_day=as_of_day, weeks=weeks)
    question = Question(
        subject=subject,
        enrolment_day=request.enrolment_day or 0,
        observations=request.observations or (),
        as_of_day=request.as_of_day,
        weeks=weeks,
        output=output,
        notes=model.notes,
    )
    return respond(question, model.served, now=datetime.now(UTC))
