"""Arms of the SPECS stroke trials beside each other, real and small. Letters: N people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from support.effects.average import Estimate
from support.effects.nuisances import FEWEST

Array = NDArray[np.float64]

CONTROLS = ("c12w", "c3w", "cIOT", "cNSG")
COMPARED = (
    ("acute", ("rgs12w", "rgs3w"), CONTROLS), ("atHome", ("rgs3w",), CONTROLS),
    ("subacute", ("RGS",), CONTROLS), ("chronic", ("OT+RGS",), ("RGS",)),
    ("chronic", ("rgsexo",), ("RGS",)), ("chronic", ("rgshaptics",), ("RGS",)),
    ("chronicAM", ("CAM",), ("AM",)),
)  # fmt: skip
"""Study, arms, and what they are compared with."""
END = "w12"
LEAST = 3
"""People of an arm, without whom no difference has an error."""


def contrasts(source: Path) -> Iterator[dict[str, object]]:
    """Yield each pair of arms: change of the Fugl-Meyer score until week 12, raw and adjusted."""
    (file,) = source.glob("*Clinical_Scales*.csv")
    table = pd.read_csv(file)
    wide = table.pivot_table("fuglmeyer", ["patientID", "study", "treatment"], "eval_time")
    wide = wide.reset_index().dropna(subset=["baseline", END])
    for study, arms, others in COMPARED:
        own = wide[(wide["study"] == study) & wide["treatment"].isin((*arms, *others))]
        arm_N = own["treatment"].isin(arms).to_numpy()
        if min(arm_N.sum(), (~arm_N).sum()) < LEAST:
            continue
        first_N, last_N = (own[name].to_numpy(np.float64) for name in ("baseline", END))
        yield {
            "study": study, "arm": ", ".join(arms), "people": int(arm_N.sum()),
            "compared with": ", ".join(sorted(set(own["treatment"][~arm_N]))),
            "their people": int((~arm_N).sum()),
            "raw change": told(regressed(last_N - first_N, arm_N, None)),
            "given the first score": told(regressed(last_N - first_N, arm_N, first_N)),
            "enough to ask": bool(min(arm_N.sum(), (~arm_N).sum()) >= FEWEST),
        }  # fmt: skip


def regressed(change_N: Array, arm_N: NDArray[np.bool_], first_N: Array | None) -> Estimate:
    """Return the difference of an arm by least squares, errors robust (HC3; MacKinnon 1985)."""
    columns = [np.ones(len(change_N)), arm_N.astype(np.float64)]
    if first_N is not None:
        columns.append(first_N - first_N.mean())
    design = np.stack(columns, axis=1)
    inverse = np.linalg.pinv(design.T @ design)
    found = inverse @ design.T @ change_N
    leverage_N = np.einsum("np,pq,nq->n", design, inverse, design)
    weighed = design * ((change_N - design @ found) / (1 - leverage_N))[:, None]
    error = float(np.sqrt((inverse @ weighed.T @ weighed @ inverse)[1, 1]))
    value = float(found[1])
    return Estimate(value, error, value - 1.645 * error, value + 1.645 * error)


def told(estimate: Estimate) -> str:
    """Return a difference with its 90 % interval."""
    return f"{estimate.value:+.1f} [{estimate.lower:+.1f}, {estimate.upper:+.1f}]"
