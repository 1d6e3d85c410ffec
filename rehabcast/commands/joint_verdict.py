"""The sums of all sites of a round, added, judged and written to this site's ledger."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

from contracts.errors import ContractError
from contracts.verdict import Finding, Outcome
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from audits.federated.files import MaskedSums, Offer, Signed, SiteInWords


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


def joined(settings: Settings, files: list[Path]) -> JointVerdict:
    """Add the sums of all sites and judge them.

    Raises
    ------
    ContractError, IntegrityError
        Files do not belong together, the round was judged before, or no people have such sums.
    """
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

    signed = read_files(settings, files)
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


def read_files(settings: Settings, files: list[Path]) -> list[Signed[Offer | MaskedSums]]:
    """Read files of a round, their signatures verified."""
    from audits.federated.files import read_signed
    from rehabcast.signed_artifacts import trusted_keys

    return [read_signed(path, trusted_keys(settings)) for path in files]


def _holding_back(found: tuple[Finding, ...]) -> list[Finding]:
    return [f for f in found if f.binding and f.outcome is not Outcome.PASS]


def as_tables(verdict: JointVerdict) -> Group:
    """Return what holds a joint verdict back, and how the sites differ."""
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
