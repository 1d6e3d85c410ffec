"""The vocabulary: every code that a cohort may hold, with unit, plausible range and modality.

`shipped.toml` and `instruments.toml` have what rehabcast ships. A site, a cohort and a bundle may
add codes of their own (`additions`), which this process then knows as well (`known`).
"""

from contracts.vocabulary.code import NOT_RECORDED, Better, Code, Domain, Kind
from contracts.vocabulary.known import (
    NOTHING,
    Additions,
    Codes,
    added_among,
    code_of_token,
    codes_with,
    learn,
    learning,
    shipped,
    vocabulary,
)

__all__ = [
    "NOTHING",
    "NOT_RECORDED",
    "Additions",
    "Better",
    "Code",
    "Codes",
    "Domain",
    "Kind",
    "added_among",
    "code_of_token",
    "codes_with",
    "learn",
    "learning",
    "shipped",
    "vocabulary",
]
