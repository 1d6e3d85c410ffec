"""`rehabcast federate`: one audit over many sites; no row of a patient leaves any of them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel

from contracts.errors import ContractError, EvidenceMissing
from rehabcast.commands.joint_verdict import as_tables, joined, read_files
from rehabcast.commands.learning.training import VersionArgument
from rehabcast.commands.site_tables import site_of
from rehabcast.output import AsJson, emit
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from audits.federated.files import Offer
    from audits.federated.opening import Round
    from rehabcast.commands.site_tables import Site

app = typer.Typer(
    no_args_is_help=True,
    help="Audit a model over many sites: no row, and no number about few people, leaves a site.",
)

Content = TypeVar("Content", bound=BaseModel)
SiteOption = Annotated[str, typer.Option("--site", help="Name of this site in the round.")]
SiteCohort = Annotated[
    Path | None,
    typer.Option(
        "--cohort",
        help="This site's cohort. Left out where the version was trained: then its own forecasts of"
        " people whom the network never saw are judged.",
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", help="File to write; FILE.sig will be its signature.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOfRound:
    """A file that a site sends to all others, with its signature beside it."""

    file: Path
    site: str
    round: str
    numbers: int | None = None


@app.command()
def offer(
    model_version: VersionArgument,
    site: SiteOption,
    round_name: Annotated[
        str, typer.Option("--round", help="Name of the round, the same at every site.")
    ],
    cohort: SiteCohort = None,
    days: Annotated[int, typer.Option(min=1, max=90, help="Days until the key expires.")] = 14,
    output: OutputOption = None,
    as_json: AsJson = False,
) -> None:
    """Say which groups here have enough people, and make this site's key for the round."""
    from audits.federated.agreement import said_by
    from audits.federated.files import Offer
    from audits.federated.masks import new_key, public_of
    from contracts.digests import file_digest
    from rehabcast.auditing.champion_forecasts import champion_beside
    from rehabcast.identity import open_ledger
    from stores.private_files import write_private

    settings, now = Settings(), datetime.now(UTC)
    path = output or Path(f"{site}.offer.json")
    found = site_of(settings, model_version, cohort)
    said, private = said_by(found.people), new_key()
    with closing(open_ledger(settings, make=True)) as ledger:
        has_champion = champion_beside(ledger, model_version) is not None
    content = _valid(
        Offer, site=site, round=round_name, model_version=model_version,
        bundle_digest=found.bundle.digest, policy_digest=found.policy.digest,
        simulated=found.simulated, has_champion=has_champion,
        public_key=public_of(private).hex(), made_at=now, until=now + timedelta(days=days),
        attributes=said.attributes, sets=said.sets, summed=said.summed, codes=said.codes,
    )  # fmt: skip
    _write_signed(settings, path, content.model_dump_json())
    write_private(_key_file(settings, file_digest(path)), private)
    emit(
        FileOfRound(file=path, site=site, round=round_name),
        f"Send {path} and {path.name}.sig to every other site of round {round_name!r}. When you"
        " have the offers of all, run: rehabcast federate export",
        as_json=as_json,
    )


@app.command()
def export(
    model_version: VersionArgument,
    site: SiteOption,
    offers: Annotated[
        list[Path], typer.Option("--offer", help="An offer; once for each site, this one too.")
    ],
    cohort: SiteCohort = None,
    output: OutputOption = None,
    as_json: AsJson = False,
) -> None:
    """Write this site's sums for the round, under masks that only all sites' sums undo."""
    from audits.federated.files import MaskedSums, in_base64, site_in_words
    from audits.federated.masks import masked
    from audits.federated.opening import require_current
    from audits.federated.rounds import record, require_new
    from audits.federated.sums import sums_of
    from audits.ledger.trail import FEDERATED_EXPORT
    from rehabcast.identity import actor_of, open_ledger

    settings, now = Settings(), datetime.now(UTC)
    path = output or Path(f"{site}.sums.json")
    opened = _open_offers(settings, offers)
    require_current(opened, now)
    own, private = _own_offer(opened, site), _private_key(settings, opened, site)
    found = site_of(settings, model_version, cohort)
    _require_as_offered(found, own)
    sums_K = sums_of(found.people, opened.joint.layout)
    content = _valid(
        MaskedSums, site=site, round=own.round, offers=opened.digests, made_at=now,
        sums=in_base64(masked(sums_K, site, private, opened.public_keys, opened.digest)),
        about=site_in_words(found.people),
    )  # fmt: skip
    given = {
        "round": own.round, "round_digest": opened.digest, "site": site,
        "sites": sorted(opened.digests), "bundle_digest": own.bundle_digest,
        "people_digest": found.people.digest,
    }  # fmt: skip
    with closing(open_ledger(settings, make=True)) as ledger:
        require_new(
            ledger.trail(), bundle_digest=own.bundle_digest, sites=given["sites"],
            people_digest=found.people.digest,
        )  # fmt: skip
        # The ledger first: what it doesn't know was not given, and a mask is never used twice.
        actor = actor_of(settings, ledger)
        record(ledger, FEDERATED_EXPORT, own.model_version, given, actor=actor, now=now)
    _key_file(settings, opened.digests[site]).unlink()
    _write_signed(settings, path, content.model_dump_json())
    emit(
        FileOfRound(file=path, site=site, round=own.round, numbers=len(sums_K)),
        f"Send {path} and {path.name}.sig to every other site. When you have the sums of all, run:"
        " rehabcast federate join FILES, with the offers and the sums of every site",
        as_json=as_json,
    )


@app.command()
def join(
    files: Annotated[
        list[Path],
        typer.Argument(help="Offers and sums of every site, each with its .sig beside it."),
    ],
    as_json: AsJson = False,
) -> None:
    """Add the sums of all sites, judge them, and write the verdict to this site's ledger."""
    verdict = joined(Settings(), files)
    emit(verdict, as_tables(verdict), as_json=as_json)


def _require_as_offered(found: Site, own: Offer) -> None:
    """Refuse sums of other forecasts, rules or people than those that were offered."""
    from audits.federated.agreement import said_by

    if (own.bundle_digest, own.policy_digest) != (found.bundle.digest, found.policy.digest):
        raise ContractError(
            f"the round is of another model or policy than {own.model_version} is judged by here",
            "export the version of the offers, by the policy of the offers",
        )
    if said_by(found.people) != own.said:
        raise ContractError(
            "the people here have changed since the offer was made",
            "make a new offer at every site, for a new round",
        )


def _open_offers(settings: Settings, files: list[Path]) -> Round:
    from audits.federated.files import Offer, of_kind
    from audits.federated.opening import open_round

    offers = of_kind(read_files(settings, files), Offer)
    if len(offers) < len(files):
        raise ContractError("a file given as an offer has sums", "give each site's offer")
    return open_round(offers)


def _own_offer(opened: Round, site: str) -> Offer:
    for each in opened.offers:
        if each.content.site == site:
            return each.content
    raise ContractError(
        f"there is no offer of {site} among those given", "give this site's own offer too"
    )


def _key_file(settings: Settings, offer_digest: str) -> Path:
    return settings.home / "keys" / "federation" / f"{offer_digest}.key"


def _private_key(settings: Settings, opened: Round, site: str) -> bytes:
    from stores.private_files import require_private

    path = _key_file(settings, opened.digests[site])
    if not path.is_file():
        raise EvidenceMissing(
            f"the key of {site} for this round is not here: the offer was made elsewhere, or its"
            " sums were exported",
            "export where the offer was made, once",
        )
    require_private(path)
    return path.read_bytes()


def _write_signed(settings: Settings, path: Path, text: str) -> None:
    from audits.ledger.signing import written_signed
    from rehabcast.signed_artifacts import signing_key

    with written_signed(path, signing_key(settings)) as draft:
        draft.write_text(text + "\n", "utf-8")


def _valid(model: type[Content], **fields: Any) -> Content:
    from pydantic import ValidationError

    try:
        return model(**fields)
    except ValidationError as error:
        where = error.errors()[0]["loc"][0]
        raise ContractError(
            f"--{where}: a name has letters, digits, spaces, dots, dashes, and at most 60 of them",
            "give another name",
        ) from error
