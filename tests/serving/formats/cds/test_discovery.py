"""Discovery asks for what a model reads, and for no more."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from contracts.task import Task
from contracts.therapy import KINDS, THERAPY
from contracts.vocabulary import Kind, shipped
from features.sources.therapy_sessions import KINDS_BY_TOKEN
from serving.formats.cds.discovery import PANELS, prefetch_of

DAILY, SCORES = (
    sorted(code for code, entry in shipped().items() if entry.kind is kind)
    for kind in (Kind.DAILY, Kind.ASSESSMENT)
)


def asked(templates: dict[str, str], key: str) -> set[str]:
    query = parse_qs(urlsplit(templates[key]).query)
    return set(query["code"][0].split(","))


@given(
    daily=st.lists(st.sampled_from([*DAILY, *KINDS, THERAPY]), unique=True, max_size=8),
    scores=st.lists(st.sampled_from(SCORES), unique=True, max_size=8),
)
def test_each_code_that_is_asked_for_is_one_that_the_model_reads(
    task: Task, daily: list[str], scores: list[str]
) -> None:
    target = task.target.code
    inputs = task.inputs.model_copy(
        update={"daily": tuple(daily), "assessments": (target, *scores), "person": ()}
    )
    templates = prefetch_of(task.model_copy(update={"inputs": inputs}))
    sessions = {THERAPY, *KINDS}
    read = {target, *scores, *daily} - sessions
    tokens = {t for code in read for t in (*shipped()[code].tokens, *PANELS.get(code, ()))}
    assert asked(templates, "observations") == tokens
    kinds = sessions & set(daily)
    assert ("procedures" in templates) == bool(kinds)
    if kinds:
        wanted = {
            token for token, kind in KINDS_BY_TOKEN.items() if kind in kinds or THERAPY in kinds
        }
        assert asked(templates, "procedures") == wanted
