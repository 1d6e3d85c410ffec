"""What the declared rules say of next week's dose of one patient."""

from __future__ import annotations

import numpy as np
from msgspec.structs import asdict

from contracts.doses.next_week import Action, DoseRules, shipped_dose_rules
from contracts.errors import ForecastRefused
from contracts.sequences import SequenceBatch
from contracts.therapy import THERAPY
from inference.bundle import Bundle
from inference.twin.next_week import Decision, after, decide, facts_of
from inference.twin.plans import ALL
from inference.twin.support import bin_of, recent_hours
from serving.forecast.whatif.twin import alike_doses
from serving.whatif import LastWeeks, NextWeek

FOR_WHOM = (
    "Rules for a clinician to accept, change or reject, not advice to the patient; send what was"
    " decided as feedback on this answer."
)


def next_week(asked: LastWeeks | None, bundle: Bundle, batch: SequenceBatch) -> NextWeek | None:
    """Apply the rules to the last two weeks, or say why they say nothing; None if nobody asks."""
    if asked is None:
        return None
    rules = shipped_dose_rules()
    try:
        decision = decide(rules, facts_of(**asdict(asked)))
        hours = _hours_now(bundle, batch)
        # Danger is acted on whatever is not on record.
        if hours is None and decision.action != "stop and call":
            raise ForecastRefused(
                "next week's dose is not advised: the therapy of the last two weeks is not on"
                " record",
                "record the minutes of therapy of each day, 0 where there was none",
            )
    except ForecastRefused as refusal:
        return NextWeek(status="no advice", reason=refusal.reason, what_to_do=refusal.what_to_do)
    then = None if hours is None else after(decision.action, rules, hours)
    return _answer(decision, rules, hours, then, held=_is_beyond(decision, then, bundle, batch))


def _hours_now(bundle: Bundle, batch: SequenceBatch) -> float | None:
    channels = bundle.layout.channels_C
    if THERAPY not in channels:
        return None
    hours = float(recent_hours(batch, channels.index(THERAPY))[0])
    return hours if np.isfinite(hours) else None


def _is_beyond(
    decision: Decision, then: float | None, bundle: Bundle, batch: SequenceBatch
) -> bool:
    """Say whether more therapy would be a dose that too few people alike had."""
    if decision.action != "progress" or then is None:
        return False
    doses = alike_doses(bundle, batch).get(ALL, ())
    return not doses or not doses[bin_of(then)].is_enough


def _answer(
    decision: Decision, rules: DoseRules, hours: float | None, then: float | None, *, held: bool
) -> NextWeek:
    rule = decision.rule
    action: Action = "hold" if held else decision.action
    because = ", ".join(f"{fact.replace('_', ' ')} {v:g}" for fact, v in decision.because.items())
    said = [f"Rule {rule.name!r} ({rule.standing}): {because}. Source: {rule.source}."]
    if action in {"progress", "regress"}:
        said.append(f"A step is {100 * rules.step_part:g} % of the hours: {rules.step_source}.")
    if held:
        said.append("Not more: too few people like this one had such a dose.")
    return NextWeek(
        status="advice",
        action=action,
        hours_a_week_now=hours,
        hours_a_week=hours if held else then,
        rule=rule.name,
        standing=rule.standing,
        source=rule.source,
        because={str(fact): value for fact, value in decision.because.items()},
        held_by_support=held,
        in_words=[*said, FOR_WHOM],
    )
