"""The two files that a site sends in a round, each signed, and what is refused of them.

An *offer* says which groups have enough people (`audits.federated.agreement`), and has the key by
which this site's masks are made. From the offers of all sites follows what is summed; a file of
*masked sums* then names the offers that it belongs to.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from audits.federated.agreement import SiteSets
from audits.federated.masks import Masked
from audits.federated.people import LOST, SitePeople, Summed
from audits.ledger.signing import SIGNATURE, verify
from audits.measure.metrics import Metric
from contracts.digests import file_digest
from contracts.errors import ContractError, IntegrityError
from contracts.groups import MINIMUM_SHOWN
from contracts.naming.formats import name_of, require_known_form

OFFER, SUMS = "federated-offer", "federated-sums"
ASK_AGAIN = "ask that site for its file of this round"
PEOPLE_STEP = 50
"""Steps in which a site's number of people is told: finer, a small site could be worked out."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[\w .-]+$")]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Offer(_Strict):
    """What a site says before a round.

    Parameters
    ----------
    site, round
        Their names.
    model_version, bundle_digest, policy_digest, simulated
        What is judged by which rules, and whether this site's people are simulated.
    has_champion
        Whether another version of the model is in service here.
    public_key
        X25519, hexadecimal, of this site and round only.
    made_at, until
        When it was made, and the end of the round.
    attributes, sets, summed, codes
        As `audits.federated.agreement.SiteSets`.
    """

    format: str = name_of(OFFER)
    site: Name
    round: Name
    model_version: str
    bundle_digest: Digest
    policy_digest: Digest
    simulated: bool
    has_champion: bool
    public_key: Digest
    made_at: AwareDatetime
    until: AwareDatetime
    attributes: tuple[str, ...]
    sets: tuple[str, ...]
    summed: tuple[Summed, ...]
    codes: dict[str, dict[str, str]]

    @property
    def said(self) -> SiteSets:
        """What it says of its people."""
        return SiteSets(
            attributes=self.attributes, sets=self.sets, summed=self.summed, codes=self.codes
        )


class SiteInWords(_Strict):
    """How a site differs from others, so coarsely that nothing of a small site can be worked out.

    Parameters
    ----------
    people
        In steps of 50.
    error, size_of_error
        Mean signed and absolute error, in whole points.
    inside, lost
        Shares of outcomes inside of the 80 % range, and lost, in steps of a tenth.
    """

    people: int
    error: float | None
    size_of_error: float | None
    inside: float | None
    lost: float | None


class MaskedSums(_Strict):
    """The sums of a site under the masks that it shares with the others.

    Parameters
    ----------
    site, round, offers
        Whose, and the digest of each site's offer.
    made_at
        When.
    sums
        Whole numbers modulo 2^64, little-endian, base64.
    about
        The site in coarse numbers; None where it has fewer than 11 people.
    """

    format: str = name_of(SUMS)
    site: Name
    round: Name
    offers: dict[Name, Digest]
    made_at: AwareDatetime
    sums: str
    about: SiteInWords | None

    def numbers(self) -> Masked:
        """Return the masked sums, (K,)."""
        return np.frombuffer(base64.b64decode(self.sums, validate=True), dtype="<u8").astype(
            np.uint64
        )


def site_in_words(site: SitePeople) -> SiteInWords | None:
    """Return a site in coarse numbers; None where it has fewer than 11 people."""
    if site.people < MINIMUM_SHOWN:
        return None
    counted = {each.summed.key: each for each in site.counted}

    def mean(key: str, step: float) -> float | None:
        found = counted.get(key)
        counts_S = None if found is None else next(iter(found.sets.values()))
        if found is None or counts_S is None or counts_S.sum() < MINIMUM_SHOWN:
            return None
        return round(round(float(found.value_S[counts_S].mean()) / step) * step, 1) + 0.0

    return SiteInWords(
        people=round(site.people / PEOPLE_STEP) * PEOPLE_STEP,
        error=mean(Metric.SIGNED_ERROR, 1.0), size_of_error=mean(Metric.MEAN_ABSOLUTE_ERROR, 1.0),
        inside=mean(Metric.COVERAGE, 0.1), lost=mean(LOST, 0.1),
    )  # fmt: skip


def in_base64(masked_K: Masked) -> str:
    """Return masked sums as they are written."""
    return base64.b64encode(masked_K.astype("<u8").tobytes()).decode()


Kind = TypeVar("Kind", bound="Offer | MaskedSums")
File = TypeVar("File", bound="Offer | MaskedSums", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed(Generic[File]):
    """A file whose signature was verified: its content, digest, and the key that signed it."""

    content: File
    digest: str
    key: str


def of_kind(files: Iterable[Signed[Any]], kind: type[Kind]) -> list[Signed[Kind]]:
    """Return the files that are offers, or those that are sums."""
    return [each for each in files if isinstance(each.content, kind)]


def read_signed(path: Path, keys: Sequence[Path]) -> Signed[Offer | MaskedSums]:
    """Read a file of a round.

    Raises
    ------
    IntegrityError
        It is not signed by a trusted key, a byte was changed, or it is of a later form.
    ContractError
        It is not there, or is no file of a round.
    """
    if not path.is_file():
        raise ContractError(f"{path.name} cannot be read", "check the path and its permissions")
    key = verify(path, path.with_name(path.name + SIGNATURE), keys).name
    text = path.read_bytes()
    for kind in (OFFER, SUMS):
        if f"rehabcast-{kind}/".encode() in text[:200]:
            require_known_form(text, kind, path.name, IntegrityError)
            model: type[Offer | MaskedSums] = Offer if kind == OFFER else MaskedSums
            try:
                content = model.model_validate_json(text)
            except ValidationError as error:
                where = ".".join(map(str, error.errors()[0]["loc"]))
                raise ContractError(
                    f"{path.name}: {where} is not what a file of a round has there", ASK_AGAIN
                ) from error
            return Signed(content=content, digest=file_digest(path), key=key)
    raise ContractError(
        f"{path.name}: no file of a federated audit",
        "give the files that `rehabcast federate offer` and `rehabcast federate export` wrote",
    )
