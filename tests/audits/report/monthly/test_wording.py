"""An e-value is told to two digits, and no reader gets forty."""

from __future__ import annotations

import pytest

from audits.report.monthly.wording import e_value_in_words


@pytest.mark.parametrize(
    ("e_value", "told"),
    [(1.0, "1"), (0.8049, "0.8"), (34.567, "35"), (3661.9, "3,700"), (2.5e41, "over a million")],
)
def test_an_e_value_is_told_to_two_digits(e_value: float, told: str) -> None:
    assert e_value_in_words(e_value) == told
