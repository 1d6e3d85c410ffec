"""Ways to train fairer forecasts: training applies them, an audit compares their effects."""

from __future__ import annotations

PLAIN, CHECKPOINT = "plain training", "group-aware checkpoint choice"
REWEIGHING, DRO = "reweighing", "Group DRO"
NEED_TRAINING = (PLAIN, CHECKPOINT, REWEIGHING, DRO)
