"""Posture from raw acceleration at the thigh and the trunk: how they lie against gravity.

A thigh within 45 degrees of the vertical stands, beyond it sits or lies; a trunk beyond 45 degrees
lies (Bassett 2014, Detection of lying down, sitting, standing, and stepping, Med Sci Sports Exerc
46, 2025). What lasts less than 10 seconds belongs to what was before (Grant 2006,
doi:10.1136/bjsm.2006.030262). With a thigh alone, a time off the feet in which the thigh rolled by
more than 65 degrees about its long axis was lying (Lyden 2016, Differentiating sitting and lying
using a thigh-worn accelerometer, Med Sci Sports Exerc 48, 742): somebody who lies on the back all
the time counts as sitting. A trunk alone can't distinguish sitting from standing.

Bassett's and Lyden's angles were not checked against the full papers: do so before relying on them.

Which axis of the device points up and which forward is declared, never guessed.
Letters: N samples, S seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import TIME
from contracts.errors import ContractError
from features.recording import Quantity, Signal

THIGH, TRUNK = ("thigh",), ("lower back", "lumbar", "sacrum", "chest", "sternum", "trunk")
INCLINED_DEG, ROLLED_DEG, SHORTEST_S = 45.0, 65.0, 10
SHARES = ["standing", "sitting", "lying"]
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAxes:
    """The axes of a device that point to the head and forward while the wearer stands: `-x`."""

    up: str
    front: str


def posture_of(signal: Signal, up: str, front: str) -> Signal:
    """Return the posture of each second.

    Parameters
    ----------
    signal
        Raw acceleration at the thigh or the trunk.
    up, front
        The device's axes that point to the head and forward while the wearer stands, such as `-x`.

    Returns
    -------
    Shares (off, standing, sitting, lying) by second; of a trunk only lying, the rest NaN.

    Raises
    ------
    ContractError
        The device is worn elsewhere.
    """
    at_thigh, at_trunk = (
        any(site in signal.placement for site in sites) for sites in (THIGH, TRUNK)
    )
    if not (at_thigh or at_trunk):
        raise ContractError(
            f"posture is known only at the thigh and the trunk, not at {signal.placement!r}",
            "declare the placement in the map",
        )
    second_S, gravity_S3 = _by_second(signal)
    up_S, front_S = (gravity_S3 @ axis(name) for name in (up, front))
    side_S = gravity_S3 @ np.cross(axis(up), axis(front))
    inclined_S = np.degrees(np.arctan2(np.hypot(front_S, side_S), up_S)) > INCLINED_DEG
    starts_S = np.diff(second_S, prepend=second_S[:1] - 2) != 1
    down_S = _lasting(inclined_S, starts_S)
    shares_S4 = np.zeros((len(second_S), 4), dtype=np.float32)
    if at_thigh:
        rolled_S = np.degrees(np.arctan2(np.abs(side_S), front_S)) > ROLLED_DEG
        lying_S = down_S & _anywhere_in_run(_lasting(rolled_S, starts_S) & down_S, down_S, starts_S)
        shares_S4[:, 1:] = np.stack([~down_S, down_S & ~lying_S, lying_S], axis=1)
    else:
        shares_S4[:, 1:3], shares_S4[:, 3] = np.nan, down_S
    return replace(
        signal,
        quantity=Quantity.POSTURE,
        time_N=(second_S * SECOND_NS).view("datetime64[ns]"),
        values_NC=shares_S4,
        epoch_s=1.0,
    )


def axis(name: str) -> NDArray[np.float64]:
    """Return the unit vector of a signed axis, such as `-x`."""
    vector = np.zeros(3)
    vector["xyz".index(name[-1])] = -1.0 if name.startswith("-") else 1.0
    return vector


def of_one_device(minutes: pd.DataFrame) -> pd.DataFrame:
    """Take posture from one device per subject; a trunk decides whether a seated thigh is lying.

    Parameters
    ----------
    minutes
        Rows of one subject with `placement`, `worn`, `time`, and shares where they were measured.
    """
    if not set(SHARES) <= set(minutes.columns):
        return minutes
    worn = minutes["worn"].fillna(True).astype(bool)
    whole, part = (worn & minutes[name].notna() for name in ("standing", "lying"))
    part &= ~whole
    measured = whole if whole.any() else part
    if not measured.any():
        return minutes
    chosen = minutes.loc[measured, "placement"].value_counts().sort_index().idxmax()
    is_chosen = minutes["placement"] == chosen
    minutes = minutes.copy()
    trunk = minutes[part].drop_duplicates(TIME).set_index(TIME)["lying"]
    both = minutes[TIME].map(trunk).where(whole & is_chosen)
    down = minutes["sitting"] + minutes["lying"]
    lying = down.clip(upper=both).where(both.notna(), minutes["lying"])
    minutes["sitting"] = (down - lying).where(both.notna(), minutes["sitting"])
    minutes["lying"] = lying
    minutes.loc[~is_chosen, [*SHARES, "rises"]] = np.nan
    return minutes


def _by_second(signal: Signal) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each second that was sampled and the mean acceleration in it."""
    second_N = signal.time_N.astype("datetime64[ns]").view(np.int64) // SECOND_NS
    start_S = np.flatnonzero(np.diff(second_N, prepend=second_N[:1] - 1))
    count_S = np.diff(np.append(start_S, len(second_N)))
    total_S3 = np.add.reduceat(signal.values_NC[:, :3], start_S, axis=0, dtype=np.float64)
    return second_N[start_S], total_S3 / count_S[:, None]


def _runs(flag_S: NDArray[np.bool_], starts_S: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each second the number of its run of one state without a gap."""
    change_S = np.diff(flag_S, prepend=flag_S[:1]) | starts_S
    return np.cumsum(change_S) - 1


def _lasting(flag_S: NDArray[np.bool_], starts_S: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Give runs that are too short the state of the run before."""
    run_S = _runs(flag_S, starts_S)
    first_R = np.flatnonzero(np.diff(run_S, prepend=-1))
    lasts_R = (np.bincount(run_S) >= SHORTEST_S) | starts_S[first_R]
    source_R = np.maximum.accumulate(np.where(lasts_R, np.arange(len(first_R)), 0))
    return np.asarray(flag_S[first_R][source_R][run_S])


def _anywhere_in_run(
    seen_S: NDArray[np.bool_], flag_S: NDArray[np.bool_], starts_S: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    run_S = _runs(flag_S, starts_S)
    return np.asarray(np.bincount(run_S, weights=seen_S)[run_S] > 0)
