"""How therapy acts on a score: parameters as trials suggest them, one file a kind of outcome."""

from contracts.doses.response import (
    DoseResponse,
    GroupGain,
    Spread,
    read_dose_response,
    shipped_dose_response,
    shipped_dose_responses,
)

__all__ = [
    "DoseResponse",
    "GroupGain",
    "Spread",
    "read_dose_response",
    "shipped_dose_response",
    "shipped_dose_responses",
]
