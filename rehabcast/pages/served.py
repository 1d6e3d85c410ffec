"""Who was served what, and feedback by group, for a board: no number about few people."""

from __future__ import annotations

from typing import Any

from contracts.groups import MINIMUM_SHOWN, last_shown_of_growing, rounded_people
from serving.pages.page import Answer, Visit
from serving.pages.rendering import Say, later
from serving.state.people.predictions import PREDICTED
from serving.state.people.served import GroupFeedback, feedback_by_group, served

OUTCOMES = {
    "accepted": later("agreed"),
    "overridden": later("planned otherwise"),
    "wrong": later("rejected as wrong"),
    "unclear": later("not understood"),
    PREDICTED: later("own prediction made"),
}
MOST_ROWS = 200


def who_was_served(visit: Visit) -> Answer:
    """Show which versions were asked by whom about how many people, and what was made of them."""
    engine, tenant = visit.runtime.store.engine, visit.caller.tenant
    tasks = [snapshot.served.bundle.task for snapshot in visit.runtime.champions.current]
    rows = served(engine, tenant)
    facts: dict[str, Any] = {
        "rows": rows[:MOST_ROWS], "more": max(0, len(rows) - MOST_ROWS), "outcomes": OUTCOMES,
        "people": lambda count: people_shown(count, visit.say),
        "groups": [_shown(each, visit.say) for each in feedback_by_group(engine, tenant, tasks)],
        "fewest": MINIMUM_SHOWN,
    }  # fmt: skip
    return Answer(template="served.html", facts=facts)


def people_shown(count: int, say: Say) -> str:
    """Return a number of people as it may be shown: never one about few, and none exactly.

    Whoever opens the page each day sees another number only when at least `MINIMUM_SHOWN` came.
    """
    if not count:
        return say("nobody")
    shown = rounded_people(last_shown_of_growing(count))
    if shown is None:
        return say("fewer than %(fewest)s", fewest=MINIMUM_SHOWN)
    return say("%(people)s or more", people=shown)


def _shown(group: GroupFeedback, say: Say) -> dict[str, Any]:
    """Return a group; of one with few people nothing is told but that they are few."""
    is_few = rounded_people(group.people) is None
    return {
        "attribute": group.attribute, "label": group.label,
        "people": people_shown(group.people, say),
        "cells": None if is_few else [
            people_shown(group.by_outcome.get(outcome, 0), say) for outcome in OUTCOMES
        ],
    }  # fmt: skip
