"""What the service takes and gives; everything unknown is refused, nothing wrong is echoed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Strict(BaseModel):
    # BentoML logs a rejected request with its values unless they are hidden.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, given: Any) -> Any:
        """Refuse unknown fields without naming them: their names are the caller's, and logged."""
        if isinstance(given, dict) and not set(given) <= set(cls.model_fields):
            raise ValueError(f"an unknown field; known are {', '.join(cls.model_fields)}")
        return given


class Observation(_Strict):
    """One value of the record: a score, a day's biomarker, or a fact of the person."""

    code: Annotated[str, Field(max_length=100)]
    day_since_onset: Annotated[int, Field(ge=0, le=40_000)] | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    label: Annotated[str, Field(max_length=100)] | None = None


class ForecastRequest(_Strict):
    """A subject's record so far, under a pseudonym that only the caller can resolve."""

    subject: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    enrolment_day: Annotated[int, Field(ge=0, le=40_000)]
    observations: Annotated[list[Observation], Field(min_length=1, max_length=20_000)]
    explain_horizon_weeks: int | None = None


class HorizonForecast(_Strict):
    """The forecast at one horizon: never a number without its range."""

    weeks: int
    day_after_enrolment: int
    median: float
    low_80: float
    high_80: float
    quantiles: dict[str, float]
    milestones: dict[str, float]


class Contribution(_Strict):
    """What knowing a modality adds to the forecast, in score points."""

    modality: str
    points: float
    observed: bool


class Reasons(_Strict):
    """Exact Shapley values of the median at one horizon; base and points add up to it."""

    horizon_weeks: int
    base: float
    forecast: float
    contributions: list[Contribution]
    additivity_gap: float


class RestsOn(_Strict):
    """What the forecast could see."""

    assessments: int
    days_with_wearable: int
    missing_modalities: list[str]
    ignored_codes: list[str]


class Override(_Strict):
    """Who let the model through though its audit is no pass, why, until when and for which use."""

    approver: str
    reason: str
    until: str
    restricted_use: str


class ModelInfo(_Strict):
    """Which model answered, and on what it stands."""

    model_version: str
    bundle_digest: str
    report_digest: str
    audit_outcome: str
    valid_until: str
    simulated: bool
    cohort_name: str
    override: Override | None


class ForecastAnswer(_Strict):
    """A forecast with its reasons, or the reason why there is none."""

    status: Literal["forecast", "no forecast"]
    subject: str
    reason: str = ""
    what_to_do: str = ""
    instrument: str
    scale: tuple[float, float]
    origin_day: int | None = None
    last_score: float | None = None
    horizons: list[HorizonForecast] = []
    reasons: Reasons | None = None
    rests_on: RestsOn | None = None
    model: ModelInfo
    limits: list[str]
