"""What a monthly edition tells; JSON, and from it a page, a PDF and a picture.

No number in it is about fewer than 11 people. A number of people stays as it was until at least 11
moved since it last changed, and is told to a ten (`audits.disclosure.over_time`); an e-value has a
new point whenever at least 11 people paid (`audits.sequential.course`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

FORMAT: Literal["rehabcast-monitoring-edition/1"] = "rehabcast-monitoring-edition/1"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GroupOfPeople(_Strict):
    """People of a group, at least so many; None where too few moved to tell a number.

    Parameters
    ----------
    attribute, label
        Which group; everyone, twice.
    forecast
        Who was given a forecast.
    due
        Of whom, whose outcome was due and had time to come. Each is one of the next six.
    observed, traced, missed, lost, withdrew, died
        Came; was obtained by tracing; missing, but assessed later; missing, and never assessed
        again; withdrew before; died before.
    accepted, overridden, unclear
        About whom clinicians said, of the first forecast that they spoke of, that they go by it,
        that they don't, or that it is unclear.
    accepted_in_range, accepted_out_of_range, overridden_in_range, overridden_out_of_range
        Where the outcome of that forecast was: inside its 80 % range or not.
    predicted
        Of whom a clinician had predicted the score of the week that counts, and it came.
    clinician_nearer, forecast_nearer, equally_near
        Whether that prediction or the median forecast was nearer to it.
    """

    attribute: str
    label: str
    forecast: int | None
    due: int | None
    observed: int | None
    traced: int | None
    missed: int | None
    lost: int | None
    withdrew: int | None
    died: int | None
    accepted: int | None
    overridden: int | None
    unclear: int | None
    accepted_in_range: int | None
    accepted_out_of_range: int | None
    overridden_in_range: int | None
    overridden_out_of_range: int | None
    predicted: int | None
    clinician_nearer: int | None
    forecast_nearer: int | None
    equally_near: int | None


class ReasonGiven(_Strict):
    """Why forecasts were overridden: a reason of the card, and of how many people at least."""

    reason: str
    people: int | None


class PointShown(_Strict):
    """An e-value at the end of a week (its Saturday, ISO 8601), and the largest told until then."""

    week_ends: str
    e_value: float
    largest: float


class TestShown(_Strict):
    """A test: that a rule is kept for a group, on one side of its limit.

    Parameters
    ----------
    rule, attribute, group, side, milestone
        What is tested; everyone, twice, for a rule on everyone.
    needed
        The e-value at which it acts alone, or warns where it can only warn.
    warns_only
        Whether it can only warn.
    points
        How it went; none where fewer than 11 people have paid.
    """

    rule: str
    attribute: str
    group: str
    side: str
    milestone: str | None
    needed: float
    warns_only: bool
    points: tuple[PointShown, ...]

    @property
    def share(self) -> float:
        """The largest e-value told, as a share of what it needs."""
        return self.points[-1].largest / self.needed if self.points else 0.0


class EarlyOutcomes(_Strict):
    """What outcomes before the one that counts begin to say; it only warns.

    Parameters
    ----------
    weeks
        Of which week after enrolment, and later ones before the one that counts; None where nothing
        is asked of them.
    why_not
        Why nothing is asked; None where something is.
    tests
        Each test, with a limit of its own; what is needed is needed to warn.
    """

    weeks: int | None
    why_not: str | None
    tests: tuple[TestShown, ...]


class GroupLeftOut(_Strict):
    """A group that the audit left out, and how far outcomes are from proposing it.

    Parameters
    ----------
    attribute, label
        Which.
    e_value, needed
        The smallest e-value of its rules, to two digits, as it was when 11 more people had paid;
        and what each of them needs.
    slowest
        The rule that is furthest from it; None where no e-value is shown.
    proposed
        Whether it was proposed until the end of the month.
    """

    attribute: str
    label: str
    e_value: float | None
    needed: float
    slowest: str | None
    proposed: bool


class LedgerEntry(_Strict):
    """What was done: an entry of the ledger, in words without numbers of people."""

    sequence: int
    time: str
    kind: str
    about: str
    by: str
    said: str


class Clinicians(_Strict):
    """How many clinicians decided about alerts, at least, and how often in this month.

    The median is whole and is None where fewer than 11 clinicians decided in the month; nobody is
    named.
    """

    clinicians: int | None
    median_decisions: int | None


class Edition(_Strict):
    """A monthly edition of monitoring.

    Parameters
    ----------
    format
        Form of this record.
    model_version, month, simulated
        The version, the month (YYYY-MM), and whether it was trained on simulated people.
    in_service, since
        Whether it was the champion and not withdrawn when this was made, and since when.
    made_at
        When this was made, UTC.
    condition, target, weeks
        What it forecasts of whom, and in which week after enrolment an outcome counts.
    people
        Everyone first, then each group.
    refused
        People who were asked about and never got a forecast.
    reasons
        For overriding a forecast.
    alerts
        Decisions about alerts of all of the service's patients.
    act
        What the tests say at the points that are told: `act` where outcomes show a broken rule, so
        that groups or the version leave service.
    mean, warns_at, suspends_at
        Mean of the e-values of all tests that can act, also of those of groups restricted since;
        and the means at which there is a warning, and at which the version is suspended.
    tests
        Each test.
    not_tested
        Binding rules that nothing on record in service can test.
    left_out
        Groups that the audit left out, and how far outcomes are from proposing them.
    early
        What earlier outcomes begin to say; None of editions made before there was that.
    restricted
        Groups that outcomes have taken out of scope until now.
    warnings
        Of outcomes, of early ones, and of people who do not come as they came, since it came into
        service.
    done
        Entries of the ledger of this month.
    plan_version, plan_digest, policy_version, policy_digest, change_plan
        By which plan it is followed and policy it was audited; the change plan in force, if any.
    """

    format: Literal["rehabcast-monitoring-edition/1"] = FORMAT
    model_version: str
    month: str
    simulated: bool
    in_service: bool
    since: str | None
    made_at: str
    condition: str
    target: str
    weeks: int
    people: tuple[GroupOfPeople, ...]
    refused: int | None
    reasons: tuple[ReasonGiven, ...]
    alerts: Clinicians
    act: Literal["none", "warn", "act"]
    mean: tuple[PointShown, ...]
    warns_at: float
    suspends_at: float
    tests: tuple[TestShown, ...]
    not_tested: tuple[str, ...]
    left_out: tuple[GroupLeftOut, ...] = ()
    early: EarlyOutcomes | None = None
    restricted: tuple[str, ...]
    warnings: tuple[str, ...]
    done: tuple[LedgerEntry, ...]
    plan_version: str
    plan_digest: str
    policy_version: str
    policy_digest: str
    change_plan: str | None
