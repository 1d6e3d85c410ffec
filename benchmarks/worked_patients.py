"""The worked patients of docs/twin.md: SIMULATED people, a small model, three of them.

`make bench NAME=worked_patients` simulates 700 people, trains a small hybrid on them (10 minutes on
one idle core at most) and prints the tables of docs/twin.md. Patients are found by a rule, not by
hand: of the lowest number who fits. `--home FOLDER` keeps cohort and model, and uses them again.
The last line is JSON: how many were asked, and of how many something is said.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from contracts.cohort import Cohort
from serving.forecast.audit_status import ServedModel
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.schemas import ForecastAnswer
from serving.whatif import LastWeeks, LevelDifference, PlanAnswer, PlanAsked, WhatIf
from support.repository import ROOT

SUBJECTS, SEED = 700, 5
ASKED = 120
"""People who are asked about, by number."""
MODEL = "worked"
EARLY, LATE = 21, 84
"""Days since enrolment on which they are asked."""
SOME_HOURS, FEW_HOURS = 2.5, 1.0
WELL = {
    "adherence": [0.9, 0.85], "borg": [12, 12, 12], "pain_worst": 2, "pain_rise": 1,
    "pain_next_morning": False, "fatigue_worst": 3, "danger_signs": [],
}  # fmt: skip


def plan(name: str, *parts: tuple[float, int | None]) -> PlanAsked:
    """Return a plan of hours of therapy a week, for so many days."""
    said = [{"hours_a_week": {"therapy": hours}, "days": days} for hours, days in parts]
    return msgspec.convert({"name": name, "parts": said}, PlanAsked)


PLANS = (
    plan("2.25 h from now on", (2.25, None)),
    plan("2 h for 12 weeks, then 4.5", (2.0, 84), (4.5, None)),
    plan("4.5 h for 12 weeks, then 1", (4.5, 84), (1.0, None)),
    plan("9 h for 4 weeks, then 2.5", (9.0, 28), (2.5, None)),
)


def trained(home: Path) -> tuple[Cohort, ServedModel]:
    """Return the cohort and the model of a folder; make them where they are not there."""
    os.environ["REHABCAST_HOME"] = str(home)
    import rehabcast
    from features.simulate.scenario import Scenario
    from features.simulate.write import write_simulated

    folder = home / "cohort"
    if not folder.exists():
        write_simulated(folder, subjects=SUBJECTS, seed=SEED, scenario=Scenario(), workers=1)
    cohort = rehabcast.read_cohort(folder)
    if not (home / "trained").exists():
        small = rehabcast.TrainingConfig(folds=3, hidden=8, max_epochs=12)
        task = rehabcast.read_task(ROOT / "tasks" / "stroke-upper-limb.toml")
        result = rehabcast.train(cohort, task, model=MODEL, parameters=small)
        (home / "trained").write_text(result.model_version, "utf-8")
    return cohort, rehabcast.open_version((home / "trained").read_text("utf-8")).served


@dataclass(frozen=True)
class Asked:
    """A person on a day, and what the service answers."""

    subject: str
    onset_days: int
    answer: ForecastAnswer

    @property
    def what_if(self) -> WhatIf | None:
        """What is said of plans; None where there is no forecast."""
        found = self.answer.what_if
        return found if isinstance(found, WhatIf) else None

    @property
    def hours(self) -> float | None:
        """Hours of therapy a week now; None where nothing is said."""
        return None if self.what_if is None else self.what_if.hours_a_week_now


def asked(cohort: Cohort, served: ServedModel, subject: str, day: int) -> Asked:
    """Ask about the plans of one person."""
    from rehabcast.commands.service.serve import forecast_request

    request = forecast_request(cohort, subject, as_of_day=day, weeks=None)
    enrolled = request.enrolment_day or 0
    question = Question(
        subject=subject, enrolment_day=enrolled, observations=request.observations or (),
        as_of_day=request.as_of_day, explain=False, plans=PLANS,
        last_weeks=msgspec.convert(WELL, LastWeeks),
    )  # fmt: skip
    answer = respond(question, served, now=datetime.now(UTC))
    return Asked(subject=subject, onset_days=enrolled + day, answer=answer)


def people_asked(cohort: Cohort, served: ServedModel) -> Iterator[tuple[int, Asked]]:
    """Yield the people who are asked about, early and late, by number, with the day."""
    for number in range(1, ASKED + 1):
        for day in (EARLY, LATE):
            yield day, asked(cohort, served, str(number), day)


def chosen(day: int, found: Asked) -> str | None:
    """Return as which worked patient somebody may stand; None where as none."""
    if found.what_if is None:
        return None
    if found.what_if.status == "no answer":
        return "C" if day == EARLY else None
    if day == EARLY and (found.hours or 0.0) >= SOME_HOURS:
        return "A"
    return "B" if day == LATE and 0 < (found.hours or 0.0) < FEW_HOURS else None


def told(name: str, found: Asked) -> str:
    """Return what is said of a worked patient, as Markdown."""
    what_if = found.what_if
    assert what_if is not None  # noqa: S101
    lines = [
        f"**{name}** (subject {found.subject}), {found.onset_days} days after the stroke,"
        f" {found.answer.last_score:.0f} of 66"
    ]
    if what_if.status == "no answer":
        lines += ["", f"{what_if.reason}. {what_if.what_to_do}."]
    else:
        lines[0] += f", {what_if.hours_a_week_now:.2g} hours a week. At week {what_if.weeks}:"
        lines += [
            "", "| plan | minutes a week | most likely (80 %) | difference (80 %) | better, worse |"
            " direction | of it pace | important gain: share, days |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
        ]  # fmt: skip
        lines += [_line(what_if, each) for each in what_if.plans]
        lines += ["", *what_if.in_words]
    if what_if.next_week is not None:
        lines += ["", f"Next week: {what_if.next_week.action} {what_if.next_week.reason}"]
        lines += what_if.next_week.in_words
    return "\n".join(lines)


def _line(what_if: WhatIf, each: PlanAnswer) -> str:
    start = f"| {each.name} | {each.minutes_a_week:.0f} |"
    at = next((horizon for horizon in each.horizons if horizon.weeks == what_if.weeks), None)
    if at is None:
        return f"{start} not said: {each.why_not} | | | | | |"
    course = f"{start} {at.median:.0f} ({at.low_80:.0f} to {at.high_80:.0f}) |"
    pair = next(
        (c for c in what_if.comparisons if (c.plan, c.other) == (each.name, "as now")), None
    )
    times = "; ".join(
        f"{time.share:.0%}, {'-' if time.median is None else f'{time.median:.0f}'}"
        for time in each.times
    )
    if pair is None:
        return f"{course} | | | | {times} |"
    return f"{course} {_difference(pair.difference)} {pair.by_pace:+z.2f} | {times} |"


def _difference(than: LevelDifference) -> str:
    return (
        f"{than.mean:+z.1f} ({than.low_80:+z.1f} to {than.high_80:+z.1f}) |"
        f" {than.chance_better:.0%}, {than.chance_worse:.0%} | {than.direction} |"
    )


def main() -> None:
    """Make or read the model, ask about everybody, and tell of three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="keeps cohort and model")
    home = parser.parse_args().home
    with TemporaryDirectory() as temporary:
        place = Path(temporary) if home is None else home.resolve()
        place.mkdir(parents=True, exist_ok=True)
        cohort, served = trained(place)
        patients: dict[str, Asked] = {}
        count: Counter[str] = Counter()
        for day, found in people_asked(cohort, served):
            status = "no forecast" if found.what_if is None else found.what_if.status
            count[f"day {day}: {status}"] += 1
            for each in [] if found.what_if is None else found.what_if.plans:
                count[f"day {day}: {each.name}: {'said' if each.supported else 'not said'}"] += 1
            if (name := chosen(day, found)) is not None:
                patients.setdefault(name, found)
        for name in sorted(patients):
            print(told(name, patients[name]), end="\n\n")
        print(json.dumps(count))


if __name__ == "__main__":
    main()
