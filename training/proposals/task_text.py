"""The text of a proposed task, to be read and confirmed by a person."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from contracts.groups import MINIMUM_SHOWN
from contracts.naming.open_points import OPEN
from contracts.vocabulary import vocabulary
from contracts.vocabulary.instruments import ImportantDifference
from training.proposals.cohort_facts import AGE, TaskFacts

HEAD = """\
# Proposed by `rehabcast task new` from the cohort {cohort}.
# Nothing is trained before a person has looked at it:
#   "?"             nobody could tell: write the answer.
#   confirm = true  a guess: correct what is wrong, then delete `confirm = true`.
# Then: rehabcast train --cohort COHORT --task {file} --model NAME
# What the keys mean: docs/tasks.md; tasks/ has examples."""

MOST_OTHERS = 5


def task_text(facts: TaskFacts, bands: tuple[int, ...], file: str) -> str:
    """Return the text of a task.

    Parameters
    ----------
    bands
        Edges of age bands; empty where no age is known.
    file
        Its name, for the next step.
    """
    parts = (
        _whole(facts, file),
        _target(facts),
        _times(facts),
        _inputs(facts),
        _audit(facts, bands),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _short_name(facts: TaskFacts) -> str:
    own = facts.target.code.partition("//")[2].lower()
    return re.sub(r"[^a-z0-9]+", "-", own).strip("-") or "our-task"


def _whole(facts: TaskFacts, file: str) -> Iterator[str]:
    primary = max(facts.windows, key=lambda window: (window.people, window.weeks))
    yield HEAD.format(cohort=_quoted(facts.cohort), file=file)
    yield ""
    yield f"name = {_quoted(_short_name(facts))}  # for files and registries"
    yield f"condition = {_quoted(OPEN)}  # in words, as clinicians read it"
    yield "# guessed: forecasts are made at enrolment, and at an early visit where there is one"
    yield f"origins_days = {list(facts.origins_days)}"
    yield "# guessed: most people have an outcome then"
    yield f"primary_horizon_weeks = {primary.weeks}"
    yield "# guessed: forecasts closer to the onset than this are also judged apart"
    yield "early_days = 90"
    yield "confirm = true  # the guesses above"


def _target(facts: TaskFacts) -> Iterator[str]:
    target = facts.target
    yield ""
    yield "[target]"
    if not facts.chosen:
        others = "; ".join(f"{o.code} ({o.people})" for o in facts.others[:MOST_OTHERS])
        rest = f". Or (people): {others}" if others else ""
        yield f"# guessed: of it most people have outcomes{rest}"
    yield f"code = {_quoted(target.code)}  # {target.name}"
    to_confirm = f" ({target.to_confirm})" if target.to_confirm else ""
    yield f"# as the vocabulary has it{to_confirm}"
    yield f"low = {target.low or 0:g}"
    yield f"high = {target.high or 0:g}"
    if target.step:
        yield f"step = {target.step:g}"
    yield f"better = {_quoted(target.better)}"
    yield from _difference(facts.differences)
    if not facts.chosen:
        yield "confirm = true"


def _difference(differences: Iterable[ImportantDifference]) -> Iterator[str]:
    listed = [each for each in differences if not each.percent]
    for each in listed:
        range_ = f"{each.value:g}" + (f" to {each.to:g}" if each.to is not None else "")
        about = "; ".join(filter(None, (each.population, each.time, each.anchor, each.meaning)))
        about = about or "no population noted"
        yield f"# asked: {range_} ({about}; {each.source}; {each.standing})"
    if not listed:
        yield "# asked: how many points a patient notices, and where that is published"
    yield f"minimal_important_difference = {_quoted(OPEN)}  # a number, without quotation marks"
    yield f"source = {_quoted(OPEN)}  # of the difference"


def _times(facts: TaskFacts) -> Iterator[str]:
    for window in facts.windows:
        yield ""
        yield "[[horizons]]"
        yield f"# guessed: {window.people} people have an outcome on these days after enrolment"
        yield f"weeks = {window.weeks}"
        yield f"window_days = {list(window.days)}"
        yield "confirm = true"
    yield ""
    yield "[[milestones]]  # what patients hope for: gain_at_least, at_least or at_most"
    yield 'name = "important gain"'
    yield f"gain_at_least = {_quoted(OPEN)}  # most often the important difference"
    yield f"source = {_quoted(OPEN)}"


def _inputs(facts: TaskFacts) -> Iterator[str]:
    yield ""
    yield "[inputs]"
    yield f"# guessed: everything that {MINIMUM_SHOWN} people or more have"
    yield "# leave out what will not be known in care"
    yield "past_days = 28"
    for name in ("assessments", "daily", "person"):
        codes: tuple[str, ...] = getattr(facts, name)
        if not codes:
            yield f"{name} = []"
            continue
        yield f"{name} = ["
        for code in codes:
            yield f"    {_quoted(code)},  # {vocabulary()[code].name}"
        yield "]"
    yield "confirm = true"


def _audit(facts: TaskFacts, bands: tuple[int, ...]) -> Iterator[str]:
    for code in facts.sensitive:
        yield ""
        yield "[[sensitive]]"
        yield f"name = {_quoted('age band' if code == AGE else vocabulary()[code].name)}"
        yield f"code = {_quoted(code)}"
        if code == AGE:
            yield "# guessed: bands of about a third of the people each"
            yield f"bands = {list(bands)}"
        yield f"reason = {_quoted(OPEN)}  # why forecasts may be wrong for some of these people"
        if code == AGE:
            yield "confirm = true"
    if not facts.sensitive:
        yield ""
        yield "sensitive = []"
    for code in facts.lacking:
        yield ""
        yield f"# {vocabulary()[code].name} ({code}) is not known of {MINIMUM_SHOWN} people."
        yield "# Without it no audit passes by the shipped policy: import it if you may."
    yield ""
    yield "# Where diagnoses say when the condition began (FHIR), name them:"
    yield "# [onset]"
    yield '# condition = "..."'
    yield '# icd10 = ["..."]'
    yield '# snomed = ["..."]'
    yield '# fallbacks = ["onsetPeriod"]'
