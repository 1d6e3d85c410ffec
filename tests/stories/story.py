"""Reads the stories: TOML files of this folder, checked for keys that nobody knows."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

HERE = Path(__file__).parent
Bounds = tuple[float, float]


class Known(BaseModel):
    """Takes only the keys that it names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Daily(Known):
    what: str
    from_day: int
    to_day: int
    values: list[float]


class Measured(Known):
    what: str
    day: int
    value: float


class Facts(Known):
    """What is known of a patient."""

    scores: list[tuple[int, float]]
    enrolled_on_day: int | None = None
    asked_on_day: int | None = None
    age: float | None = None
    sex: str | None = None
    stroke_type: str | None = None
    daily: list[Daily] = []
    also: list[Measured] = []
    diagnosis: str = "stroke"
    status: str = "confirmed"
    died_on_day: int | None = None
    another_patient: bool = False
    marked_wrong: list[int] = []

    @property
    def enrolled(self) -> int:
        first = min((day for day, _ in self.scores), default=0)
        return first if self.enrolled_on_day is None else self.enrolled_on_day

    @property
    def asked(self) -> int:
        newest = max((day for day, _ in self.scores), default=self.enrolled)
        return newest if self.asked_on_day is None else self.asked_on_day


class Expected(Known):
    """One answer that will do."""

    answer: Literal["forecast", "no forecast", "no card", "any"]
    reason: list[str] = []
    says: list[str] = []
    starts_from: float | None = None
    nothing_past: bool = False
    reached: str | None = None
    not_used: list[str] = []
    week_12: dict[str, Bounds] = {}
    each_week: dict[str, Bounds] = {}
    beside_compared: dict[str, Bounds] = {}
    same_as_compared: float | None = None


class Story(Known):
    name: str
    patient: str
    why: str
    by: Literal["API", "FHIR", "CDS Hooks", "course"]
    trained: bool
    facts: Facts
    compared: Facts | None
    expect: list[Expected]


def stories() -> list[Story]:
    """Return every story of this folder, by file and place."""
    found = [
        story_of(row)
        for file in sorted(HERE.glob("*.toml"))
        for row in tomllib.loads(file.read_text(encoding="utf-8"))["story"]
    ]
    names = [story.name for story in found]
    assert len(set(names)) == len(names), "two stories have one name"
    return found


def story_of(row: dict[str, Any]) -> Story:
    own = {"name", "patient", "why", "by", "trained", "compared", "expect"}
    facts = {key: value for key, value in row.items() if key not in own}
    compared = {**facts, **row["compared"]} if "compared" in row else None
    usual = {"by": "API", "trained": False}
    return Story.model_validate(
        usual
        | {key: value for key, value in row.items() if key in own}
        | {"facts": facts, "compared": compared}
    )
