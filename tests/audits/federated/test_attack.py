"""Nobody with all files, other rounds or one site's own data learns a number about few people."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.federated.agreement import is_safe
from audits.federated.masks import masked, new_key, public_of, unmasked
from audits.federated.people import SitePeople
from audits.federated.sums import read_sums, sums_of
from contracts.errors import ContractError
from contracts.groups import is_few
from tests.audits.federated.conftest import Tables, joint_of

ROUND = "0f" * 32


def shown(sites: list[SitePeople]) -> list[tuple[tuple[str, ...], str, str, np.ndarray]]:
    """Return who is in each shown cell, over the people of all sites: axis, group, set, members."""
    joint = joint_of(sites)
    cells = []
    for axis in joint.layout.axes:
        for key in axis.keys:
            for name in joint.summed[key].sets:
                member_GS = [[] for _ in axis.labels_G]
                for site in sites:
                    of_set = next(c.sets[name] for c in site.counted if name in c.sets)
                    labels = [site.labels[n].tolist() for n in axis.attributes]
                    group_S = (
                        [axis.group_of[each] for each in zip(*labels, strict=True)]
                        if labels else [0] * len(of_set)
                    )  # fmt: skip
                    for group, members in enumerate(member_GS):
                        members.append(of_set & (np.array(group_S) == group))
                cells += [
                    (axis.attributes, axis.labels_G[g], name, np.concatenate(members))
                    for g, members in enumerate(member_GS)
                ]
    return cells


@pytest.fixture(scope="module")
def hospitals(tables_of: Callable[..., Tables]) -> list[SitePeople]:
    # 240, 180 and 8 people; 20 of them lost every outcome.
    return tables_of(428, lost=20).sites(np.repeat([0, 1, 2], [240, 180, 8]))


def test_no_cell_and_no_difference_of_two_is_of_few_even_to_one_of_the_sites(
    hospitals: list[SitePeople],
) -> None:
    sizes = [len(site.forecast_S) for site in hospitals]
    site_S = np.repeat(np.arange(3), sizes)
    cells = shown(hospitals)
    assert len(cells) > 20
    for outsider in (None, 0, 1, 2):
        others_S = np.ones(len(site_S), bool) if outsider is None else site_S != outsider
        for axis, label, name, member_S in cells:
            assert not is_few(int((member_S & others_S).sum())), (axis, label, name, outsider)
        for one, other in itertools.permutations(cells, 2):
            inner_S, outer_S = one[3] & others_S, other[3] & others_S
            if not (inner_S & ~outer_S).any():
                assert not is_few(int((outer_S & ~inner_S).sum())), (one[:3], other[:3], outsider)


def test_an_insider_who_knows_everybodys_groups_recovers_no_value(
    hospitals: list[SitePeople],
) -> None:
    # What can be worked out of anybody's value lies in the span of the cells' indicators.
    site_S = np.repeat(np.arange(3), [len(site.forecast_S) for site in hospitals])
    for own in range(3):
        cells_CS = np.array([c[3][site_S != own] for c in shown(hospitals)], dtype=np.float64)
        _, singular, right = np.linalg.svd(cells_CS, full_matrices=False)
        leverage_S = (right[singular > 1e-9] ** 2).sum(axis=0)
        assert leverage_S.max() < 1 - 1e-9


def test_a_site_alone_or_any_part_of_the_sites_is_noise(hospitals: list[SitePeople]) -> None:
    layout = joint_of(hospitals).layout
    private = {name: new_key() for name in "abc"}
    public = {name: public_of(key) for name, key in private.items()}
    plain = {name: sums_of(site, layout) for name, site in zip("abc", hospitals, strict=True)}
    files = {n: masked(plain[n], n, private[n], public, ROUND) for n in "abc"}
    assert (unmasked(files) == sum(plain.values())).all()
    for part in (*itertools.combinations("abc", 1), *itertools.combinations("abc", 2)):
        seen_K = unmasked({name: files[name] for name in part})
        # Sums of people are far below 2^50; a uniform number is so once in 8,000.
        assert (np.abs(seen_K) > 2.0**50).mean() > 0.9
        assert (seen_K != sum(plain[name] for name in part)).all()
    # A colluding site knows its own masks only: the mask between the two others hides them.
    again = masked(plain["a"], "a", private["a"], public, "1e" * 32)
    assert (again != files["a"]).all()


def test_a_thousand_replicate_sums_would_give_back_every_value() -> None:
    # Why none are sent: with known counts they are equations, more of them than people, even if
    # only the total over all sites is known. (Counts follow from a key that every site has.)
    rng = np.random.default_rng(4)
    value_S, counts_RS = rng.normal(5, 3, 300), rng.poisson(1.0, (1000, 300))
    solved_S, *_ = np.linalg.lstsq(counts_RS, np.rint(counts_RS @ value_S * 2**24) / 2**24)
    assert np.abs(solved_S - value_S).max() < 1e-6


def test_a_tiny_hospital_and_one_other_cannot_hold_a_round(
    tables_of: Callable[..., Tables],
) -> None:
    with pytest.raises(ContractError, match="fewer than two of the sites have 11 people"):
        joint_of(tables_of(128).sites(np.repeat([0, 1], [120, 8])))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=6))
def test_a_safe_sum_is_of_enough_people_or_nobody_to_everyone_and_to_each_site(
    people: list[int],
) -> None:
    codes = ["n" if n == 0 else "e" if n >= 11 else "f" for n in people]
    if is_safe(codes):
        assert not is_few(sum(people))
        assert not any(is_few(sum(people) - own) for own in people)


def test_sums_are_read_as_they_were_written(hospitals: list[SitePeople]) -> None:
    joint = joint_of(hospitals)
    total_K = sum(sums_of(site, joint.layout) for site in hospitals)
    for axis, key, sums in read_sums(np.asarray(total_K), joint.layout, joint.sides):
        counted = [next(c for c in site.counted if c.summed.key == key) for site in hospitals]
        people = sum(int(next(iter(c.sets.values())).sum()) for c in counted)
        assert sums.people_G.sum() == people, (axis.name, key)
