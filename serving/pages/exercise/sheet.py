"""A report of home exercise as text, and as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from inference.twin.exercise import ProgrammeReport
from serving.pages.exercise.words import words_of
from serving.pages.rendering import FOLDER, Say, environment


def as_html(report: ProgrammeReport, say: Say) -> str:
    """Return a report as a page to print."""
    template = environment((FOLDER / "templates",), say.language).get_template(
        "exercise_sheet.html"
    )
    return template.render(say=say, report=report, words=words_of(report, say))


def as_text(report: ProgrammeReport, say: Say) -> str:
    """Return a report as lines of text, with what the therapist reads."""
    return "\n".join(_lines(report, say))


def _lines(report: ProgrammeReport, say: Say) -> Iterator[str]:
    words = words_of(report, say)
    if words.ribbon:
        yield words.ribbon
    yield words.title
    yield " ".join(words.whole)
    for each in words.exercises:
        yield ""
        yield f"{each.name}, {each.side}. {each.plan}"
        for sentences in (each.done, each.well, each.then):
            if sentences:
                yield f"  {' '.join(sentences)}"
        yield f"  {say('For the therapist:')} {each.for_therapist}"
    yield ""
    if words.sides:
        yield say("Left and right")
        yield from words.sides
        yield ""
    yield from words.notes
    if report.model_versions:
        yield f"{say('Recogniser:')} {', '.join(report.model_versions)}"
