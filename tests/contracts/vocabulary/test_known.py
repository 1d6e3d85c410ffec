"""A process only learns codes: what is known keeps its meaning, in whatever order codes come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.errors import CohortInvalid, IntegrityError
from contracts.vocabulary import (
    Additions,
    Code,
    Domain,
    Kind,
    added_among,
    code_of_token,
    codes_with,
    known,
    learn,
    learning,
    shipped,
    vocabulary,
)
from contracts.vocabulary.additions import as_toml
from contracts.vocabulary.sealed import learn_sealed, sealed_codes
from tests.contracts.vocabulary import drawn

KNEE = Code(
    code="OURS//KNEE", name="Knee score", kind=Kind.ASSESSMENT, modality="assessments",
    domain=Domain.WALKING, unit="{score}", low=0.0, high=48.0, step=1.0, source="our manual",
    fhir=("https://h.example/c|K1",),
)  # fmt: skip


@contextmanager
def another_process() -> Iterator[None]:
    """Hypothesis draws many processes within one test."""
    before = known._learned
    known._learned = known._Learned.nothing()
    try:
        yield
    finally:
        known._learned = before


def test_a_code_that_was_learned_is_known_everywhere() -> None:
    before = vocabulary()
    learn(Additions("codes.toml", (KNEE,)))
    assert vocabulary()["OURS//KNEE"] == KNEE
    assert "OURS//KNEE" not in before
    for token in ("https://h.example/c|K1", "urn:rehabcast:vocabulary|OURS//KNEE"):
        assert code_of_token(token) == KNEE
    assert code_of_token("https://h.example/c|K2") is None
    assert added_among([*vocabulary(), "OURS//UNKNOWN"]).codes == (KNEE,)


@given(st.lists(drawn.sets(), min_size=1, max_size=4))
def test_what_is_added_never_changes_what_shipped_codes_mean(files: list[list[Code]]) -> None:
    with another_process():
        tokens = {token: code_of_token(token) for e in shipped().values() for token in e.tokens}
        for number, codes in enumerate(files):
            try:
                learn(Additions(f"{number}.toml", tuple(codes)), of_site=bool(number % 2))
            except CohortInvalid:
                continue
        assert {code: vocabulary()[code] for code in shipped()} == dict(shipped())
        assert list(vocabulary())[: len(shipped())] == list(shipped())
        assert {token: code_of_token(token) for token in tokens} == tokens


@given(drawn.sets(), drawn.sets())
def test_the_order_in_which_codes_come_does_not_matter(one: list[Code], other: list[Code]) -> None:
    ends = []
    for first, second in ((one, other), (other, one)):
        with another_process():
            try:
                learn(Additions("first.toml", tuple(first)))
                learn(Additions("second.toml", tuple(second)))
                learn(Additions("second.toml", tuple(reversed(second))))
            except CohortInvalid:
                ends.append(None)
                continue
            ends.append(list(vocabulary().items()))
    assert ends[0] == ends[1]


@given(drawn.codes(), drawn.codes())
def test_another_meaning_is_refused_with_both_and_nothing_is_learned(
    one: Code, other: Code
) -> None:
    other = replace(other, code=one.code)
    assume(one != other)
    with another_process():
        learn(Additions("first.toml", (one,)))
        before = vocabulary()
        with pytest.raises(CohortInvalid) as refusal:
            learn(Additions("second.toml", (KNEE, other)))
        assert vocabulary() is before
        named = {field for field, _, _ in one.differences(other)}
        said = [problem for problem in refusal.value.problems if problem.field == one.code]
        assert len(said) >= len(named)
        assert all(p.file == "second.toml" and "first.toml" in p.found for p in said)


def test_a_conflict_is_a_sentence_with_code_field_both_values_and_files() -> None:
    learn(Additions("clinic/vocabulary.toml", (KNEE,)))
    with pytest.raises(CohortInvalid) as refusal:
        learn(Additions("other.toml", (replace(KNEE, high=100.0, better="lower"),)))
    (high, better) = sorted(refusal.value.problems, key=lambda problem: "better" in problem.found)
    assert str(high) == (
        "other.toml, OURS//KNEE: its high is 100 here, and 48 in clinic/vocabulary.toml: a code has"
        " one meaning: correct the entry, or give it a code of its own"
    )
    assert "its better is 'lower' here, and 'higher' in clinic/vocabulary.toml" in better.found


def test_a_shipped_code_and_a_code_of_fhir_keep_their_meaning() -> None:
    barthel = replace(shipped()["REHABCAST//BARTHEL"], high=20.0)
    with pytest.raises(CohortInvalid, match="its high is 20 here, and 100 in the vocabulary of"):
        learn(Additions("codes.toml", (barthel,)))
    taken = replace(KNEE, fhir=("http://loinc.org|96761-2",))
    with pytest.raises(CohortInvalid, match=r"96761-2 means REHABCAST//BARTHEL in the vocabulary"):
        learn(Additions("codes.toml", (taken,)))
    assert vocabulary() == shipped()


def test_what_a_cohort_may_hold_is_shipped_of_the_site_and_its_own() -> None:
    site, own, others = (replace(KNEE, code=f"OURS//{n}", fhir=()) for n in ("S", "O", "X"))
    learn(Additions("site.toml", (site,)), of_site=True)
    learn(Additions("another cohort", (others,)))
    learn(Additions("cohort", (own,)))
    assert set(codes_with(Additions("cohort", (own,)))) == {*shipped(), "OURS//S", "OURS//O"}
    learn(Additions("site.toml", (others,)), of_site=True)
    assert "OURS//X" in codes_with(Additions())


def test_what_a_failed_reading_taught_can_be_corrected() -> None:
    seen: list[Code] = []

    def read_and_fail() -> None:
        with learning(Additions("codes.toml", (KNEE,))):
            seen.append(vocabulary()["OURS//KNEE"])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        read_and_fail()
    assert seen == [KNEE]
    assert "OURS//KNEE" not in vocabulary()
    corrected = replace(KNEE, high=60.0)
    with learning(Additions("codes.toml", (corrected,))):
        pass
    assert vocabulary()["OURS//KNEE"] == corrected


def test_codes_that_a_bundle_seals_are_learned_or_refused_as_its_integrity() -> None:
    sealed = {"vocabulary.toml": as_toml(Additions("x", (KNEE,))).encode()}
    assert sealed_codes(Path("bundle"), {}).codes == ()
    codes = sealed_codes(Path("bundle"), sealed)
    learn_sealed(Path("bundle"), codes)
    learn_sealed(Path("bundle"), codes)
    assert vocabulary()["OURS//KNEE"] == KNEE
    changed = {"vocabulary.toml": as_toml(Additions("x", (replace(KNEE, high=60.0),))).encode()}
    with pytest.raises(IntegrityError, match="its high is 60 here, and 48 in the bundle's"):
        learn_sealed(Path("bundle"), sealed_codes(Path("bundle"), changed))
    with pytest.raises(IntegrityError, match="restore the bundle"):
        sealed_codes(Path("bundle"), {"vocabulary.toml": b"[[code]]"})


@pytest.mark.parametrize("low", [0.1, 0.01, -0.3, 1 / 3, 16_777_217.0, 1e-30])
def test_the_ends_of_a_range_are_inside_it_as_a_cohort_keeps_numbers(low: float) -> None:
    least, most = replace(KNEE, low=low, high=low + 1).kept_range
    assert least <= min(float(np.float32(low)), low)
    assert most >= max(float(np.float32(low + 1)), low + 1)
