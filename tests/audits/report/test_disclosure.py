from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audits.report.disclosure import MINIMUM_SHOWN, suppressed
from contracts.verdict import Finding

FindingOf = Callable[..., Finding]


def test_a_hidden_group_cannot_be_worked_out_from_one_that_is_shown(finding_of: FindingOf) -> None:
    sizes = (8, 60, 40)
    findings = [finding_of(group=str(size), subjects=size) for size in sizes]
    assert {finding.group for finding in suppressed(findings)} == {"8", "40"}
    assert suppressed(findings[1:]) == frozenset()
    two_small = [*findings, finding_of(group="9", subjects=9)]
    assert {finding.group for finding in suppressed(two_small)} == {"8", "9"}


def test_few_events_are_hidden_like_few_people(finding_of: FindingOf) -> None:
    findings = [finding_of(group="a", subjects=90, events=3), finding_of(group="b", events=50)]
    assert suppressed(findings) == frozenset(findings)


def test_a_horizon_is_hidden_on_its_own(finding_of: FindingOf) -> None:
    early = [finding_of(group=g, subjects=60, horizon_day=42) for g in "ab"]
    late = [finding_of(group=g, subjects=n, horizon_day=84) for g, n in (("a", 5), ("b", 60))]
    assert suppressed([*early, *late]) == frozenset(late)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_no_small_group_is_shown_and_none_is_alone_in_hiding(
    finding_of: FindingOf, sizes: list[int]
) -> None:
    findings = [finding_of(group=str(n), subjects=size) for n, size in enumerate(sizes)]
    hidden = suppressed(findings)
    assert all(f in hidden for f in findings if (f.subjects or 0) < MINIMUM_SHOWN)
    assert len(hidden) != 1 or len(findings) == 1
