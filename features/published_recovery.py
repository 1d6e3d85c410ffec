"""The published five groups of upper-limb recovery, in one place for simulator and models.

A Fugl-Meyer score of the upper extremity (0 to 66) runs from its start toward a ceiling,
start + rate (66 - start)(1 - exp(-t / time)), in one of five groups: poor, two moderate, two good.
Source of every number but `PROPORTIONAL`: van der Vliet 2020 (Ann Neurol 87:383), the authors'
published code.
"""

from __future__ import annotations

BEST_SCORE = 66.0

SHARE = (0.2674, 0.1395, 0.1118, 0.1783, 0.3031)
"""Share of patients in each group."""
RATE = (0.0884, 0.4591, 0.8634, 0.8883, 0.9309)
"""Share of the missing score that is regained."""
TIME_WEEKS = (5.3114, 10.1417, 9.8122, 2.6722, 1.1822)
"""Time constant."""
START_MEAN = (-3.1602, -2.0922, -2.7862, -1.3081, 0.0201)
START_SPREAD = (0.510, 2.067, 2.678, 2.746, 2.374)
"""Mean and SD of the logit of the initial score over 66."""
NOISE = 3.855
"""SD of a single score around its course, points."""

PROPORTIONAL = 0.70
"""Share of the missing points that comes back by the rule of thumb of the stroke ward.

Source: Prabhakaran 2008 (Neurorehabil Neural Repair 22:64), Winters 2015 (29:614), of the upper
limb's Fugl-Meyer from the first days to three and six months. It has no time course and leaves out
patients who fail to recover: a reference line beside a forecast, not a second forecast."""
