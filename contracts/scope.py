"""For whom a verdict lets a model be served: groups, and pairs of groups, inside and outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OutsideGroup(_Strict):
    """A group that gets no forecast, and the rules that were not shown to hold for it."""

    label: str
    rules: tuple[str, ...]


class ScopeAttribute(_Strict):
    """The groups of a sensitive attribute; a label that is in neither list is outside too.

    Parameters
    ----------
    attribute
        Its name.
    inside
        Labels for which every binding rule was shown to hold.
    outside
        The other labels of the audit.
    """

    attribute: str
    inside: tuple[str, ...]
    outside: tuple[OutsideGroup, ...] = ()


class OutsidePair(_Strict):
    """People of two groups at once who get no forecast, although each group alone is inside."""

    attributes: tuple[str, str]
    labels: tuple[str, str]
    rules: tuple[str, ...]


class Outside(_Strict):
    """Why somebody is outside of a scope.

    Parameters
    ----------
    attributes, labels
        Of the group, or of the pair of groups.
    rules
        The rules not shown to hold; empty where nobody in the audit was in the group.
    """

    attributes: tuple[str, ...]
    labels: tuple[str, ...]
    rules: tuple[str, ...]


class Scope(_Strict):
    """For whom a model may be served.

    Parameters
    ----------
    attributes
        Every attribute that the audit compared people by, or whose one group was all that it saw.
    pairs
        Pairs of groups outside.
    share_inside
        Share of the audited people inside, to the tenth below: a finer number would let the people
        outside be counted.
    """

    attributes: tuple[ScopeAttribute, ...]
    pairs: tuple[OutsidePair, ...] = ()
    share_inside: float

    @property
    def is_everyone(self) -> bool:
        """True where nobody of the audit is outside."""
        return not self.pairs and not any(a.outside for a in self.attributes)

    def outside(self, groups: Mapping[str, str]) -> tuple[Outside, ...]:
        """Return why a person is outside; nothing where the person is inside.

        Parameters
        ----------
        groups
            The person's label by attribute. An attribute without one is outside: nothing is
            assumed of anybody.
        """
        return (*self._groups_outside(groups), *self._pairs_outside(groups))

    def covers(self, other: Scope) -> bool:
        """Return whether everyone inside another scope is inside this one too."""
        inside = {a.attribute: set(a.inside) for a in self.attributes}
        of_other = {a.attribute: set(a.inside) for a in other.attributes}
        if not inside.keys() <= of_other.keys():
            return False
        if any(not of_other[attribute] <= labels for attribute, labels in inside.items()):
            return False
        excluded = {(pair.attributes, pair.labels) for pair in other.pairs}
        return all((pair.attributes, pair.labels) in excluded for pair in self.pairs)

    def _groups_outside(self, groups: Mapping[str, str]) -> Iterator[Outside]:
        for attribute in self.attributes:
            label = groups.get(attribute.attribute, "")
            if label not in attribute.inside:
                rules = {group.label: group.rules for group in attribute.outside}
                yield Outside(
                    attributes=(attribute.attribute,), labels=(label,), rules=rules.get(label, ())
                )

    def _pairs_outside(self, groups: Mapping[str, str]) -> Iterator[Outside]:
        for pair in self.pairs:
            if tuple(groups.get(attribute) for attribute in pair.attributes) == pair.labels:
                yield Outside(attributes=pair.attributes, labels=pair.labels, rules=pair.rules)


class HeldBack(_Strict):
    """Whom an audit has not shown that a model serves well: who is told so under an override.

    Parameters
    ----------
    everyone
        The rules not shown to hold for people in general.
    groups
        For whom every other rule was shown to hold. The patterns of a course are among its
        attributes, under `contracts.predictions.PATTERN` and their name.
    """

    everyone: tuple[str, ...] = ()
    groups: Scope
