"""The published five groups of upper-limb recovery, as numbers for the simulator.

They are those of `contracts/priors/stroke-upper-limb.toml`, which the models start from: a
Fugl-Meyer score of the upper extremity (0 to 66) runs from its start toward a ceiling, start +
rate (66 - start)(1 - exp(-t / time)), in one of five groups: poor, two moderate, two good. Source
of every number: van der Vliet 2020 (Ann Neurol 87:383), the authors' published code.
"""

from __future__ import annotations

from contracts.priors import shipped_prior

_PRIOR = shipped_prior("stroke-upper-limb")

BEST_SCORE = _PRIOR.scale_points

SHARE = tuple(group.share for group in _PRIOR.groups)
"""Share of patients in each group."""
RATE = tuple(group.rate for group in _PRIOR.groups)
"""Share of the missing score that is regained."""
TIME_WEEKS = tuple(group.time_weeks for group in _PRIOR.groups)
"""Time constant."""
START_MEAN = tuple(group.start_mean for group in _PRIOR.groups)
START_SPREAD = tuple(group.start_spread for group in _PRIOR.groups)
"""Mean and SD of the logit of the initial score over 66."""
NOISE = _PRIOR.noise_points
"""SD of a single score around its course, points."""
