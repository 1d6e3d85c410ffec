"""What a joint audit may add up, so that nobody is told a number about few people.

Before a round each site says of each group only whether it has enough people (11 or more), few, or
none, in each set that sums would be over and in the difference of every two of them. A sum is made
only where it is of enough people, and so is what is left when any one site takes its own part away:

    two sites have enough, or one has enough and all others have nobody, or nobody has any.

Groups of an attribute that are not so are put together as one; if that is not enough either, with
the next group that fewest sites have enough of.

Letters: G groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from audits.federated.people import FORECAST, Bools, SitePeople, Summed, axes_of
from audits.measure.disparity import Scope
from contracts.errors import ContractError
from contracts.groups import MINIMUM_SHOWN

ENOUGH, FEW, NONE = "e", "f", "n"
OTHERS = "all other groups together"
BETWEEN = " & "

Codes = Mapping[str, Mapping[str, str]]
"""By axis and label: one letter for each class of people (`classes`), in their order."""


def classes(sets: Sequence[str]) -> list[tuple[str, str | None]]:
    """Return the classes of people: every set, and every set without another."""
    return [(a, None) for a in sets] + [(a, b) for a in sets for b in sets if a != b]


def sets_of(site: SitePeople) -> dict[str, Bools]:
    """Return the sets of people that sums are over, those with a forecast first."""
    sets = {FORECAST: site.forecast_S}
    for each in site.counted:
        sets |= each.sets
    return sets


def codes_of(site: SitePeople) -> dict[str, dict[str, str]]:
    """Say of each group of a site whether each class of people is enough, few or nobody."""
    sets = sets_of(site)
    members = [sets[a] if b is None else sets[a] & ~sets[b] for a, b in classes(list(sets))]
    found = {}
    for axis in axes_of(site.labels):
        label_S = np.full(len(site.forecast_S), "", dtype=object)
        for n, name in enumerate(axis):
            label_S = label_S + (BETWEEN if n else "") + site.labels[name].astype(object)
        labels_G, group_S = np.unique(label_S.astype(str), return_inverse=True)
        counts = [np.bincount(group_S[m], minlength=len(labels_G)) for m in members]
        found[BETWEEN.join(axis)] = {
            label: "".join(_code(int(count_G[group])) for count_G in counts)
            for group, label in enumerate(labels_G.tolist())
        }
    return found


def _code(people: int) -> str:
    return NONE if people == 0 else ENOUGH if people >= MINIMUM_SHOWN else FEW


def is_safe(codes: Sequence[str]) -> bool:
    """Return whether a sum over sites is of enough people, also to any one of the sites."""
    enough = codes.count(ENOUGH)
    return enough >= 2 or (enough == 1 and FEW not in codes) or set(codes) <= {NONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """How people are divided: into which groups, and which sums are made of each.

    Parameters
    ----------
    attributes, labels_G
        None, one or two attributes; and the groups.
    group_of
        Group of every label that a site has; of a pair, of both labels.
    keys
        What is summed (`Summed.key`).
    """

    attributes: tuple[str, ...]
    labels_G: tuple[str, ...]
    group_of: Mapping[tuple[str, ...], int]
    keys: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name as in findings: `a & b` for a pair, nothing for everyone."""
        return BETWEEN.join(self.attributes)

    def put_together(self) -> tuple[str, ...]:
        """Return the labels that have no group of their own."""
        if len(self.attributes) != 1:
            return ()
        return tuple(label for (label,), g in self.group_of.items() if self.labels_G[g] == OTHERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All sums of a round, in the order in which they are written."""

    axes: tuple[Axis, ...]

    def axis(self, attributes: tuple[str, ...]) -> Axis | None:
        """Return an axis; None where nothing of it is summed."""
        return next((axis for axis in self.axes if axis.attributes == attributes), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSets:
    """What a site says of its people before a round.

    Parameters
    ----------
    attributes
        Their names.
    sets
        Names of the sets of people, those with a forecast first.
    summed
        What it can sum, most important first.
    codes
        By axis and label.
    """

    attributes: tuple[str, ...]
    sets: tuple[str, ...]
    summed: tuple[Summed, ...]
    codes: Codes

    def only(self, attributes: Sequence[str], sets: Sequence[str]) -> SiteSets:
        """Return what it says of some attributes and sets."""
        where = {c: n for n, c in enumerate(classes(self.sets))}
        kept = [where[c] for c in classes(sets)]
        return SiteSets(
            attributes=tuple(attributes), sets=tuple(sets),
            summed=tuple(each for each in self.summed if set(each.sets) <= set(sets)),
            codes={axis: {label: "".join(code[n] for n in kept) for label, code in of.items()}
                   for axis, of in self.codes.items()},
        )  # fmt: skip


def said_by(site: SitePeople) -> SiteSets:
    """Return what a site says of its people."""
    return SiteSets(
        attributes=tuple(site.labels),
        sets=tuple(sets_of(site)),
        summed=tuple(counted.summed for counted in site.counted),
        codes=codes_of(site),
    )


def agree(said: Sequence[SiteSets]) -> Layout:
    """Return the sums that may be made over some sites; the same from the same sites in any order.

    What a site has no column for is not summed at all.

    Raises
    ------
    ContractError
        No sum over them may be made.
    """
    # Every site's order is that of the policy, so what they have in common is in the same order.
    attributes = sorted(set.intersection(*(set(site.attributes) for site in said)))
    sets = [n for n in said[0].sets if all(n in site.sets for site in said)]
    sites = [site.only(attributes, sets) for site in said]
    first = sites[0]
    where = {c: n for n, c in enumerate(classes(sets))}
    common = [s.key for s in first.summed if all(s in site.summed for site in sites)]
    codes_of_everyone = [[site.codes[""][""]] for site in sites]
    if not _safe(codes_of_everyone, where[FORECAST, None]):
        raise ContractError(
            f"fewer than two of the sites have {MINIMUM_SHOWN} people with a forecast, so a site"
            " could work out a number about few people of another",
            "wait until two sites have enough, or invite another",
        )
    whole = _keys(first, [codes_of_everyone], where, tuple(Scope), common)
    axes = [Axis(attributes=(), labels_G=("",), group_of={(): 0}, keys=whole)]
    of_attribute = {}
    for name in first.attributes:
        if (found := _attribute(name, sites, where, whole)) is not None:
            of_attribute[name] = found
            axes.append(found)
    for names in itertools.combinations(of_attribute, 2):
        pair = _pair(names, of_attribute, sites, where)
        axes += [] if pair is None else [pair]
    return Layout(axes=tuple(axes))


def _safe(codes: Sequence[Sequence[str]], n: int) -> bool:
    """Return whether a class is safe in a group, from each site's codes of the labels in it."""
    return is_safe([_together([code[n] for code in of_site]) for of_site in codes])


def _together(codes: Sequence[str]) -> str:
    if ENOUGH in codes:
        return ENOUGH
    return NONE if set(codes) <= {NONE} else FEW


def _keys(
    first: SiteSets, groups: Sequence[Sequence[Sequence[str]]],
    where: Mapping[tuple[str, str | None], int], scopes: Collection[Scope], among: Collection[str],
) -> tuple[str, ...]:  # fmt: skip
    """Return what may be summed in all groups: none tells of few people, alone or beside another.

    Parameters
    ----------
    scopes, among
        Of the rules that ask for it; and what may be summed of the groups that these are parts of.
    """
    kept, keys = [FORECAST], []
    for summed in first.summed:
        if summed.key not in among or not set(scopes) & set(summed.scopes):
            continue
        new = [name for name in summed.sets if name not in kept]
        asked: list[tuple[str, str | None]] = [(name, None) for name in new]
        for n, name in enumerate(new):
            asked += [(a, b) for other in (*kept, *new[:n]) for a, b in
                      ((name, other), (other, name))]  # fmt: skip
        if all(_safe(codes, where[c]) for c in asked for codes in groups):
            kept += new
            keys.append(summed.key)
    return tuple(keys)


def _attribute(
    name: str,
    sites: Sequence[SiteSets],
    where: Mapping[tuple[str, str | None], int],
    whole: Collection[str],
) -> Axis | None:
    labels = sorted({label for site in sites for label in site.codes[name]})
    nobody = NONE * len(where)
    codes = {label: [site.codes[name].get(label, nobody) for site in sites] for label in labels}
    base = where[FORECAST, None]

    def group(members: Sequence[str]) -> list[list[str]]:
        return [[codes[label][n] for label in members] for n in range(len(sites))]

    own = [label for label in labels if _safe(group([label]), base)]
    together = [label for label in labels if label not in own]
    while together and own and not _safe(group(together), base):
        fewest = min(own, key=lambda label: ([c[base] for c in codes[label]].count(ENOUGH), label))
        own.remove(fewest)
        together = [*together, fewest]
    if together and not _safe(group(together), base):
        return None
    members = [[label] for label in own] + ([together] if together else [])
    if len(members) < 2:
        return None
    of_groups = {Scope.AXES, Scope.PAIRS}
    return Axis(
        attributes=(name,),
        labels_G=tuple([*own, OTHERS] if together else own),
        group_of={(label,): n for n, each in enumerate(members) for label in each},
        keys=_keys(sites[0], [group(m) for m in members], where, of_groups, whole),
    )


def _pair(
    names: tuple[str, str], of_attribute: Mapping[str, Axis], sites: Sequence[SiteSets],
    where: Mapping[tuple[str, str | None], int],
) -> Axis | None:  # fmt: skip
    """Return an axis of two attributes if every combination is enough: else lines would tell."""
    first, second = (of_attribute[name] for name in names)
    nobody = NONE * len(where)
    members: list[list[str]] = [[] for _ in range(len(first.labels_G) * len(second.labels_G))]
    group_of: dict[tuple[str, ...], int] = {}
    for (a,), g in first.group_of.items():
        for (b,), h in second.group_of.items():
            group_of[a, b] = g * len(second.labels_G) + h
            members[group_of[a, b]].append(BETWEEN.join((a, b)))
    said = [site.codes[BETWEEN.join(names)] for site in sites]
    groups = [[[codes.get(label, nobody) for label in labels] for codes in said]
              for labels in members]  # fmt: skip
    if not all(_safe(codes, where[FORECAST, None]) for codes in groups):
        return None
    kept = _keys(
        sites[0], groups, where, {Scope.PAIRS}, [k for k in first.keys if k in second.keys]
    )
    return Axis(
        attributes=names,
        labels_G=tuple(BETWEEN.join((a, b)) for a in first.labels_G for b in second.labels_G),
        group_of=group_of, keys=kept,
    )  # fmt: skip
