"""Requests and answers of the service. Unknown fields are refused, and invalid input not echoed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from contracts.observation import Day, Observation, Text
from serving.model_info import GroupCoverage, ModelInfo
from serving.profile import DomainProfile
from serving.settled import NextMeasurement, Uncertainty
from serving.whatif import MAX_PLANS, LastWeeks, PlanAsked, PlanSearch, WhatIf

# Where text ends with a line end, $ alone stands before it.
SubjectId = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9_-]{1,64}(?!\n)$", description="A pseudonym the caller can resolve."),
]

PatientId = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}(?!\n)$", description="As in requests, or a FHIR id.")
]

TaskName = Annotated[
    str,
    Meta(
        max_length=100,
        description="Name of the task; needed where several are served, and they are then listed.",
    ),
]

SCORE = "score"
"""What is explained unless a milestone is named: the median, in score points."""

CLOCKS = timedelta(minutes=5)
"""How far the clocks of a record system and of this service may be apart."""


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of immutable types that take only the fields they name."""


MAX_OBSERVATIONS = 80_000
"""Of one record: five years of each daily biomarker are 71,253, and take a third of a second."""

Observations = Annotated[list[Observation], Meta(min_length=1, max_length=MAX_OBSERVATIONS)]


class RecordRequest(Strict, frozen=True, kw_only=True):
    """A subject's record so far, and what is asked of whichever model reads it."""

    subject: SubjectId
    enrolment_day: Day | None = None
    observations: Observations | None = None
    onset_date: date | None = None
    as_of: date | None = None
    as_of_day: Annotated[
        Day | None,
        Meta(description="As `as_of`, in days since onset; both must be the same day."),
    ] = None
    bundle: dict[str, Any] | None = None
    condition: Annotated[
        str, Meta(max_length=200, description="Id of the bundle's Condition whose onset counts.")
    ] = ""
    explain: bool = True
    explain_horizon_weeks: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    next_measurement: Annotated[
        bool, Meta(description="Also say what measuring again would be worth; it takes longer.")
    ] = False


class ForecastRequest(RecordRequest, frozen=True, kw_only=True):
    """A subject's record so far: inline, as a FHIR R4 Bundle, or already on record.

    Inline needs `enrolment_day` and `observations`; FHIR needs `bundle`; with neither, the running
    record of `subject` is used (`POST /v1/observations`). With a date of onset (that of a bundle's
    Condition, or `onset_date`) the forecast is of today, or of `as_of`; without one, of the newest
    day with a measurement.
    """

    task: TaskName = ""


class ForecastsRequest(Strict, frozen=True, kw_only=True):
    """Many subjects at once; each is answered on its own."""

    requests: Annotated[list[ForecastRequest], Meta(min_length=1, max_length=64)]


class ExplainRequest(ForecastRequest, frozen=True, kw_only=True):
    """As for a forecast, and what to explain: `score` or a milestone, and a modality's days."""

    output: Text = SCORE
    days_of: Text | None = None


class WhatIfRequest(ForecastRequest, frozen=True, kw_only=True):
    """As for a forecast, and the plans of therapy that are asked about, each by its own name.

    Without a plan, `search` says within which limits to look for some, or `last_weeks` asks for
    next week's dose by declared rules.
    """

    plans: Annotated[list[PlanAsked], Meta(max_length=MAX_PLANS)] = field(default_factory=list)
    search: PlanSearch | None = None
    last_weeks: LastWeeks | None = None


class ObservationsRequest(Strict, frozen=True, kw_only=True):
    """New observations of a subject; the first time with the day of enrolment."""

    subject: SubjectId
    enrolment_day: Day | None = None
    observations: Observations
    today: Day | None = None
    """The day on which this is sent, where its values may be of earlier days; without it, they are
    taken to come as they are measured. No value is of a later day."""


class FeedbackRequest(Strict, frozen=True, kw_only=True):
    """A clinician's feedback on a forecast."""

    forecast_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}(?!\n)$", max_length=32)]
    outcome: Literal["accepted", "overridden", "wrong", "unclear"]
    reason: Annotated[str, Meta(max_length=500)] = ""
    hours_a_week: Annotated[float, Meta(ge=0, le=60)] | None = None
    """Of an answer with next week's dose that is overridden: the dose instead, if another one was
    decided; without it the advice was rejected."""


class HorizonForecast(Strict, frozen=True, kw_only=True):
    """The forecast at one horizon: never a number without its range."""

    weeks: int
    day_after_enrolment: int
    median: float
    low_80: float
    high_80: float
    quantiles: dict[str, float]
    milestones: dict[str, float]
    last_observation: float
    """A comparator: the score stays as it was."""
    proportional_recovery: float | None
    """A comparator: the published share of the deficit recovers; null where nobody published one.

    Of the Fugl-Meyer of the arm 0.70 (Prabhakaran 2008, Winters 2015)."""
    calendar_date: date | None = None
    """Where the date of onset is known."""
    similar_people: int | None = None
    """People like this one with an outcome at this horizon, rounded down; null if fewer than 11."""
    similar_people_in_words: str = ""
    """To be shown: "fewer than 11", "40 or more"."""


class Contribution(Strict, frozen=True, kw_only=True):
    """What knowing a modality, or a window of it, adds to the forecast."""

    modality: str
    window: str
    points: float
    observed: bool


class DayContribution(Strict, frozen=True, kw_only=True):
    """What some days of one modality add, given everything else that is known."""

    first_day: int
    last_day: int
    points: float


class Reasons(Strict, frozen=True, kw_only=True):
    """Exact Shapley values at one horizon; base and points add up to the forecast."""

    output: str
    unit: str
    horizon_weeks: int
    base: float
    forecast: float
    contributions: list[Contribution]
    additivity_gap: float
    days_of: str | None = None
    days: list[DayContribution] = field(default_factory=list)


class RestsOn(Strict, frozen=True, kw_only=True):
    """The data that the forecast rests on."""

    assessments: int
    days_with_wearable: int
    median_wear_hours: float | None
    missing_modalities: list[str]
    missing_channels: list[str]
    ignored_codes: list[str]


class ForecastAnswer(Strict, frozen=True, kw_only=True):
    """A forecast with its reasons, or why there is none and what to do."""

    status: Literal["forecast", "no forecast"]
    subject: str
    forecast_id: str = ""
    reason: str = ""
    what_to_do: str = ""
    instrument: str
    instrument_code: str = ""
    """In the vocabulary."""
    scale: Annotated[tuple[float, ...], Meta(min_length=2, max_length=2)]
    """The lowest and the highest score."""
    origin_day: int | None = None
    as_of: date | None = None
    """Date of the day that the forecast starts from, `origin_day` after enrolment; null where the
    date of onset is not known."""
    last_score: float | None = None
    last_score_day: int | None = None
    """Days after enrolment."""
    last_score_date: date | None = None
    horizons: list[HorizonForecast] = field(default_factory=list)
    reasons: Reasons | None = None
    next_measurement: NextMeasurement | None = None
    """Null unless it is asked for."""
    uncertainty: Uncertainty | None = None
    """What would settle how much of the range; null unless `next_measurement` is asked for."""
    what_if: WhatIf | UnsetType = UNSET
    """Under other plans of therapy; absent unless it is asked for."""
    rests_on: RestsOn | None = None
    groups: list[GroupCoverage] = field(default_factory=list)
    similar_people: int | None = None
    """People like this one whom the model learned from, rounded down; null if fewer than 11."""
    similar_people_in_words: str = ""
    """To be shown: "fewer than 11", "40 or more"; empty without a forecast."""
    milestones_reached: list[str] = field(default_factory=list)
    """By the last score already: their chance is 1 at every horizon."""
    profile: list[DomainProfile] = field(default_factory=list)
    """Every domain of functioning on the day of the forecast."""
    in_words: list[str] = field(default_factory=list)
    """To show beside it: people behind it, weeks not forecast and why, chances of milestones."""
    notes: list[str] = field(default_factory=list)
    """What of the record was left out, decided or odd."""
    held_back: list[str] = field(default_factory=list)
    """Under an override: groups and course of this patient that the audit would have held back.

    What it has not shown for anyone is in `banner`."""
    model: ModelInfo
    banner: str = ""
    limits: list[str]


class ForecastsAnswer(Strict, frozen=True, kw_only=True):
    """One answer for each request, in the same order."""

    answers: list[ForecastAnswer]


class Recorded(Strict, frozen=True, kw_only=True):
    """How many observations were sent, and how many are on record now."""

    subject: str
    sent: int
    on_record: int


class ModelCard(Strict, frozen=True, kw_only=True):
    """Which model is in service, its audit and its card."""

    model: ModelInfo
    withdrawn: str
    banner: str
    limits: list[str]
    card: str


class Acknowledgement(Strict, frozen=True, kw_only=True):
    """Confirms that something was stored."""

    message: str


class Refusal(Strict, frozen=True, kw_only=True):
    """Why a request was not answered, and what to do; `error` says both in one sentence."""

    error: str
    reason: str
    what_to_do: str
