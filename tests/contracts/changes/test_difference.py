"""Whatever changes in a manifest or a task is a change of some kind, or is said to be none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from contracts.bundle import Judging, Manifest
from contracts.changes.difference import ChangeKind, differences
from contracts.changes.facts import NO_CHANGE, Aspect, VersionFacts, facts_of
from contracts.groups import GroupName
from contracts.scope import OutsideGroup, Scope, ScopeAttribute
from contracts.sequences import PersonCovariate
from contracts.task import Cluster, Horizon, Inputs, Milestone, Sensitive, Target, Task

MANIFEST = Manifest(
    files={}, family="hybrid", modalities=("gait", "person"), channels=("LOINC//41950-7",),
    channel_modalities=("gait",), person=(PersonCovariate(code="REHABCAST//AGE"),),
    horizon_days=(42, 84), calibration_groups=(GroupName(attribute="sex", label="female"),),
    judging=Judging(folds=5, members=10, members_unseen=4), cohort_name="made up",
    simulated=True, data_digest="d", task_digest="t", config_digest="c", code_digest="s",
    predictions_digest="p", seed=0, subjects=60, created="2026-11-24T09:00:00+00:00",
)  # fmt: skip

OTHER: dict[str, Any] = {
    "family": "gru", "modalities": ("sleep",), "channels": ("X//1",),
    "channel_modalities": ("sleep",), "person": (PersonCovariate(code="X//2"),),
    "horizon_days": (7,), "calibration_groups": (GroupName(attribute="sex", label="x"),),
    "judging": Judging(folds=9, members=36, members_unseen=8), "pretrained_on": "another",
    "cohort_name": "another", "simulated": False, "data_digest": "9", "config_digest": "9",
    "code_digest": "9", "seed": 9,
}  # fmt: skip
"""Another value of each field of a manifest that says what a version is."""


def changed(manifest: Manifest, **fields: Any) -> Manifest:
    """Channels and their modalities go together."""
    if "channel_modalities" in fields:
        count = len(manifest.channels)
        fields["channel_modalities"] = tuple("another" for _ in range(count))
    if "channels" in fields:
        fields["channel_modalities"] = ("sleep",)
    return manifest.model_copy(update=fields)


def test_every_field_of_a_manifest_is_compared_or_said_to_be_no_change(task: Task) -> None:
    assert set(Manifest.model_fields) == set(OTHER) | set(NO_CHANGE)
    manifest = MANIFEST
    before = facts_of(manifest, task, None)
    assert differences(before, before, fewer_people=False) == ()
    for name, value in OTHER.items():
        after = facts_of(changed(manifest, **{name: value}), task, None)
        assert differences(before, after, fewer_people=False), name
    for name in NO_CHANGE:
        other = {"task.json": "another"} if name == "files" else "another"
        after = facts_of(manifest.model_copy(update={name: other}), task, None)
        assert differences(before, after, fewer_people=False) == (), name


def test_another_meaning_of_a_code_of_its_own_is_a_change_of_the_inputs(task: Task) -> None:
    before, after, alike = (
        facts_of(changed(MANIFEST, files={"vocabulary.toml": digest, "task.json": "1"}), task, None)
        for digest in ("1", "2", "1")
    )
    assert differences(before, alike, fewer_people=False) == ()
    # The old meaning goes, and a new one comes.
    found = {each.kind: each for each in differences(before, after, fewer_people=False)}
    assert set(found) == {ChangeKind.MORE_INPUTS, ChangeKind.FEWER_INPUTS}
    assert found[ChangeKind.MORE_INPUTS].new == ("codes of its own 2",)
    assert found[ChangeKind.FEWER_INPUTS].gone == ("codes of its own 1",)


NOT_OF_THE_MODEL = {
    (Target, "source"),
    (Milestone, "source"),
    (Sensitive, "reason"),
    (Cluster, "reason"),
}
"""What is only said about a part of a task."""


SAID_OF_A_TASK = {"horizons_source", "confirm"}
"""What is only said about a task."""

HOSPITAL = Cluster(name="hospital", code="REHABCAST//SITE", reason="Assessors of one differ alike.")


def parts_of(task: Task) -> list[tuple[str, BaseModel]]:
    return [
        ("target", task.target), ("inputs", task.inputs), ("horizons", task.horizons[0]),
        ("milestones", task.milestones[0]), ("sensitive", task.sensitive[0]),
        ("clusters", task.clusters[0]),
    ]  # fmt: skip


def other_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return (*value[:-1], "another") if value and isinstance(value[-1], str) else (97, 98)
    if isinstance(value, str):
        return f"{value} x"
    return 97 if value is None else value + 1


def test_every_field_of_a_task_is_compared(task: Task) -> None:
    assert task.prior is not None
    manifest = MANIFEST.model_copy(update={"prior": task.prior.name})
    task = task.model_copy(update={"clusters": (HOSPITAL,)})
    before = facts_of(manifest, task, None)
    for name in Task.model_fields:
        value = getattr(task, name)
        if name in SAID_OF_A_TASK:
            continue
        if name == "onset":
            other: Any = None if value is not None else value
        elif name == "prior":
            other = None
        elif name in {"target", "inputs", "horizons", "milestones", "sensitive", "clusters"}:
            continue
        elif name == "forecasts_until_day":
            other = task.last_origin_day + 1
        else:
            other = (*value, 97) if isinstance(value, tuple) else other_value(value)
        after = facts_of(manifest, task.model_copy(update={name: other}), None)
        assert differences(before, after, fewer_people=False) or other == value, name
    for name, part in parts_of(task):
        for field in type(part).model_fields:
            if (type(part), field) in NOT_OF_THE_MODEL:
                continue
            other = part.model_copy(update={field: other_value(getattr(part, field))})
            whole = getattr(task, name)
            new = (other, *whole[1:]) if isinstance(whole, tuple) else other
            after = facts_of(manifest, task.model_copy(update={name: new}), None)
            assert differences(before, after, fewer_people=False), (name, field)
    assert {type(part) for _, part in parts_of(task)} == {
        Target, Inputs, Horizon, Milestone, Sensitive, Cluster,
    }  # fmt: skip


TEXTS = st.lists(st.text("abc", min_size=1, max_size=2), max_size=3).map(
    lambda found: tuple(sorted(set(found)))
)
SCOPES = st.none() | st.builds(
    lambda inside, outside: Scope(
        attributes=(
            ScopeAttribute(
                attribute="sex", inside=tuple(inside),
                outside=tuple(OutsideGroup(label=g, rules=()) for g in outside),
            ),
        ),
        share_inside=0.9,
    ),
    st.sets(st.sampled_from("ab"), min_size=1), st.sets(st.sampled_from("cd")),
)  # fmt: skip


@st.composite
def versions(draw: st.DrawFn) -> VersionFacts:
    facts = {aspect: draw(TEXTS) for aspect in Aspect if draw(st.booleans())}
    return VersionFacts(facts=facts, scope=draw(SCOPES))


def same(one: VersionFacts, other: VersionFacts) -> bool:
    return all(one.of(aspect) == other.of(aspect) for aspect in Aspect) and covers_alike(
        one.scope, other.scope
    )


def covers_alike(one: Scope | None, other: Scope | None) -> bool:
    if one is None or other is None:
        return all(scope is None or scope.is_everyone for scope in (one, other))
    return one.covers(other) and other.covers(one)


@settings(max_examples=40)
@given(versions(), versions(), st.booleans())
def test_two_versions_differ_in_no_kind_only_if_all_their_facts_are_the_same(
    before: VersionFacts, after: VersionFacts, fewer: bool
) -> None:
    found = differences(before, after, fewer_people=fewer)
    assert (found == ()) is (same(before, after) and not fewer)
    kinds = [change.kind for change in found]
    assert (ChangeKind.LESS_DATA in kinds) is fewer
    assert len(kinds) == len(set(kinds))


def test_fewer_people_and_scopes_are_told_from_more() -> None:
    def version(people: int, scope: Scope | None = None) -> tuple[int, VersionFacts]:
        return people, VersionFacts(facts={Aspect.DATA: (f"{people}",)}, scope=scope)

    def kinds(one: tuple[int, VersionFacts], other: tuple[int, VersionFacts]) -> list[ChangeKind]:
        (was, before), (now, after) = one, other
        return [change.kind for change in differences(before, after, fewer_people=now < was)]

    outside = (OutsideGroup(label="m", rules=()),)
    few = Scope(
        attributes=(ScopeAttribute(attribute="sex", inside=("f",), outside=outside),),
        share_inside=0.5,
    )
    both = Scope(attributes=(ScopeAttribute(attribute="sex", inside=("f", "m")),), share_inside=1.0)
    assert kinds(version(90), version(120)) == [ChangeKind.MORE_DATA]
    assert kinds(version(90), version(60)) == [ChangeKind.LESS_DATA]
    assert kinds(version(90, few), version(90, both)) == [ChangeKind.WIDER_SCOPE]
    assert kinds(version(90, both), version(90, few)) == [ChangeKind.NARROWER_SCOPE]
    assert kinds(version(90, few), version(90)) == [ChangeKind.WIDER_SCOPE]
    assert kinds(version(90), version(90, few)) == [ChangeKind.NARROWER_SCOPE]
    # From an override, which serves everyone, to a pass for everyone, and back.
    assert kinds(version(90, both), version(90)) == kinds(version(90), version(90, both)) == []


@pytest.mark.parametrize("kind", ChangeKind)
def test_every_kind_can_be_named_in_a_plan(kind: ChangeKind) -> None:
    assert str(kind).islower()
