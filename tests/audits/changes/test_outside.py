"""The plan can only refuse: whatever it does not name is outside, whatever else is true."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from audits.changes.authored import load_plan
from audits.changes.outside import NotMet, NotPlanned, NotValidated, outside_plan
from audits.changes.plan import EXAMPLE, ChangePlan, Who
from audits.changes.wording import outside_in_words
from contracts.changes.comparison import CriterionResult, PlanComparison, Shown
from contracts.changes.difference import ChangeKind, differences
from contracts.changes.facts import Aspect, VersionFacts
from contracts.scope import OutsideGroup, Scope, ScopeAttribute

BASE = load_plan(EXAMPLE)
TEXTS = st.sets(st.sampled_from(["a", "b", "c"]), max_size=2).map(lambda s: tuple(sorted(s)))
ONLY_WOMEN = Scope(
    attributes=(
        ScopeAttribute(
            attribute="sex", inside=("female",), outside=(OutsideGroup(label="male", rules=()),)
        ),
    ),
    share_inside=0.5,
)
VERSIONS = st.builds(
    lambda facts, scope: VersionFacts(facts=facts, scope=scope),
    st.fixed_dictionaries({aspect: TEXTS for aspect in Aspect}),
    st.sampled_from([None, ONLY_WOMEN]),
)


@st.composite
def plans(draw: st.DrawFn) -> ChangePlan:
    kinds = draw(st.sets(st.sampled_from(list(ChangeKind)), min_size=1))
    first = BASE.changes[0]
    changes = [
        first.model_copy(update={"kind": kind, "external_validation": draw(st.booleans())})
        for kind in sorted(kinds)
    ]
    criteria = draw(st.sampled_from([BASE.criteria[:2], BASE.criteria]))
    record = BASE.model_copy(update={"changes": tuple(changes), "criteria": criteria})
    return ChangePlan.model_validate(record.model_dump())


@st.composite
def results(draw: st.DrawFn) -> tuple[CriterionResult, ...]:
    return tuple(
        CriterionResult(
            criterion=number,
            measure="mean absolute error",
            axis="sex",
            group=group,
            result=draw(st.sampled_from(list(Shown))),
        )
        for number in range(len(BASE.criteria))
        for group in draw(st.lists(st.sampled_from(["female", "male"]), unique=True))
    )


def comparison(before: VersionFacts | None, after: VersionFacts, **fields: Any) -> PlanComparison:
    return PlanComparison(plan_digest="0" * 64, champion="arm/1", champion_bundle_digest="1" * 64,
                          before=before, after=after, **fields)  # fmt: skip


@settings(max_examples=25)
@given(plans(), VERSIONS, VERSIONS, results(), st.booleans(), st.booleans())
def test_what_a_plan_does_not_name_or_was_not_shown_is_always_outside(
    plan: ChangePlan,
    before: VersionFacts,
    after: VersionFacts,
    criteria: tuple[CriterionResult, ...],
    external: bool,
    fewer: bool,
) -> None:
    found = comparison(
        before, after, criteria=criteria, external_validation=external, fewer_people=fewer
    )
    outside = outside_plan(plan, found)
    named = {change.kind: change for change in plan.changes}
    parameters, joining = (named.get(k) for k in (ChangeKind.PARAMETERS, ChangeKind.JOINING))
    if parameters and (joining is None or not parameters.external_validation):
        named[ChangeKind.JOINING] = parameters
    changed = differences(before, after, fewer_people=fewer)
    not_planned = {each.change.kind for each in outside if isinstance(each, NotPlanned)}
    assert not_planned == {change.kind for change in changed} - named.keys()
    not_validated = {each.change.kind for each in outside if isinstance(each, NotValidated)}
    assert not_validated == {
        change.kind
        for change in changed
        if change.kind in named and named[change.kind].external_validation and not external
    }
    not_met = {each.number for each in outside if isinstance(each, NotMet)}
    for number in range(len(plan.criteria)):
        of_it = [result.result for result in criteria if result.criterion == number]
        assert (number in not_met) is (not of_it or any(r is not Shown.MET for r in of_it))
    # Each reason is a sentence of its own, with nothing left to fill in.
    assert all(outside_in_words(each) and "None" not in outside_in_words(each) for each in outside)


@settings(max_examples=25)
@given(plans(), VERSIONS, VERSIONS, results())
def test_naming_one_kind_less_or_meeting_one_criterion_less_never_lets_more_through(
    plan: ChangePlan,
    before: VersionFacts,
    after: VersionFacts,
    criteria: tuple[CriterionResult, ...],
) -> None:
    found = comparison(before, after, criteria=criteria)
    refused = len(outside_plan(plan, found))
    if len(plan.changes) > 1:
        narrower = plan.model_copy(update={"changes": plan.changes[1:]})
        assert len(outside_plan(narrower, found)) >= refused
    for place in range(len(criteria)):
        worse = list(criteria)
        worse[place] = worse[place].model_copy(update={"result": Shown.NOT_MET})
        assert len(outside_plan(plan, comparison(before, after, criteria=tuple(worse)))) >= refused


def test_naming_how_networks_are_joined_forbids_nothing_that_parameters_allowed() -> None:
    template = BASE.changes[0]
    parameters, joining = (
        template.model_copy(update={"kind": kind, "external_validation": validated})
        for kind, validated in ((ChangeKind.PARAMETERS, False), (ChangeKind.JOINING, True))
    )
    before, after = (VersionFacts(facts={Aspect.JOINING: joined}) for joined in ((), ("a",)))
    for changes in ((parameters,), (joining, parameters), (parameters, joining)):
        plan = BASE.model_copy(update={"changes": changes, "criteria": ()})
        assert outside_plan(plan, comparison(before, after)) == ()
    alone = BASE.model_copy(update={"changes": (joining,), "criteria": ()})
    (refused,) = outside_plan(alone, comparison(before, after))
    assert isinstance(refused, NotValidated)


def test_the_first_version_is_free() -> None:
    assert outside_plan(BASE, comparison(None, VersionFacts(facts={}))) == ()


def test_a_bundle_that_returns_may_be_served_to_no_more_people_than_before() -> None:
    before = VersionFacts(facts={}, scope=ONLY_WOMEN)
    wider = before.model_copy(update={"scope": None})
    unplanned = BASE.model_copy(update={"changes": BASE.changes[:1]})
    (change,) = outside_plan(unplanned, comparison(before, wider, returns=True))
    assert isinstance(change, NotPlanned)
    assert change.change.kind is ChangeKind.WIDER_SCOPE
    # The example asks for an external validation of a wider scope.
    (change,) = outside_plan(BASE, comparison(before, wider, returns=True))
    assert isinstance(change, NotValidated)
    shown = comparison(before, wider, returns=True, external_validation=True)
    assert outside_plan(BASE, shown) == ()
    assert outside_plan(unplanned, comparison(wider, before, returns=True)) == ()


def test_a_criterion_by_group_is_in_every_plan() -> None:
    assert {criterion.who for criterion in BASE.criteria} == set(Who)
