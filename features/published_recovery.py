"""The published five groups of upper-limb recovery, as numbers for the simulator.

They are those of `contracts/priors/stroke-upper-limb.toml`, which the models start from: a
Fugl-Meyer score of the upper extremity (0 to 66) runs from its start toward a ceiling, start +
rate (66 - start)(1 - exp(-t / time)), in one of five groups: poor, two moderate, two good. Source
of every number but `PROPORTIONAL`: van der Vliet 2020 (Ann Neurol 87:383), the authors' published
code.
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

PROPORTIONAL = 0.70
"""Share of the missing points that comes back by the rule of thumb of the stroke ward.

Source: Prabhakaran 2008 (Neurorehabil Neural Repair 22:64), Winters 2015 (29:614), of the upper
limb's Fugl-Meyer from the first days to three and six months. It has no time course and leaves out
patients who fail to recover: a reference line beside a forecast, not a second forecast."""
