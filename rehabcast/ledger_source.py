"""Where the service's champions come from: the ledger says which, the registry has their files."""

from __future__ import annotations

import json
import logging
import threading
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from audits.judging.scope import in_doubt
from audits.ledger.evidence.restrictions import restricted_scope
from audits.ledger.followed import NOTHING_READ, FollowedTrail, VerifiedReading
from audits.ledger.records import Champion, LedgerState
from audits.ledger.signing import SIGNATURE
from audits.ledger.signing import verify as verify_signature
from audits.measure.metrics import Metric
from audits.report.content import Report
from contracts.bundle import CARD_FILE
from contracts.errors import (
    ContractError,
    IntegrityError,
    PromotionRefused,
    RehabcastError,
    ServiceUnavailable,
)
from contracts.scope import Scope
from inference.bundle import load_bundle
from rehabcast.auditing.mirroring import ServiceMirror, bound_registry_calls
from rehabcast.identity import open_ledger, people_of
from rehabcast.reachability import file_identity, is_registry_reachable
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import fetch_bundle, fetch_report, trusted_keys
from serving.faults import Fault, place_of
from serving.forecast.audit_status import AuditStatus, Coverage, ServedModel
from serving.state.champion import REGISTRY_AWAY
from serving.state.following import Terms, Verified, begin
from training.registry.model_versions import find

log = logging.getLogger("rehabcast.champion")

RENEW_HEAD = "write it again with `rehabcast ledger head`, and copy the file and its signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What a reading leaves to the next.

    Parameters
    ----------
    file
        Device and inode of the ledger's file; None for a database server.
    is_replaced
        Whether the file is another than the one verified last, and has to be compared whole.
    trail, found
        The trail as verified so far, never changed once it is here; and what it says.
    head, head_bytes
        The signed head that the ledger must reach, and the files that it was read from.
    """

    file: tuple[int, int] | None
    is_replaced: bool = False
    trail: FollowedTrail
    found: VerifiedReading = NOTHING_READ
    head: LedgerState | None = None
    head_bytes: tuple[bytes, bytes] = (b"", b"")


class LedgerSource:
    """The champion that the ledger names, and its files from the registry.

    Parameters
    ----------
    model
        Whose champion; None for the one changed last, of any model.

    Raises
    ------
    RehabcastError
        The ledger cannot be opened, or the signed head is not one.
    """

    def __init__(self, settings: Settings, model: str | None = None) -> None:
        bound_registry_calls()
        self._settings, self._model = settings, model
        self._ledger = open_ledger(settings)
        file = file_identity(settings.ledger_url)
        self._mirror: ServiceMirror | None = None
        trail = FollowedTrail(model, people=self._ledger.identities.people)
        self._lock = threading.Lock()
        self._readings = 0
        self._kept = _Kept(file=file, trail=trail)
        if settings.ledger_head is not None:
            self._kept = self._with_head(self._kept, settings.ledger_head)

    def read(self) -> Verified:
        """Read the ledger, and verify it.

        A reading that takes too long is given up, but its thread goes on. It works on a copy of
        what is kept, and its own is kept only if no other reading has begun since.

        Raises
        ------
        ServiceUnavailable
            Its file is gone, or another reading has begun meanwhile.
        IntegrityError
            Its chain is broken, a champion is not that of the trail, it lacks what is signed, or
            people's keys cannot be read.
        """
        with self._lock:
            self._readings += 1
            number, kept = self._readings, self._kept
        before = len(kept.found.hashes)
        kept = replace(kept, trail=copy(kept.trail))
        if (file := file_identity(self._settings.ledger_url)) != kept.file:
            kept = replace(kept, file=file, is_replaced=True)
            # Remembered although the reading may fail, but nothing that it verifies.
            self._keep(replace(kept, trail=copy(kept.trail)), number)
            # New connections to the file that is there now; nothing is created in it. The file
            # before is held open until here, so that no other can have its identity.
            self._ledger.close()
        self._renew_people(kept.trail)
        kept, problem = self._renew_head(kept)
        found = kept.trail.read(self._ledger.engine, kept.head, whole=kept.is_replaced)
        self._keep(replace(kept, found=found, is_replaced=False), number)
        # Revocations as well as promotions; who has served nothing leaves it to others.
        if self._mirror is not None and len(found.hashes) != before:
            self._mirror.start()
        return _verified(found, problem, self._model)

    def registry(self) -> Fault | None:
        """Return what would prevent a champion from being loaded; None where nothing does."""
        return None if is_registry_reachable(self._settings.tracking_uri) else REGISTRY_AWAY

    def load(self, terms: Terms) -> ServedModel:
        """Load a version, after checking signatures, report and every byte.

        The MLflow alias is not consulted: it is a mirror that anyone with access to MLflow can
        move. Where someone has moved it, that is recorded in the ledger and corrected.

        Raises
        ------
        EvidenceMissing, IntegrityError
            The registry does not have it, or its files are not what was signed and audited.
        """
        served = _served(self._settings, self._kept.found, terms)
        if self._mirror is None:
            self._mirror = ServiceMirror(self._settings, self._ledger)
            self._mirror.start()
        return served

    def _keep(self, kept: _Kept, number: int) -> None:
        with self._lock:
            if number != self._readings:
                raise ServiceUnavailable(
                    "this reading of the ledger was given up", "the newer one counts"
                )
            self._kept = kept

    def _renew_people(self, trail: FollowedTrail) -> None:
        """Read people's keys again: one that was taken out vouches for nothing from now on."""
        try:
            people = people_of(self._settings)
        # Without the keys nobody knows who signed, although the ledger answers.
        except (RehabcastError, OSError) as error:
            log.error("the public keys of people cannot be read: %s", place_of(error))
            raise IntegrityError(
                f"the public keys of people cannot be read ({type(error).__name__})",
                "run `rehabcast people list`, and correct what it says",
            ) from None
        trail.verify_by(people)

    def _renew_head(self, kept: _Kept) -> tuple[_Kept, Fault | None]:
        """Read the signed head again; what was verified before holds until another is."""
        if self._settings.ledger_head is None:
            return kept, None
        try:
            return self._with_head(kept, self._settings.ledger_head), None
        except RehabcastError as error:
            return kept, Fault(error.reason, error.what_to_do)

    def _with_head(self, kept: _Kept, path: Path) -> _Kept:
        signature = path.with_name(path.name + SIGNATURE)
        try:
            content = path.read_bytes(), signature.read_bytes()
            if content == kept.head_bytes:
                return kept
            verify_signature(path, signature, trusted_keys(self._settings))
            if content != (path.read_bytes(), signature.read_bytes()):
                raise ValueError  # Replaced while it was verified.
            head = LedgerState(**json.loads(content[0]))
        except (OSError, ValueError, TypeError) as error:
            raise IntegrityError(
                f"the signed head of the ledger cannot be read ({type(error).__name__})", RENEW_HEAD
            ) from error
        return replace(kept, head=head, head_bytes=content)


def load_champion(model: str | None = None) -> ServedModel:
    """Load the ledger's champion as the service does, with every check.

    Parameters
    ----------
    model
        Whose champion; by default that of the setting, which must name one model or none.

    Raises
    ------
    RehabcastError
        There is no champion that may be served, or it cannot be loaded.
    """
    settings = Settings()
    if model is None and len(settings.model) > 1:
        raise ContractError(
            f"REHABCAST_MODEL names {len(settings.model)} models",
            f"name one of them: {', '.join(settings.model)}",
        )
    source = LedgerSource(settings, model or next(iter(settings.model), None))
    state = begin(source.read(), datetime.now(UTC))
    if isinstance(state, Fault):
        raise PromotionRefused(state.reason, state.what_to_do)
    return source.load(state.terms)


def _verified(found: VerifiedReading, problem: Fault | None, model: str | None) -> Verified:
    of = "" if model is None else f" of {model!r}"
    return Verified(
        hashes=found.hashes,
        latest=found.latest,
        champion=None if found.champion is None else _terms(found.champion),
        objections={
            sequence: Fault(objection.reason, objection.what_to_do)
            for sequence, objection in found.objections.items()
        },
        epochs=found.epochs,
        unserved=Fault(f"the ledger has no champion{of}", "run `rehabcast promote NAME/N`"),
        problem=problem,
    )


def _terms(champion: Champion) -> Terms:
    return Terms(
        sequence=champion.sequence,
        epoch=champion.epoch,
        model=champion.model,
        model_version=champion.model_version,
        valid_until=champion.valid_until,
    )


def _served(settings: Settings, found: VerifiedReading, terms: Terms) -> ServedModel:
    champion = found.changes[terms.sequence]
    version = find(settings.store, champion.model_version)
    report, report_digest = fetch_report(settings, version)
    last_audit = found.last_audits[champion.model_version]
    if report_digest not in {champion.report_digest, last_audit.report_digest}:
        raise IntegrityError(
            f"{champion.model_version}: the report in its run is not the one in the ledger",
            f"restore the report, or run `rehabcast audit {champion.model_version}`, have it"
            " approved and promote again",
        )
    folder = fetch_bundle(settings, version)
    return ServedModel(
        bundle=load_bundle(folder, expected_digest=champion.bundle_digest),
        card=(folder / CARD_FILE).read_text("utf-8"),
        audit_status=AuditStatus(
            model_version=champion.model_version,
            report_digest=champion.report_digest,
            outcome=champion.outcome,
            valid_until=champion.valid_until,
            approver=champion.approver,
            reason=champion.reason,
            restricted_use=champion.restricted_use,
            names_verified=settings.people is not None,
            coverage=_coverage(report),
            scope=_scope(champion, found),
            not_shown=report.verdict.held_back if champion.is_override else None,
            in_doubt=in_doubt(report.policy, report.verdict.findings),
        ),
    )


def _scope(champion: Champion, found: VerifiedReading) -> Scope | None:
    """Return whom a champion may serve: as approved, less restrictions; None for everyone."""
    audited = None if champion.is_override else found.by_report[champion.report_digest].scope
    return restricted_scope(audited, found.restricted.get(champion.sequence, ()))


def _coverage(report: Report) -> dict[tuple[str, str], Coverage]:
    return {
        (row.axis, row.group): Coverage(
            value=row.value, low=row.low, high=row.high, people=row.subjects
        )
        for row in report.performance
        if row.metric == Metric.COVERAGE and row.horizon_day is None and len(row.attributes) <= 1
    }
