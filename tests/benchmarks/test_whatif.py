"""The two ways of the benchmark compute the same, so that their times can be compared."""

from __future__ import annotations

import numpy as np
from whatif import patient, plans, stepped


def test_the_closed_form_and_the_solver_agree_in_both_precisions() -> None:
    some = plans(3)
    solved = stepped(patient(np.float64), some)
    assert np.ptp(solved.mean(axis=1)) > 1e-3, "the plans differ"
    np.testing.assert_allclose(patient(np.float64).levels(some)[:, 0], solved, atol=1e-6)
    np.testing.assert_allclose(patient(np.float32).levels(some)[:, 0], solved, atol=1e-5)
