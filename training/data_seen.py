"""What a training was given, by person and score, so that a later one can say what has changed.

Tokens are keyed, and sealed as the people of a bundle are (`inference.people`): without the key a
run tells nothing but the number of bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME, Cohort
from contracts.groups import MINIMUM_SHOWN, is_few, people_in_words
from contracts.vocabulary import Kind, vocabulary
from inference.people import NONCE_BYTES, token_key

SEEN_FILE = "data-seen.sealed"
FORM = b"rehabcast data seen 1"


class NotCompared(StrEnum):
    """Why nothing can be compared."""

    NONE_IN_SERVICE = "none_in_service"
    """There is nothing that could have changed: it is a first training."""
    NO_LEDGER = "no_ledger"
    NOT_KEPT = "not_kept"
    NO_REGISTRY = "no_registry"
    OTHER_KEY = "other_key"


WORDS = {
    NotCompared.NO_LEDGER: "the ledger cannot be read",
    NotCompared.NOT_KEPT: "the run of {since} did not keep what it was given",
    NotCompared.NO_REGISTRY: "the registry does not answer",
    NotCompared.OTHER_KEY: "{since} was trained under another keys/people.key",
}

Seen = dict[str, dict[str, str]]
"""Token of each person: token of each fact and score, prefixed by what it is, with its value's."""

FACT, SCORE = "f", "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChanges:
    """What changed since the data of the version in service, in numbers that may be shown.

    Parameters
    ----------
    since
        The version in service; empty where there is none.
    reason
        Why nothing can be compared; None where it is.
    people_new, people_corrected, people_gone
        People who came, of whom a fact or a score is another or gone, and who are there no more.
    scores_new, scores_corrected, scores_gone
        Scores by assessment and day.
    """

    since: str = ""
    reason: NotCompared | None = None
    people_new: str = ""
    people_corrected: str = ""
    people_gone: str = ""
    scores_new: str = ""
    scores_corrected: str = ""
    scores_gone: str = ""

    def __str__(self) -> str:
        if self.reason is NotCompared.NONE_IN_SERVICE:
            return (
                "No version of this model is in service: there are no earlier data to compare with."
            )
        if self.reason is not None:
            why = WORDS[self.reason].format(since=self.since)
            return f"What changed since the version in service is not known: {why}."
        return (
            f"Since the data of {self.since}: people new: {self.people_new}, corrected:"
            f" {self.people_corrected}, gone: {self.people_gone}; scores new: {self.scores_new},"
            f" corrected: {self.scores_corrected}, gone: {self.scores_gone}."
        )


def data_seen(cohort: Cohort, key: bytes) -> Seen:
    """Return the facts and scores of a cohort as tokens."""
    secret = token_key(key)
    kinds = {code: entry.kind for code, entry in vocabulary().items()}
    kind = cohort.events[CODE].astype(object).map(kinds)
    code = cohort.events[CODE]
    dates = code.isin([ONSET, ENROLMENT])
    events = cohort.events[kind.isin([Kind.PERSON, Kind.ASSESSMENT]) | dates]
    seen: Seen = {}
    for subject, time, name, number, text in events[[SUBJECT, TIME, CODE, NUMBER, TEXT]].itertuples(
        index=False, name=None
    ):
        own = seen.setdefault(_token(cohort.label(subject), secret), {})
        if kinds[name] is Kind.ASSESSMENT:
            own[SCORE + _token(f"{name} {time:%Y-%m-%d}", secret)] = _token(f"{number}", secret)
        else:
            own[FACT + _token(name, secret)] = _token(f"{time} {number} {text}", secret)
    return seen


def seal_seen(seen: Seen, key: bytes) -> bytes:
    """Return what a training was given, encrypted."""
    nonce = os.urandom(NONCE_BYTES)
    content = zlib.compress(json.dumps(seen, sort_keys=True).encode())
    return nonce + AESGCM(key).encrypt(nonce, content, FORM)


def unseal_seen(sealed: bytes, key: bytes) -> Seen | None:
    """Return what `seal_seen` was given; None where the key is another one."""
    try:
        text = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], FORM)
    except InvalidTag:
        return None
    seen: Seen = json.loads(zlib.decompress(text))
    return seen


def changes_since(since: str, before: Seen, now: Seen) -> DataChanges:
    """Return what changed between what two trainings were given."""
    new, corrected, gone = dict[str, int](), dict[str, int](), dict[str, int]()
    changed = set[str]()
    for person in before.keys() | now.keys():
        old, own = before.get(person, {}), now.get(person, {})
        other = {name for name in old.keys() & own.keys() if old[name] != own[name]}
        lost = old.keys() - own.keys()
        new[person] = _scores(own.keys() - old.keys())
        corrected[person] = _scores(other)
        gone[person] = _scores(lost)
        if person in before and person in now and (other or lost):
            changed.add(person)
    return DataChanges(
        since=since,
        people_new=people_in_words(len(now.keys() - before.keys())),
        people_corrected=people_in_words(len(changed)),
        people_gone=people_in_words(len(before.keys() - now.keys())),
        scores_new=_of_scores(new),
        scores_corrected=_of_scores(corrected),
        scores_gone=_of_scores(gone),
    )


def _scores(names: set[str]) -> int:
    return sum(name.startswith(SCORE) for name in names)


def _of_scores(by_person: dict[str, int]) -> str:
    people = sum(count > 0 for count in by_person.values())
    if is_few(people):
        return f"of fewer than {MINIMUM_SHOWN} people"
    return people_in_words(sum(by_person.values()))


def _token(text: str, key: bytes) -> str:
    return hashlib.blake2b(text.encode(), key=key, digest_size=8).hexdigest()
