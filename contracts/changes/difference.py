"""How two versions of a model differ: each difference is of one kind that a plan can name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from contracts.changes.facts import Aspect, VersionFacts
from contracts.scope import Scope


class ChangeKind(StrEnum):
    """Kinds of change of a model."""

    MORE_DATA = "more people"
    """Another data set of the same cohort, with at least as many people."""
    LESS_DATA = "fewer people"
    ANOTHER_COHORT = "another cohort"
    """Of another name, simulated instead of real, or another one to learn from before."""
    ARCHITECTURE = "another architecture"
    PARAMETERS = "other training parameters"
    """Configuration (also of another architecture), seed, folds, number of networks."""
    SOFTWARE = "other software"
    """Another release of rehabcast."""
    MORE_INPUTS = "more inputs"
    FEWER_INPUTS = "fewer inputs"
    MORE_HORIZONS = "more horizons"
    FEWER_HORIZONS = "fewer horizons"
    """Also other windows: the old one goes, a new one comes."""
    FORECAST_DAYS = "other days of forecasts"
    TARGET = "another target"
    MILESTONES = "other milestones"
    POPULATION = "another population"
    """Name of the task, condition, or the diagnoses whose onset counts."""
    AUDITED = "other audited attributes"
    CLUSTERS = "other clusters of people"
    """What people share beyond their groups, such as a hospital: bounds are narrower without."""
    CALIBRATED = "other calibrated groups"
    JOINING = "other joining of networks"
    """One network of mean weights or the mean of forecasts, whichever training found as good."""
    WIDER_SCOPE = "wider scope"
    NARROWER_SCOPE = "narrower scope"


SHOWN_BY_TRAINING = (ChangeKind.CALIBRATED, ChangeKind.JOINING)
"""Kinds that nobody chooses: how a version comes out in them, its training alone shows."""

SHOWN_BY_AUDIT = (ChangeKind.WIDER_SCOPE, ChangeKind.NARROWER_SCOPE)
"""Kinds that the audit of a trained version shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference.

    Parameters
    ----------
    kind
        Which.
    gone, new
        Facts that hold no longer, and facts that hold now; none for a scope.
    """

    kind: ChangeKind
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()


_ONE_KIND: Mapping[Aspect, ChangeKind] = {
    Aspect.COHORT: ChangeKind.ANOTHER_COHORT,
    Aspect.ARCHITECTURE: ChangeKind.ARCHITECTURE,
    Aspect.PARAMETERS: ChangeKind.PARAMETERS,
    Aspect.SOFTWARE: ChangeKind.SOFTWARE,
    Aspect.FORECAST_DAYS: ChangeKind.FORECAST_DAYS,
    Aspect.TARGET: ChangeKind.TARGET,
    Aspect.MILESTONES: ChangeKind.MILESTONES,
    Aspect.POPULATION: ChangeKind.POPULATION,
    Aspect.AUDITED: ChangeKind.AUDITED,
    Aspect.CLUSTERS: ChangeKind.CLUSTERS,
    Aspect.CALIBRATED: ChangeKind.CALIBRATED,
    Aspect.JOINING: ChangeKind.JOINING,
}
_MORE_OR_FEWER: Mapping[Aspect, tuple[ChangeKind, ChangeKind]] = {
    Aspect.INPUTS: (ChangeKind.MORE_INPUTS, ChangeKind.FEWER_INPUTS),
    Aspect.HORIZONS: (ChangeKind.MORE_HORIZONS, ChangeKind.FEWER_HORIZONS),
}


def differences(
    before: VersionFacts, after: VersionFacts, *, fewer_people: bool
) -> tuple[Change, ...]:
    """Return every difference between two versions.

    Parameters
    ----------
    fewer_people
        Whether the later one was trained on fewer people.
    """
    return tuple(_differences(before, after, fewer_people))


def _differences(before: VersionFacts, after: VersionFacts, fewer_people: bool) -> Iterator[Change]:
    for aspect in Aspect:
        gone = tuple(sorted(before.of(aspect) - after.of(aspect)))
        new = tuple(sorted(after.of(aspect) - before.of(aspect)))
        if not gone and not new and not (aspect is Aspect.DATA and fewer_people):
            continue
        if aspect in _MORE_OR_FEWER:
            more, fewer = _MORE_OR_FEWER[aspect]
            if new:
                yield Change(kind=more, new=new)
            if gone:
                yield Change(kind=fewer, gone=gone)
        elif aspect is Aspect.DATA:
            kind = ChangeKind.LESS_DATA if fewer_people else ChangeKind.MORE_DATA
            yield Change(kind=kind, gone=gone, new=new)
        else:
            yield Change(kind=_ONE_KIND[aspect], gone=gone, new=new)
    if not _covers(before.scope, after.scope):
        yield Change(kind=ChangeKind.WIDER_SCOPE)
    if not _covers(after.scope, before.scope):
        yield Change(kind=ChangeKind.NARROWER_SCOPE)


def _covers(scope: Scope | None, other: Scope | None) -> bool:
    """Return whether everyone inside the other scope is inside this one; None is everyone.

    A pass for everyone of its audit counts as everyone too, as where a champion is followed.
    """
    if scope is None or other is None:
        return scope is None or scope.is_everyone
    return scope.covers(other)
