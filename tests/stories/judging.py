"""Says what is wrong with an answer to a story; nothing, where one of the expected ones holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.stories.record_systems import CODES
from tests.stories.story import Bounds, Expected, Story

SAME_FOR_ALL = frozenset(
    {"model", "limits", "banner", "groups", "reason", "what_to_do", "error", "source", "links",
     "overrideReasons", "instrument", "subject", "forecast_id"}
)  # fmt: skip
RANGE = re.compile(r"\d to \d")


@dataclass(frozen=True)
class Answer:
    """What came back for one patient, and what else the service says of them."""

    status: int
    body: Any
    more: list[Any] = field(default_factory=list)

    @property
    def kind(self) -> str:
        if self.status >= 500 or self.status in {401, 403, 404, 405, 412, 415, 429}:
            return f"HTTP {self.status}"
        if self.status >= 400:
            return "no forecast"
        if "cards" in self.body:
            if not self.body["cards"]:
                return "no card"
            shown = any(RANGE.search(card["summary"]) for card in self.body["cards"])
            return "forecast" if shown else "no forecast"
        return str(self.body.get("status", "?"))

    @property
    def reason(self) -> str:
        return " ".join(text for text in texts(self.body))

    @property
    def weeks(self) -> dict[int, dict[str, Any]]:
        return {row["weeks"]: row for row in self.body.get("horizons", [])}


def texts(value: Any, skip: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the sentences of an answer."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name not in skip:
                yield from texts(each, skip)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each, skip)
    elif isinstance(value, str):
        yield from (part for part in re.split(r"\n+|(?<=[.!?])\s+", value) if part)


def said(text: str, words: list[str]) -> bool:
    return any(word.lower() in text.lower() for word in words)


def faults(story: Story, answer: Answer, compared: Answer | None, usual: Answer) -> list[str]:
    """Return what is wrong, for each of the expected answers; empty where one holds."""
    found = [list(faults_of(story, one, answer, compared, usual)) for one in story.expect]
    if not all(found):
        return []
    return [f"{one.answer}: {'; '.join(why)}" for one, why in zip(story.expect, found, strict=True)]


def faults_of(
    story: Story, expected: Expected, answer: Answer, compared: Answer | None, usual: Answer
) -> Iterator[str]:
    if expected.answer not in {answer.kind, "any"}:
        yield f"{answer.kind} instead ({brief(answer)})"
        return
    if expected.answer == "any" and answer.kind.startswith("HTTP"):
        yield answer.kind
    if expected.reason and not said(answer.reason, expected.reason):
        yield f"refused for another reason: {answer.reason[:200]!r}"
    if expected.says and not said(own_words(answer, usual), expected.says):
        yield f"nothing of {', '.join(expected.says[:3])} in {own_words(answer, usual)[:200]!r}"
    if answer.kind == "forecast" and "cards" not in answer.body:
        yield from faults_of_forecast(story, expected, answer)
        if compared is not None:
            yield from faults_beside(expected, answer, compared)


def own_words(answer: Answer, usual: Answer) -> str:
    """Return the sentences that are not said of everybody."""
    everybody = {text.lower() for text in texts([usual.body, *usual.more], SAME_FOR_ALL)}
    own = texts([answer.body, *answer.more], SAME_FOR_ALL)
    return " \n ".join(text for text in own if text.lower() not in everybody)


def faults_of_forecast(story: Story, expected: Expected, answer: Answer) -> Iterator[str]:
    body = answer.body
    if expected.starts_from is not None and body["last_score"] != expected.starts_from:
        yield f"starts from {body['last_score']} instead of {expected.starts_from:g}"
    asked = story.facts.asked - story.facts.enrolled
    past = [week for week, row in answer.weeks.items() if row["day_after_enrolment"] <= asked]
    if expected.nothing_past and past:
        yield f"week {past} is over"
    unused = json.dumps(body["rests_on"]["ignored_codes"])
    for name in expected.not_used:
        if CODES[name] not in unused:
            yield f"{name} is not told as not used"
    if expected.reached is not None and not told_as_reached(answer, expected.reached):
        yield f"{expected.reached!r} is not told as reached"
    if expected.week_12:
        yield from outside(expected.week_12, answer.weeks.get(12, {}), 12)
    for week, row in answer.weeks.items():
        yield from outside(expected.each_week, row, week)


def told_as_reached(answer: Answer, name: str) -> bool:
    chances = [chance_of(row, name) for row in answer.weeks.values()]
    said_so = said(" ".join(texts(answer.body)), ["reached", "already"])
    return said_so and all(chance == 1 for chance in chances)


def number_of(row: dict[str, Any], name: str) -> float:
    low, high = row["low_80"], row["high_80"]
    known = {"middle": row["median"], "low": low, "high": high, "width": high - low}
    return float(known[name]) if name in known else chance_of(row, name)


def chance_of(row: dict[str, Any], name: str) -> float:
    told = row["milestones"].get(name, float("nan"))
    return float(told["chance"] if isinstance(told, dict) else told)


def outside(bounds: dict[str, Bounds], row: dict[str, Any], week: int) -> Iterator[str]:
    if not row:
        yield f"no week {week}"
        return
    for name, (least, most) in bounds.items():
        if not least <= (value := number_of(row, name)) <= most:
            yield f"week {week}: {name} {value:.2f} is not {least:g} to {most:g}"


def faults_beside(expected: Expected, answer: Answer, compared: Answer) -> Iterator[str]:
    if compared.kind != "forecast":
        if expected.beside_compared or expected.same_as_compared is not None:
            yield f"the patient to compare with got {compared.kind} ({brief(compared)})"
        return
    if expected.same_as_compared is not None and not same(
        answer, compared, expected.same_as_compared
    ):
        yield "the ranges differ"
    ours, theirs = answer.weeks.get(12), compared.weeks.get(12)
    if not expected.beside_compared or ours is None or theirs is None:
        return
    for name, (least, most) in expected.beside_compared.items():
        what, _, how = name.rpartition("_")
        what = "important gain" if what == "chance" else what
        mine, other = number_of(ours, what), number_of(theirs, what)
        value = mine / other if how == "ratio" else mine - other
        if not least <= value <= most:
            yield f"{name.replace('_', ' ')} {value:.2f} is not {least:g} to {most:g}"


def same(answer: Answer, compared: Answer, within: float) -> bool:
    names = ("low", "middle", "high")
    return answer.weeks.keys() == compared.weeks.keys() and all(
        abs(number_of(row, name) - number_of(compared.weeks[week], name)) <= within
        for week, row in answer.weeks.items()
        for name in names
    )


def brief(answer: Answer) -> str:
    if answer.kind == "forecast" and answer.weeks:
        row = answer.weeks.get(12) or next(iter(answer.weeks.values()))
        return f"{row['low_80']:.0f} to {row['high_80']:.0f}"
    return answer.reason[:160]
