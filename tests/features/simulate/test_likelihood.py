from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import multivariate_normal

from features.simulate.channels import CHANNELS, STEPS, carried_noise
from features.simulate.likelihood import course, log_likelihood
from features.simulate.posterior import posterior
from features.simulate.record import Record
from features.simulate.scenario import Scenario
from features.simulate.subjects import draw_subjects


def test_noise_that_carries_over_has_the_covariance_that_the_likelihood_uses() -> None:
    series = carried_noise(np.random.default_rng(0).normal(size=(40_000, 6)), 0.5)
    day = np.arange(6)
    expected = 0.5 ** np.abs(np.subtract.outer(day, day))
    np.testing.assert_allclose(np.cov(series.T), expected, atol=0.03)


def test_a_reading_is_as_likely_as_scipy_says_whatever_days_are_missing(
    seen_records: list[Record],
) -> None:
    """Leaving one null-free channel out of a record takes exactly its normal density away."""
    channel = next(c for c in CHANNELS if c.code == "REHABCAST//SHOULDER_ELEVATION")
    drawn = draw_subjects(0, 1, Scenario())
    compared = 0
    for record in seen_records[:120]:
        reading = next((r for r in record.readings if r.channel is channel), None)
        if reading is None or len(reading.day) < 5:
            continue
        latent = drawn.latent[:3]
        without = replace(
            record, readings=tuple(r for r in record.readings if r.channel is not channel)
        )
        difference = log_likelihood(latent, record, False, Scenario()) - log_likelihood(
            latent, without, False, Scenario()
        )
        between, within = channel.between**2, channel.within**2
        apart = np.abs(np.subtract.outer(reading.day, reading.day))
        covariance = between + within * channel.carried**apart
        hidden = course(latent, record.minutes[None], reading.day, record, False, Scenario())
        mean = np.log(20 + 80 * hidden.arm / 66)
        expected = [multivariate_normal(row, covariance).logpdf(reading.scaled) for row in mean]
        size = len(reading.day) / 2 * np.log(2 * np.pi)
        np.testing.assert_allclose(difference, np.array(expected) + size, atol=1e-6)
        compared += 1
    assert compared > 20


def test_the_null_channel_says_nothing(seen_records: list[Record]) -> None:
    record = max(seen_records, key=lambda some: len(some.worn))
    latent = draw_subjects(0, 1, Scenario()).latent
    without = replace(
        record, readings=tuple(r for r in record.readings if r.channel.reads is not None)
    )
    assert len(without.readings) == len(record.readings) - 1
    np.testing.assert_array_equal(
        log_likelihood(latent, record, False, Scenario()),
        log_likelihood(latent, without, False, Scenario()),
    )


def test_a_session_on_a_day_when_none_is_due_is_impossible(seen_records: list[Record]) -> None:
    record = next(record for record in seen_records if record.origin > 14)
    minutes = record.minutes.copy()
    minutes[np.flatnonzero(record.weekend & (np.arange(len(minutes)) <= record.origin))[0]] = 30
    odd = replace(record, minutes=minutes)
    latent = draw_subjects(0, 1, Scenario()).latent
    assert np.isneginf(log_likelihood(latent, odd, False, Scenario())).all()


def test_a_known_walking_aid_weighs_like_the_sum_over_unknown_ones(
    seen_records: list[Record],
) -> None:
    """With no step count, not knowing the aid is the sum over the four, which is nothing at all."""
    latent = draw_subjects(0, 1, Scenario()).latent
    base = seen_records[0]
    record = replace(
        base, readings=tuple(r for r in base.readings if r.channel is not STEPS), aid=None
    )
    each = [log_likelihood(latent, replace(record, aid=aid), False, Scenario()) for aid in range(4)]
    np.testing.assert_allclose(
        np.logaddexp.reduce(each), log_likelihood(latent, record, False, Scenario()), atol=1e-6
    )


def test_the_posterior_of_a_record_does_not_hang_on_the_order_of_its_readings(
    seen_records: list[Record],
) -> None:
    record = seen_records[1]
    turned = replace(record, readings=tuple(reversed(record.readings)))
    latent = draw_subjects(0, 1, Scenario()).latent
    np.testing.assert_allclose(
        log_likelihood(latent, record, False, Scenario()),
        log_likelihood(latent, turned, False, Scenario()),
        rtol=1e-9,
    )
    assert posterior(record, Scenario(), np.random.default_rng(0)).effective > 100
