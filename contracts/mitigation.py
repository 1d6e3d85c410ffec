"""Ways to train fairer forecasts: training carries them out, an audit compares what they bring."""

from __future__ import annotations

PLAIN, CHECKPOINT = "plain training", "group-aware checkpoint choice"
REWEIGHING, DRO = "reweighing", "Group DRO"
NEED_TRAINING = (PLAIN, CHECKPOINT, REWEIGHING, DRO)
