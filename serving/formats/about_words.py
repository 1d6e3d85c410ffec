"""A model in service in words, for a clinician who has opened the page about it from a card."""

from __future__ import annotations

from contracts.verdict import Outcome
from contracts.vocabulary import vocabulary
from serving.forecast.audit_status import ServedModel, of_everyone
from serving.formats.formatting import formatted_date

RANGE_PROMISE = "The range is meant to hold for 8 in 10 people"
TRUST = "You know the patient: trust what you know and the record does not say."
OUTCOMES = {
    Outcome.PASS: "it kept every rule of the policy, for everyone who was looked at",
    Outcome.WITHIN_SCOPE: "it kept every rule of the policy for most people, and only they get a"
    " forecast",
    Outcome.INSUFFICIENT: "there were too few people to show that it keeps every rule",
    Outcome.REVIEW: "it probably does not keep every rule, and people had to decide about it",
    Outcome.BLOCKED: "it was shown not to keep every rule",
}


def about_in_words(served: ServedModel) -> list[str]:
    """Say what a model forecasts, for whom, how often it was right, and what it is not for."""
    bundle, status = served.bundle, served.audit_status
    task, people = bundle.task, bundle.manifest
    target = task.target
    weeks = ", ".join(str(horizon.weeks) for horizon in task.horizons)
    learned = "people who do not exist: a SIMULATED cohort" if people.simulated else "people"
    said = [
        f"It says where the score of {vocabulary()[target.code].name} ({target.low:g} to"
        f" {target.high:g}, {target.better} is better) will probably be {weeks} weeks after"
        f" enrolment, for a person with {task.condition}. It starts from the newest score, on any"
        f" day from {min(task.origins_days)} to {task.last_origin_day} after enrolment.",
        f"It learned from {learned} (cohort {people.cohort_name}). A forecast is of people like the"
        " patient, and nobody can say which of them the patient will be.",
        _range_in_words(served),
        "Where too few people like the patient were seen, a value is impossible or the last score"
        " is too old, it gives no forecast, says why, and what to do instead.",
    ]
    if status.outcome is not None:
        until = formatted_date(status.valid_until.date())
        said.append(
            f"Before it came into service an audit compared its errors between groups of people:"
            f" {OUTCOMES[status.outcome]}. That holds until {until}."
        )
    return [*said, TRUST]


def _range_in_words(served: ServedModel) -> str:
    held = of_everyone(served)
    if held is None or held.value is None:
        return f"{RANGE_PROMISE}; how often it did is in the audit's report."
    interval = (
        f" (from {100 * held.low:.0f} to {100 * held.high:.0f} of 100, as sure as 95 % can be)"
        if held.low is not None and held.high is not None
        else ""
    )
    return (
        f"{RANGE_PROMISE}. In the audit, for people whom the model had not seen, it held for"
        f" {100 * held.value:.0f} of 100{interval}."
    )
