"""`rehabcast federate`: one audit over many sites, of which no row leaves any."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Group
from rich.table import Table

from contracts.errors import ContractError, EvidenceMissing
from contracts.verdict import Finding, Outcome
from rehabcast.commands.learning.training import VersionArgument
from rehabcast.commands.site_tables import site_of
from rehabcast.output import AsJson, emit, require_place
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from audits.federated.files import MaskedSums, Offer, Signed, SiteInWords
    from audits.federated.opening import Round

app = typer.Typer(
    no_args_is_help=True,
    help="One audit over many sites, of which no row and no number about few people leaves any.",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class JointVerdict:
    """What all sites' people show together.

    Parameters
    ----------
    sites
        How each differs, in coarse numbers; None where it has fewer than 11 people.
    round_digest, files
        Digest of what the sites agreed on, and of each file, by its name.
    """

    model_version: str
    round: str
    round_digest: str
    outcome: Outcome
    simulated: bool
    people: int
    sites: Mapping[str, SiteInWords | None]
    findings: tuple[Finding, ...]
    files: Mapping[str, str]


@app.command()
def offer(
    model_version: VersionArgument,
    site: SiteOption,
    round_name: Annotated[str, typer.Option("--round", help="Name of the round, the same at all.")],
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
    with closing(open_ledger(settings, make=True)) as ledger:
        found = site_of(settings, model_version, cohort)
        said, private = said_by(found.people), new_key()
        has_champion = champion_beside(ledger, model_version) is not None
        content = _valid(
            Offer, site=site, round=round_name, model_version=model_version,
            bundle_digest=found.bundle.digest, policy_digest=found.policy.digest,
            simulated=found.simulated, has_champion=has_champion,
            public_key=public_of(private).hex(), made_at=now, until=now + timedelta(days=days),
            attributes=said.attributes, sets=said.sets, summed=said.summed, codes=said.codes,
        )  # fmt: skip
    path = output or Path(f"{site}.offer.json")
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
    from audits.federated.agreement import said_by
    from audits.federated.files import MaskedSums, in_base64, site_in_words
    from audits.federated.masks import masked
    from audits.federated.opening import require_current
    from audits.federated.rounds import record, require_new
    from audits.federated.sums import sums_of
    from audits.ledger.trail import FEDERATED_EXPORT
    from rehabcast.identity import actor_of, open_ledger

    settings, now = Settings(), datetime.now(UTC)
    opened = _open_offers(settings, offers)
    require_current(opened, now)
    own = _own_offer(opened, site)
    with closing(open_ledger(settings, make=True)) as ledger:
        sites = sorted(opened.digests)
        found = site_of(settings, model_version, cohort)
        if (own.bundle_digest, own.policy_digest) != (found.bundle.digest, found.policy.digest):
            raise ContractError(
                f"the round is of another model or policy than {model_version} is judged by here",
                "export the version of the offers, by the policy of the offers",
            )
        people_digest = found.people.digest
        require_new(
            ledger.trail(), bundle_digest=own.bundle_digest, sites=sites,
            people_digest=people_digest,
        )  # fmt: skip
        if said_by(found.people) != own.said:
            raise ContractError(
                "the people here have changed since the offer was made",
                "make a new offer at every site, for a new round",
            )
        private = _private_key(settings, opened, site)
        sums_K = sums_of(found.people, opened.joint.layout)
        masked_K = masked(sums_K, site, private, opened.public_keys, opened.digest)
        content = _valid(
            MaskedSums, site=site, round=own.round, offers=opened.digests, made_at=now,
            sums=in_base64(masked_K), about=site_in_words(found.people),
        )  # fmt: skip
        path = output or Path(f"{site}.sums.json")
        # The ledger first: what it doesn't know was not given, and a mask is never used twice.
        record(
            ledger, FEDERATED_EXPORT, model_version,
            {"round": own.round, "round_digest": opened.digest, "site": site, "sites": sites,
             "bundle_digest": own.bundle_digest, "people_digest": people_digest},
            actor=actor_of(settings, ledger), now=now,
        )  # fmt: skip
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
    files: Annotated[list[Path], typer.Argument(help="Offers and sums of every site.")],
    as_json: AsJson = False,
) -> None:
    """Add the sums of all sites, judge them, and write the verdict to this site's ledger."""
    verdict = _joined(Settings(), files)
    emit(verdict, _as_tables(verdict), as_json=as_json)


def _joined(settings: Settings, files: list[Path]) -> JointVerdict:
    from audits.federated.files import MaskedSums, Offer, of_kind
    from audits.federated.joint import judge_sums, people_of
    from audits.federated.masks import unmasked
    from audits.federated.opening import open_round, require_as_many, sums_by_site
    from audits.federated.rounds import record, require_not_judged
    from audits.judging.decision import gravest
    from audits.ledger.trail import FEDERATED_AUDIT
    from rehabcast.identity import actor_of, open_ledger
    from rehabcast.signed_artifacts import open_bundle, policy_for
    from training.registry.model_versions import find

    signed = _read(settings, files)
    opened = open_round(of_kind(signed, Offer))
    sums = of_kind(signed, MaskedSums)
    total_K = unmasked(sums_by_site(opened, sums))
    first, now = opened.first, datetime.now(UTC)
    bundle = open_bundle(settings, find(settings.store, first.model_version))
    policy = policy_for(settings, bundle)
    if (first.bundle_digest, first.policy_digest) != (bundle.digest, policy.digest):
        raise ContractError(
            f"the round is of another model or policy than {first.model_version} is judged by here",
            "join it where its model and policy are",
        )
    with closing(open_ledger(settings, make=True)) as ledger:
        require_not_judged(ledger.trail(), opened.digest)
        found = judge_sums(total_K, opened.joint, policy)
        people = people_of(total_K, opened.joint)
        require_as_many(opened, [each.content for each in sums], people)
        verdict = JointVerdict(
            model_version=first.model_version, round=first.round, round_digest=opened.digest,
            outcome=gravest(found), simulated=first.simulated, people=people,
            sites={each.content.site: each.content.about for each in sums}, findings=found,
            files={path.name: each.digest for path, each in zip(files, signed, strict=True)},
        )  # fmt: skip
        record(
            ledger, FEDERATED_AUDIT, first.model_version,
            {"round": first.round, "round_digest": opened.digest, "outcome": verdict.outcome.value,
             "bundle_digest": bundle.digest, "policy_digest": policy.digest,
             "simulated": first.simulated, "sites": sorted(opened.digests),
             "files": sorted(verdict.files.values()),
             "held_back_by": [f.reason for f in _holding_back(found)]},
            actor=actor_of(settings, ledger), now=now,
        )  # fmt: skip
    return verdict


def _open_offers(settings: Settings, files: list[Path]) -> Round:
    from audits.federated.files import Offer, of_kind
    from audits.federated.opening import open_round

    offers = of_kind(_read(settings, files), Offer)
    if len(offers) < len(files):
        raise ContractError("a file given as an offer has sums", "give each site's offer")
    return open_round(offers)


def _read(settings: Settings, files: list[Path]) -> list[Signed[Offer | MaskedSums]]:
    from audits.federated.files import read_signed
    from rehabcast.signed_artifacts import trusted_keys

    return [read_signed(path, trusted_keys(settings)) for path in files]


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
    from audits.ledger.signing import SIGNATURE, sign
    from rehabcast.signed_artifacts import signing_key

    require_place(path)
    if path.exists():
        raise ContractError(f"{path} exists already", "give another file with --output")
    path.write_text(text + "\n")
    sign(path, path.with_name(path.name + SIGNATURE), signing_key(settings))


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


def _holding_back(found: tuple[Finding, ...]) -> list[Finding]:
    return [f for f in found if f.binding and f.outcome is not Outcome.PASS]


def _as_tables(verdict: JointVerdict) -> Group:
    label = " (SIMULATED people)" if verdict.simulated else ""
    title = f"Round {verdict.round!r} on {verdict.model_version}: {verdict.outcome}{label}"
    held = Table("outcome", "what holds it back", title=title)
    for finding in _holding_back(verdict.findings):
        held.add_row(str(finding.outcome), finding.reason)
    sites = Table("site", "people, about", "error", "size of error", "inside", "lost",
                  caption="Coarse, so that no small site can be worked out")  # fmt: skip
    for site, about in verdict.sites.items():
        values = [] if about is None else [
            about.people or "fewer than 25", about.error, about.size_of_error, about.inside,
            about.lost,
        ]  # fmt: skip
        sites.add_row(site, *("" if v is None else f"{v}" for v in values))
    return Group(held, sites)
