"""A functional profile in words: what each domain is held against, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.naming.units import readable, unit_in_words
from serving.profile import AtThatTime, DomainProfile, Earlier, ProfileMeasure

NO_MEASURE = "no measure of it can be on record yet"


def domain_in_words(domain: DomainProfile) -> str:
    """Return a domain as one line for a page."""
    if not domain.measures:
        why = NO_MEASURE if "any measure" in domain.not_known else "nothing measured lately"
        return f"{domain.domain}: not known ({why})"
    measures = "; ".join(_measure(measure) for measure in domain.measures)
    return f"{domain.domain}: {measures}"


def profile_lines(profile: Sequence[DomainProfile], *, without: str) -> list[str]:
    """Return what a card may say of the domains, from the most words to the fewest.

    Parameters
    ----------
    without
        Code of the instrument that the card is about already.
    """
    first = [(each.domain, each.measures[0]) for each in profile if each.measures]
    shown = [(domain, measure) for domain, measure in first if measure.code != without]
    missing = [each.domain for each in profile if "now" in each.not_known]
    not_known = f"not known: {', '.join(missing)}" if missing else ""
    lines = {
        _sentence([*(_short(*each, with_people=held) for each in shown[:most]), last])
        for most in range(len(shown) + 1)
        for held in (True, False)
        for last in (not_known, "")
    }
    return sorted(filter(None, lines), key=lambda line: (-len(line.split()), line))


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(part for part in parts if part)
    return f"Profile: {text}." if text else ""


def _short(domain: str, measure: ProfileMeasure, *, with_people: bool) -> str:
    text = f"{domain} {_amount(measure)}"
    if not with_people or measure.people is None:
        return text
    lower, upper = readable(measure.people.lower), readable(measure.people.upper)
    return f"{text} (half then {lower} to {upper})"


def _measure(measure: ProfileMeasure) -> str:
    parts = [f"{measure.name} {_amount(measure)}, {_when(measure.first_day, measure.last_day)}"]
    parts.append(_own_course(measure.first, measure.before))
    parts.append(_people(measure.value, measure.people))
    return " - ".join(parts)


def _amount(measure: ProfileMeasure) -> str:
    """Return a value against its scale, or with its unit where it has none."""
    value, scale = readable(measure.value), measure.scale
    if scale is None:
        return f"{value} {unit_in_words(measure.unit)}".rstrip()
    ends = f"{scale.high:g}" if scale.low == 0 else f"{scale.low:g} to {scale.high:g}"
    lower = " (lower is better)" if scale.better == "lower" else ""
    return f"{value} of {ends}{lower}"


def _own_course(first: Earlier | None, before: Earlier | None) -> str:
    if before is None:
        return "own course not known"
    earlier = [each for each in (first, before) if each is not None]
    return "before " + ", ".join(
        f"{readable(each.value)} {_when(each.first_day, each.last_day)}" for each in earlier
    )


def _people(value: float, people: AtThatTime | None) -> str:
    if people is None:
        return "people at that time not known"
    side = "below" if value < people.lower else "above" if value > people.upper else "within"
    lower, upper = readable(people.lower), readable(people.upper)
    return (
        f"{side} the middle half of people at that time ({lower} to {upper}, median"
        f" {readable(people.middle)}, from at least {people.people})"
    )


def _when(first_day: int, last_day: int) -> str:
    """Return days after enrolment."""
    return f"on day {last_day}" if first_day == last_day else f"in days {first_day} to {last_day}"
