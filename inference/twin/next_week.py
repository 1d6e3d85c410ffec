"""Next week's dose by declared rules: what follows from the last two weeks, and by which rule.

Danger and too much are acted on by whatever is known. To go on, and all the more to do more, needs
everything that a rule reads: what nobody wrote down may be the reason not to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from contracts.doses.next_week import Action, DoseRules, Fact, Rule
from contracts.errors import ForecastRefused

HARD_BORG = 16
WORDS: Mapping[Fact, str] = {
    "danger_signs": "danger signs", "adherence_least": "adherence of both weeks",
    "borg_median": "ratings of exertion", "borg_16_sessions": "ratings of exertion",
    "pain_worst": "worst pain", "pain_rise": "rise of pain within a session",
    "pain_next_morning": "pain on the next morning", "fatigue_worst": "worst fatigue",
    "quality_least": "how well both weeks' repetitions were done",
    "quality_fall": "how well both weeks' repetitions were done",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows, and why.

    Parameters
    ----------
    action, rule
        What to do, and the rule that decided.
    because
        The facts that met its conditions, with their values.
    """

    action: Action
    rule: Rule
    because: Mapping[Fact, float]


def facts_of(
    *,
    adherence: Sequence[float] | None = None,
    borg: Sequence[float] | None = None,
    pain_worst: float | None = None,
    pain_rise: float | None = None,
    pain_next_morning: bool | None = None,
    fatigue_worst: float | None = None,
    danger_signs: Sequence[str] | None = None,
    quality: Sequence[float] | None = None,
) -> dict[Fact, float]:
    """Return what is known of the last two weeks, as the rules read it.

    Parameters
    ----------
    adherence
        Of each of the two weeks; with one only, nothing is known.
    borg
        Ratings of the sessions, 6 to 20.
    quality
        Of each of the two weeks, the earlier first: share of repetitions done as shown.
    """
    both = quality if quality is not None and len(quality) == 2 else None
    known: dict[Fact, float | None] = {
        "danger_signs": None if danger_signs is None else len(danger_signs),
        "adherence_least": None if adherence is None or len(adherence) < 2 else min(adherence),
        "borg_median": median(borg) if borg else None,
        "borg_16_sessions": sum(rating >= HARD_BORG for rating in borg) if borg else None,
        "pain_worst": pain_worst,
        "pain_rise": pain_rise,
        "pain_next_morning": None if pain_next_morning is None else float(pain_next_morning),
        "fatigue_worst": fatigue_worst,
        "quality_least": None if both is None else min(both),
        # A fall of exactly a tenth is one, whatever a computer's shares of ten are.
        "quality_fall": None if both is None else round(both[0] - both[1], 9),
    }
    return {fact: float(value) for fact, value in known.items() if value is not None}


def decide(rules: DoseRules, facts: Mapping[Fact, float]) -> Decision:
    """Apply the rules to what is known.

    Raises
    ------
    ForecastRefused
        Something that the rules read is not known, and nothing that is known calls for less.
    """
    lacking = list(dict.fromkeys(WORDS[fact] for fact in rules.facts if fact not in facts))
    for rule in rules.rules:
        if lacking and rule.action in {"hold", "progress"}:
            raise ForecastRefused(
                f"next week's dose is not advised: not known of the last two weeks:"
                f" {', '.join(lacking)}",
                "ask the patient and send it; what is not asked may be the reason to do less",
            )
        because = {
            condition.fact: facts[condition.fact]
            for condition in rule.any
            if condition.fact in facts and condition.holds(facts[condition.fact])
        }
        if because:
            return Decision(action=rule.action, rule=rule, because=because)
    raise ForecastRefused(
        "next week's dose is not advised: no rule speaks of these two weeks",
        "decide without it, or complete the rules",
    )


def after(action: Action, rules: DoseRules, hours: float) -> float | None:
    """Return the hours a week that an action leads to; None where therapy is to stop."""
    factor = {"progress": 1 + rules.step_part, "hold": 1.0, "regress": 1 - rules.step_part}
    return None if action == "stop and call" else hours * factor[action]
