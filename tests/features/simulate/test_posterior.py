"""The reference posterior: against a grid where one can be had, and by simulation everywhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import chisquare, norm

from contracts.sequences import SequenceBatch
from features.simulate.latent import LATENT, Groups
from features.simulate.likelihood import log_likelihood
from features.simulate.posterior import posterior
from features.simulate.record import Record
from features.simulate.recovery import arm_level
from features.simulate.scenario import Scenario
from features.simulate.subjects import draw_subjects
from features.simulate.therapy import Therapy

NO_DOSE = Scenario(therapy=Therapy(truth="none"))
POINTS = 45


def grid_mean_of_level(record: Record, day: float) -> float:
    """Integrate over the three numbers of the arm, which are all that scores hang on here."""
    groups, axis = Groups(), np.linspace(-4, 4, POINTS)
    z = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    top, bottom = 0.0, 0.0
    for mean, spread, share in zip(groups.means(), groups.spreads(), groups.share, strict=True):
        latent = np.tile(mean, (len(z), 1))
        latent[:, :3] += spread[:3] * z
        weight = share * np.exp(
            log_likelihood(latent, record, False, NO_DOSE) + norm.logpdf(z).sum(axis=1)
        )
        top += float(weight @ arm_level(latent, np.array([[day]]))[:, 0])
        bottom += float(weight.sum())
    return top / bottom


@pytest.mark.parametrize(
    "scores",
    [((3, 0.0),), ((3, 20.0), (7, 31.0)), ((4, 66.0), (8, 64.0)), ((3, 4.0), (7, 5.0), (14, 30.0))],
    ids=["floor", "recovering", "ceiling", "late riser"],
)
def test_the_posterior_agrees_with_a_grid_within_its_own_error(
    score_record: Callable[..., Record], scores: tuple[tuple[int, float], ...]
) -> None:
    record = score_record(*scores)
    found = posterior(record, NO_DOSE, np.random.default_rng(1))
    level = arm_level(found.latent, np.array([[182.0]]))[:, 0]
    mean = float(found.weight @ level)
    error = float(np.sqrt((found.weight**2) @ (level - mean) ** 2))
    assert error < 1.0
    assert mean == pytest.approx(grid_mean_of_level(record, 182.0), abs=4 * error + 0.1)


def test_nothing_known_of_walking_leaves_its_prior(score_record: Callable[..., Record]) -> None:
    """Given the group, walking is independent of the arm: its posterior is the prior's mixture."""
    found = posterior(score_record((3, 20.0)), NO_DOSE, np.random.default_rng(2))
    means = Groups().means()[:, LATENT.index("walk_start")]
    expected = float(found.weight @ means[found.group])
    walk = found.latent[:, LATENT.index("walk_start")]
    error = float(np.sqrt((found.weight**2) @ (walk - found.weight @ walk) ** 2))
    assert error < 0.2
    assert found.weight @ walk == pytest.approx(expected, abs=4 * error)


@pytest.mark.parametrize("people", [60, pytest.param(120, marks=pytest.mark.soak)])
def test_true_numbers_fall_anywhere_in_their_posteriors(
    seen: SequenceBatch, seen_records: list[Record], people: int
) -> None:
    """Simulation-based calibration (Talts 2018): ranks of the truth are uniform.

    Nine numbers are tested at once, each at a chance of false alarm of one in a thousand.
    """
    truth = draw_subjects(0, 1, Scenario()).latent
    generator = np.random.default_rng(3)
    chosen = np.flatnonzero(seen.origin_day_B == 14)[:people]
    rank = np.empty((len(chosen), len(LATENT)))
    effective = np.empty(len(chosen))
    for k, row in enumerate(chosen):
        found = posterior(seen_records[row], Scenario(), generator)
        rank[k] = found.weight @ (found.latent < truth[seen.subject_B[row] - 1])
        effective[k] = found.effective
    assert len(chosen) == people
    assert np.median(effective) > 500
    for number, name in enumerate(LATENT):
        counts = np.histogram(rank[:, number], bins=6, range=(0, 1))[0]
        assert chisquare(counts).pvalue > 1e-3, (name, counts)


def test_the_same_seed_gives_the_same_posterior(seen_records: list[Record]) -> None:
    first, again = (
        posterior(seen_records[5], Scenario(), np.random.default_rng(4)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.weight, again.weight)
    np.testing.assert_array_equal(first.latent, again.latent)
