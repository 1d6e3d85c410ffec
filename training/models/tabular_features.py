"""Features of the past for models that need a table.

Letters: B pairs, T days, C channels, S person covariates, F features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.sequences import SequenceBatch


def tabular_features(batch: SequenceBatch) -> NDArray[np.float64]:
    """Summarise each past: last value, mean, slope over days and number of days per channel.

    Returns
    -------
    Features of shape (B, F); NaN where there are no data, which the trees treat as missing.
    """
    values_BTC = np.where(batch.observed_BTC, batch.values_BTC, np.nan)
    count_BC = batch.observed_BTC.sum(axis=1)
    days = batch.values_BTC.shape[1]
    total_BC = np.nansum(values_BTC, axis=1)
    mean_BC = np.divide(total_BC, count_BC, where=count_BC > 0, out=np.full(count_BC.shape, np.nan))
    day_T = np.arange(days, dtype=np.float64)
    centred_BTC = np.where(batch.observed_BTC, day_T[None, :, None], np.nan)
    mean_day_BC = np.divide(
        np.nansum(centred_BTC, axis=1), count_BC, where=count_BC > 0, out=np.zeros(count_BC.shape)
    )
    off_BTC = centred_BTC - mean_day_BC[:, None]
    spread_BC = np.nansum(off_BTC**2, axis=1)
    slope_BC = np.divide(
        np.nansum(off_BTC * values_BTC, axis=1),
        spread_BC,
        where=spread_BC > 0,
        out=np.full(count_BC.shape, np.nan),
    )
    last_T = days - 1 - batch.observed_BTC[:, ::-1].argmax(axis=1)
    last_BC = np.take_along_axis(values_BTC, last_T[:, None], axis=1)[:, 0]
    person_BS = np.where(batch.person_known_BS, batch.person_BS, np.nan)
    onset_B1 = np.log1p(batch.days_since_onset_BT[:, -1:].clip(min=0))
    return np.concatenate(
        [last_BC, mean_BC, slope_BC, count_BC, person_BS, onset_B1], axis=1, dtype=np.float64
    )
