"""Files of a round that do not belong together are refused, each with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audits.federated.agreement import said_by
from audits.federated.files import MaskedSums, Offer, in_base64, of_kind, read_signed, site_in_words
from audits.federated.joint import people_of
from audits.federated.masks import masked, new_key, public_of, unmasked
from audits.federated.opening import open_round, require_as_many, require_current, sums_by_site
from audits.federated.people import SitePeople
from audits.federated.rounds import record, require_new, require_not_judged
from audits.federated.sums import sums_of
from audits.ledger.ledger import Ledger
from audits.ledger.signing import SIGNATURE, make_key, sign
from audits.ledger.trail import FEDERATED_AUDIT, FEDERATED_EXPORT
from contracts.errors import ContractError, IntegrityError, RehabcastError
from tests.audits.federated.conftest import Tables

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SITES = ("east", "north", "west")


@dataclass
class Files:
    """Files of one round, as three sites write them into a folder."""

    folder: Path
    people: dict[str, SitePeople]
    private: dict[str, bytes]

    def write(self, name: str, content: dict[str, Any], signer: str) -> Path:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(content))
        sign(path, Path(f"{path}{SIGNATURE}"), self.folder / f"private-{signer}.pem")
        return path

    def offer(self, site: str, /, signer: str = "", **changed: Any) -> Path:
        said = said_by(self.people[site])
        offer = Offer(
            site=site, round="one", model_version="arm/1", bundle_digest="b" * 64,
            policy_digest="a" * 64, simulated=True, has_champion=False, made_at=NOW,
            public_key=public_of(self.private[site]).hex(), until=NOW + timedelta(days=14),
            attributes=said.attributes, sets=said.sets, summed=said.summed, codes=said.codes,
        )  # fmt: skip
        content = offer.model_dump(mode="json") | changed
        return self.write(f"offer-{site}", content, signer or site)

    def sums(self, site: str, /, signer: str = "", **changed: Any) -> Path:
        opened = self.opened()
        masked_K = masked(
            sums_of(self.people[site], opened.joint.layout), site, self.private[site],
            opened.public_keys, opened.digest,
        )  # fmt: skip
        content = MaskedSums(
            site=site, round="one", offers=opened.digests, made_at=NOW, sums=in_base64(masked_K),
            about=site_in_words(self.people[site]),
        ).model_dump(mode="json")  # fmt: skip
        return self.write(f"sums-{site}", content | changed, signer or site)

    def read(self, paths: list[Path]) -> list[Any]:
        keys = sorted(self.folder.glob("public-*.pem"))
        return [read_signed(path, keys) for path in paths]

    def opened(self, *paths: Path) -> Any:
        written = list(paths) or sorted(self.folder.glob("offer-*.json"))
        return open_round(of_kind(self.read(written), Offer))

    def joined(self, *paths: Path) -> dict[str, Any]:
        written = list(paths) or sorted(self.folder.glob("sums-*.json"))
        return sums_by_site(self.opened(), of_kind(self.read(written), MaskedSums))


@pytest.fixture(scope="module")
def people(tables_of: Callable[..., Tables]) -> dict[str, SitePeople]:
    return dict(zip(SITES, tables_of(360).sites(np.arange(360) % 3), strict=True))


@pytest.fixture
def files(people: dict[str, SitePeople], tmp_path: Path) -> Files:
    found = Files(tmp_path, people, {site: new_key() for site in SITES})
    for site in SITES:
        make_key(tmp_path / f"private-{site}.pem", tmp_path / f"public-{site}.pem")
        found.offer(site)
    for site in SITES:
        found.sums(site)
    return found


def test_a_whole_round_adds_up(files: Files) -> None:
    opened, masked_by_site = files.opened(), files.joined()
    total_K = unmasked(masked_by_site)
    assert people_of(total_K, opened.joint) == 360
    # The order of the files does not matter.
    other = files.opened(*sorted(files.folder.glob("offer-*.json"), reverse=True))
    assert (other.digest, other.joint.layout) == (opened.digest, opened.joint.layout)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"bundle_digest": "c" * 64}, "another model"),
        ({"policy_digest": "c" * 64}, "another policy"),
        ({"round": "two"}, "another round"),
        ({"simulated": False}, "another kind of people"),
        ({"format": "rehabcast-federated-offer/9"}, "reads 'rehabcast-federated-offer/1'"),
        ({"site": "east"}, "east is given twice"),
        ({"public_key": "short"}, "public_key is not what"),
        ({"codes": {"": {"": "eee"}}}, "does not say of every group"),
        ({"codes": {}}, "does not say of every group"),
    ],
)
def test_an_offer_that_does_not_fit_is_refused(
    files: Files, changed: dict[str, Any], reason: str
) -> None:
    files.offer("north", **changed)
    with pytest.raises(RehabcastError, match=reason):
        files.opened()


def test_one_who_signs_for_two_sites_is_refused(files: Files) -> None:
    files.offer("north", signer="east")
    with pytest.raises(ContractError, match="signed with the same key"):
        files.opened()


def test_a_changed_byte_and_an_unknown_signer_are_refused(files: Files) -> None:
    path = files.folder / "sums-east.json"
    path.write_text(path.read_text().replace('"one"', '"two"'))
    with pytest.raises(IntegrityError, match="not what was signed"):
        files.joined()
    files.sums("east")
    (files.folder / "public-east.pem").unlink()
    with pytest.raises(IntegrityError, match="signed with none of"):
        files.joined()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"offers": {"east": "0" * 64}}, "of another round, or of other offers"),
        ({"sums": "AAAA"}, "are not the .* numbers of this round"),
        ({"sums": "%"}, "are not the .* numbers of this round"),
        ({"made_at": "2027-01-01T00:00:00Z"}, "the key of east expired"),
        ({"site": "south"}, "signed with another key than its offer"),
        ({"site": "east"}, "signed with another key than its offer"),
    ],
)
def test_sums_that_do_not_fit_are_refused(
    files: Files, changed: dict[str, Any], reason: str
) -> None:
    files.sums("north", **changed)
    with pytest.raises(RehabcastError, match=reason):
        files.joined()


def test_a_missing_site_and_a_file_twice_are_refused(files: Files) -> None:
    east, north = (files.folder / f"sums-{site}.json" for site in ("east", "north"))
    with pytest.raises(ContractError, match="no sums of west"):
        files.joined(east, north)
    with pytest.raises(ContractError, match="north is given twice"):
        files.joined(east, north, north)


def test_an_expired_key_gives_no_sums(files: Files) -> None:
    require_current(files.opened(), NOW)
    with pytest.raises(ContractError, match="the key of east expired"):
        require_current(files.opened(), NOW + timedelta(days=15))


def test_a_site_cannot_add_people_without_saying_so(files: Files) -> None:
    opened = files.opened()
    stated = [each.content for each in of_kind(
        files.read(sorted(files.folder.glob("sums-*.json"))), MaskedSums)]  # fmt: skip
    require_as_many(opened, stated, 360)
    with pytest.raises(IntegrityError, match="the sums are of 1000 people"):
        require_as_many(opened, stated, 1000)


def test_a_ledger_refuses_a_second_round_that_would_tell_a_difference(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    details = {
        "round": "one",
        "sites": ["east", "west"],
        "bundle_digest": "b",
        "people_digest": "p",
    }
    record(ledger, FEDERATED_EXPORT, "arm/1", details, actor="mia", now=NOW)
    record(ledger, FEDERATED_AUDIT, "arm/1", {"round_digest": "r"}, actor="mia", now=NOW)
    trail = ledger.trail()
    again = {"sites": ("west", "east"), "people_digest": "p"}
    require_new(trail, bundle_digest="c", **again)  # type: ignore[arg-type]
    for bundle, changed, reason in (
        ("b", {}, "gave sums of this model"),
        ("c", {"sites": ("west",)}, "among other sites"),
        ("c", {"people_digest": "q"}, "of other people"),
    ):
        with pytest.raises(ContractError, match=reason):
            require_new(trail, bundle_digest=bundle, **(again | changed))  # type: ignore[arg-type]
    require_not_judged(trail, "s")
    with pytest.raises(ContractError, match="judged before, in entry 2"):
        require_not_judged(trail, "r")
    ledger.verify()
    ledger.close()
