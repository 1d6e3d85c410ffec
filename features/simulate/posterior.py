"""The reference posterior: all that can be inferred about the hidden numbers from a record.

Adaptive importance sampling from the exact prior and likelihood, with deterministic mixture weights
over all stages (Cornuet 2012, "Adaptive multiple importance sampling"): every draw is weighted by
the true density over the density of all proposals together. So the result is right whatever the
proposals were; only its Monte-Carlo error, which is reported, depends on them.

Letters: P particles, K = 9 hidden numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import gammaln, logsumexp

from features.simulate.latent import ARM_RATE, LATENT, TOLERANCE
from features.simulate.likelihood import log_likelihood
from features.simulate.record import Record
from features.simulate.scenario import Scenario

Array = NDArray[np.float64]

FIRST_DRAWS, DRAWS, MOST_STAGES = 800, 400, 30
"""Draws from the prior of each group, draws of each later stage, and how many at most."""
WANTED = 800.0
"""Effective draws at which no further stage is made."""
DEGREES = 6.0
"""Degrees of freedom of the proposals: heavier tails than any posterior here has."""
NEGLIGIBLE = 12.0
"""A group whose log evidence is this far below the best gets no more draws."""
ENOUGH = 60.0
"""Effective draws that a proposal is fitted to; weights are tempered to reach this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Weighted draws of the hidden numbers.

    Parameters
    ----------
    latent, weight
        (P, 9), and (P,) summing to 1.
    member, group
        Planted group and group of recovery of each draw, (P,).
    """

    latent: Array
    weight: Array
    member: NDArray[np.bool_]
    group: NDArray[np.int64]

    @property
    def effective(self) -> float:
        """Effective number of draws (Kish 1965)."""
        return float(1 / (self.weight**2).sum())

    def resample(self, draws: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Return indices of equally weighted draws, by systematic resampling."""
        at = (generator.random() + np.arange(draws)) / draws
        return np.minimum(np.searchsorted(np.cumsum(self.weight), at), len(self.weight) - 1)


@dataclass(slots=True)
class _Component:
    """One group of recovery, in or out of the planted group, in whitened coordinates.

    `log_mixture` is, at each draw, the log of the summed densities of all that was drawn from, each
    times its number of draws.
    """

    member: bool
    group: int
    log_share: float
    mean: Array
    spread: Array
    draws: Array
    log_target: Array
    log_mixture: Array
    proposals: list[tuple[Array, Array]]

    def log_weight(self) -> Array:
        """Return log weights of all draws under the mixture of everything drawn from."""
        return np.asarray(self.log_target - self.log_mixture + np.log(len(self.draws)))

    def log_evidence(self) -> float:
        """Return the log of this component's share of the posterior, unnormalised."""
        weight = self.log_weight()
        top = weight.max()
        return self.log_share + float(top + np.log(np.exp(weight - top).mean()))


def posterior(record: Record, scenario: Scenario, generator: np.random.Generator) -> Posterior:
    """Return the posterior of the hidden numbers given a record."""
    components = _prior(record, scenario)
    first = [generator.standard_normal((FIRST_DRAWS, len(LATENT))) for _ in components]
    _add(components, first, record, scenario)
    for _ in range(MOST_STAGES):
        evidence = np.array([component.log_evidence() for component in components])
        likely = evidence > evidence.max() - NEGLIGIBLE
        active = [c for c, chosen in zip(components, likely, strict=True) if chosen]
        _add(active, [_proposed(c, generator) for c in active], record, scenario)
        result = _combined(components, scenario)
        if result.effective >= WANTED:
            break
    return result


def _prior(record: Record, scenario: Scenario) -> list[_Component]:
    components = []
    planted = scenario.disparity
    for member in (False, True):
        if planted.is_nothing and member:
            continue
        log_member = 0.0
        if not planted.is_nothing:
            if record.member is None:
                share = scenario.mixed_people().mixes[planted.code][planted.label]
                log_member = float(np.log(share if member else 1 - share))
            elif record.member != member:
                continue
        shift = scenario.shift(member=member)
        shares = shift.share(scenario.groups)
        means = scenario.groups.means() + shift.of_latent()
        for g, share in enumerate(shares):
            components.append(
                _Component(
                    member=member,
                    group=g,
                    log_share=log_member + float(np.log(share)),
                    mean=means[g],
                    spread=scenario.groups.spreads()[g],
                    draws=np.empty((0, len(LATENT))),
                    log_target=np.empty(0),
                    log_mixture=np.empty(0),
                    proposals=[],
                )
            )
    return components


def _latent(component: _Component, draws: Array, scenario: Scenario) -> Array:
    latent = component.mean + component.spread * draws
    latent[:, ARM_RATE] += scenario.groups.tolerance_on_rate * draws[:, TOLERANCE]
    return np.asarray(latent)


def _add(
    components: list[_Component], draws: list[Array], record: Record, scenario: Scenario
) -> None:
    """Weight new draws of components; those with the same membership in one call."""
    for member in {component.member for component in components}:
        chosen = [k for k, component in enumerate(components) if component.member == member]
        latent = np.concatenate([_latent(components[k], draws[k], scenario) for k in chosen])
        log_likelihoods = log_likelihood(latent, record, member, scenario)
        ends = np.cumsum([len(draws[k]) for k in chosen])[:-1]
        for k, part in zip(chosen, np.split(log_likelihoods, ends), strict=True):
            _append(components[k], draws[k], part)


def _append(component: _Component, draws: Array, log_likelihood: Array) -> None:
    log_prior = _log_normal(draws)
    mixture = log_prior + np.log(FIRST_DRAWS)
    for mean, root in component.proposals:
        mixture = np.logaddexp(mixture, _log_student(draws, mean, root) + np.log(DRAWS))
    component.draws = np.concatenate([component.draws, draws])
    component.log_target = np.concatenate([component.log_target, log_prior + log_likelihood])
    component.log_mixture = np.concatenate([component.log_mixture, mixture])


def _proposed(component: _Component, generator: np.random.Generator) -> Array:
    """Fit a proposal to the draws so far, and draw from it."""
    weight = _tempered(component.log_weight())
    mean = weight @ component.draws
    away = component.draws - mean
    covariance = (away * weight[:, None]).T @ away
    root = cholesky(1.2 * covariance + 1e-4 * np.eye(len(mean)), lower=True)
    normal = generator.standard_normal((DRAWS, len(mean)))
    stretch = np.sqrt(DEGREES / generator.chisquare(DEGREES, DRAWS))
    component.proposals.append((mean, root))
    newest = _log_student(component.draws, mean, root) + np.log(DRAWS)
    component.log_mixture = np.logaddexp(component.log_mixture, newest)
    return np.asarray(mean + stretch[:, None] * (normal @ root.T))


def _tempered(log_weight: Array) -> Array:
    """Return weights (P,) that sum to 1, flattened until enough draws count."""
    power = 1.0
    while True:
        weight = np.exp(power * (log_weight - log_weight.max()))
        weight /= weight.sum()
        if 1 / (weight**2).sum() >= ENOUGH or power < 1e-3:
            return np.asarray(weight)
        power *= 0.7


def _combined(components: list[_Component], scenario: Scenario) -> Posterior:
    log_weight = np.concatenate(
        [
            component.log_share + component.log_target - component.log_mixture
            for component in components
        ]
    )
    size = [len(component.draws) for component in components]
    return Posterior(
        latent=np.concatenate([_latent(c, c.draws, scenario) for c in components]),
        weight=np.exp(log_weight - logsumexp(log_weight)),
        member=np.repeat([component.member for component in components], size),
        group=np.repeat([component.group for component in components], size),
    )


def _log_normal(draws: Array) -> Array:
    return np.asarray(-0.5 * ((draws**2).sum(axis=1) + draws.shape[1] * np.log(2 * np.pi)))


def _log_student(draws: Array, mean: Array, root: Array) -> Array:
    size = draws.shape[1]
    away = solve_triangular(root, (draws - mean).T, lower=True, check_finite=False)
    constant = (
        gammaln((DEGREES + size) / 2)
        - gammaln(DEGREES / 2)
        - 0.5 * size * np.log(DEGREES * np.pi)
        - np.log(np.diag(root)).sum()
    )
    return np.asarray(constant - 0.5 * (DEGREES + size) * np.log1p((away**2).sum(axis=0) / DEGREES))
