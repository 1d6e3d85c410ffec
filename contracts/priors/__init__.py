"""Recovery populations that a hybrid starts from: one file a condition, each with its source."""

from contracts.priors.prior import (
    BEFORE_PRIORS,
    FLAT,
    GROUPS,
    RecoveryGroup,
    RecoveryPrior,
    prior_of,
    read_prior,
    shipped_prior,
    shipped_priors,
    start_in_words,
    started_from,
)

__all__ = [
    "BEFORE_PRIORS",
    "FLAT",
    "GROUPS",
    "RecoveryGroup",
    "RecoveryPrior",
    "prior_of",
    "read_prior",
    "shipped_prior",
    "shipped_priors",
    "start_in_words",
    "started_from",
]
