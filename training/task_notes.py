"""What is worth knowing of a task that is sound: it is trained as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.priors import FLAT, start_in_words
from contracts.task import Task
from contracts.vocabulary import vocabulary
from contracts.vocabulary.changes import (
    amount_in_words,
    difference_in_words,
    noise_in_words,
)
from contracts.vocabulary.instruments import instruments, published_recovery_rule

NO_RULE = (
    'no recovery rule was published that we know of: "proportional recovery" is a share of what is'
    " missing, fitted to the people trained on"
)
TO_CONFIRM = "read at no source, to be confirmed by your clinicians"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNote:
    """One thing about a task: where, and what."""

    field: str
    found: str

    def __str__(self) -> str:
        return f"{self.field}: {self.found}"


def task_notes(task: Task) -> tuple[TaskNote, ...]:
    """Return what the shipped facts of the target's instrument say of a task.

    What of its scale is only recalled; differences and gains below the error of measuring one
    person; important differences that were published, where the task has another one; that no
    recovery rule was published. And where a hybrid starts, and what of the task itself nobody read
    at a source.
    """
    return tuple(_notes(task))


def _notes(task: Task) -> Iterator[TaskNote]:
    target = task.target
    entry = vocabulary()[target.code]
    if entry.to_confirm:
        found = f"{entry.name}: {entry.to_confirm} (docs/instruments.md)"
        yield TaskNote(field="target", found=found)
    difference = target.minimal_important_difference
    if noise := noise_in_words(target.code, difference):
        yield TaskNote(
            field="target, minimal_important_difference",
            found=f"a difference of {amount_in_words(target.code, difference)} is {noise}",
        )
    if published := _other_differences(task):
        yield TaskNote(
            field="target, minimal_important_difference",
            found=f"{amount_in_words(target.code, difference)}; published are {published}",
        )
    for number, milestone in enumerate(task.milestones, start=1):
        gain = milestone.gain_at_least
        if gain is not None and (noise := noise_in_words(target.code, gain)):
            yield TaskNote(
                field=f"milestones {number} ({milestone.name})",
                found=f"a gain of {amount_in_words(target.code, gain)} is {noise}",
            )
    if published_recovery_rule(target.code) is None:
        yield TaskNote(field="comparators", found=f"of the {entry.name} {NO_RULE}")
    prior = task.prior or FLAT
    yield TaskNote(
        field="prior", found=f"a hybrid starts {start_in_words(prior.name, prior.source)}"
    )
    for part in task.confirm:
        yield TaskNote(field=part, found=TO_CONFIRM)


def _other_differences(task: Task) -> str:
    """Return the published important differences in words; empty where the task has one of them."""
    known = instruments().get(task.target.code)
    found = () if known is None else known.differences
    own = task.target.minimal_important_difference
    if any(not each.percent and each.value <= own <= (each.to or each.value) for each in found):
        return ""
    return ", ".join(difference_in_words(task.target.code, each) for each in found)
