"""Random convolution kernels of MiniRocket (Dempster 2021, arXiv 2012.08791), in numpy.

Kernels have length 9, three weights of 2 and six of -1: all 84 of them, each at every dilation and
on a few of the channels. A feature is the share of a window in which one kernel's output is above a
bias, and biases are quantiles of what the kernel gave on windows that were learned from, padding
included. For every second kernel only the outputs that no padding reaches count. Weights
sum to zero, so that a constant (gravity) changes nothing: how a limb is held is told by other
features (`features.exercise.windows`).

Letters: W windows, T samples, C channels, K kernels, D dilations, F features of a kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LENGTH, POSITIVE = 9, 3
MOST_DILATIONS, MOST_CHANNELS = 32, 9
GOLDEN = (np.sqrt(5) + 1) / 2
WINDOWS_AT_ONCE = 64


def weights() -> Array:
    """Return the kernels, (K, 9)."""
    chosen = list(combinations(range(LENGTH), POSITIVE))
    kernels_K9 = np.full((len(chosen), LENGTH), -1.0, dtype=np.float32)
    for kernel_9, places in zip(kernels_K9, chosen, strict=True):
        kernel_9[list(places)] = 2.0
    return kernels_K9


WEIGHTS = weights()
KERNELS = len(WEIGHTS)


def dilations(samples: int, features: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the dilations for windows of some samples, and how many biases each of them has.

    They are spread evenly on a scale of logarithms up to the one that reaches over the window, and
    share out the features of a kernel.
    """
    of_kernel = features // KERNELS
    count = min(of_kernel, MOST_DILATIONS)
    longest = np.log2((samples - 1) / (LENGTH - 1))
    spread = np.logspace(0, longest, count, base=2).astype(np.int64)
    dilation_D, times_D = np.unique(spread, return_counts=True)
    biases_D = (times_D * (of_kernel / count)).astype(np.int64)
    for each in range(of_kernel - int(biases_D.sum())):
        biases_D[each % len(biases_D)] += 1
    return dilation_D, biases_D


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """Fitted kernels.

    Parameters
    ----------
    samples
        Of a window.
    dilation_D, biases_D
        The dilations, and how many biases each has.
    uses_DKC
        Which channels a kernel adds up at a dilation.
    bias_KF
        Biases of each kernel, dilation by dilation.
    """

    samples: int
    dilation_D: NDArray[np.int64]
    biases_D: NDArray[np.int64]
    uses_DKC: NDArray[np.bool_]
    bias_KF: Array

    @property
    def count(self) -> int:
        """How many features they give."""
        return self.bias_KF.size

    def features(self, window_WCT: Array) -> Array:
        """Return the shares above the biases, (W, K * F)."""
        share_WKF = np.empty((len(window_WCT), *self.bias_KF.shape), dtype=np.float32)
        for first in range(0, len(window_WCT), WINDOWS_AT_ONCE):
            some = slice(first, first + WINDOWS_AT_ONCE)
            self._shares(window_WCT[some], share_WKF[some])
        return share_WKF.reshape(len(window_WCT), -1)

    def _shares(self, window_WCT: Array, share_WKF: Array) -> None:
        first = 0
        for d, (dilation, count) in enumerate(zip(self.dilation_D, self.biases_D, strict=True)):
            given_WKT = convolved(window_WCT, int(dilation), self.uses_DKC[d])
            for own, inside in _halves(d, int(dilation), self.samples):
                given = np.ascontiguousarray(given_WKT[:, own, inside])
                for b in range(first, first + int(count)):
                    above = given > self.bias_KF[own, b, None]
                    share_WKF[:, own, b] = np.count_nonzero(above, axis=2) / given.shape[2]
            first += int(count)


def convolved(window_WCT: Array, dilation: int, uses_KC: NDArray[np.bool_]) -> Array:
    """Return the output of each kernel on the sum of its channels, zeros around, (W, K, T)."""
    windows, channels, samples = window_WCT.shape
    padding = (LENGTH - 1) * dilation // 2
    padded = np.pad(window_WCT, ((0, 0), (0, 0), (padding, padding)))
    shifted_WCLT = np.stack(
        [padded[:, :, lag * dilation : lag * dilation + samples] for lag in range(LENGTH)], axis=2
    )
    of_channel_KCL = uses_KC[:, :, None] * WEIGHTS[:, None, :]
    return np.asarray(
        of_channel_KCL.reshape(KERNELS, -1)
        @ shifted_WCLT.reshape(windows, channels * LENGTH, samples)
    )


def fit(window_WCT: Array, features: int, generator: np.random.Generator) -> Kernels:
    """Draw channels, and take biases from windows to learn from.

    Parameters
    ----------
    features
        How many are wanted; the largest multiple of 84 that is not above it is made.
    """
    windows, channels, samples = window_WCT.shape
    dilation_D, biases_D = dilations(samples, features)
    most = np.log2(min(channels, MOST_CHANNELS) + 1)
    uses_DKC = np.zeros((len(dilation_D), KERNELS, channels), dtype=bool)
    for use_C in uses_DKC.reshape(-1, channels):
        use_C[generator.choice(channels, int(2 ** generator.uniform(0, most)), replace=False)] = (
            True
        )
    total = int(biases_D.sum())
    bias_KF = np.empty((KERNELS, total), dtype=np.float32)
    quantile_KF = (np.arange(1, KERNELS * total + 1) * GOLDEN % 1).reshape(KERNELS, total)
    first = 0
    for d, (dilation, count) in enumerate(zip(dilation_D, biases_D, strict=True)):
        drawn_WCT = window_WCT[generator.integers(windows, size=KERNELS)]
        given_KKT = convolved(drawn_WCT, int(dilation), uses_DKC[d])
        for k in range(KERNELS):
            asked = quantile_KF[k, first : first + count]
            bias_KF[k, first : first + count] = np.quantile(given_KKT[k, k], asked)
        first += int(count)
    return Kernels(
        samples=samples,
        dilation_D=dilation_D,
        biases_D=biases_D,
        uses_DKC=uses_DKC,
        bias_KF=bias_KF,
    )


def _halves(d: int, dilation: int, samples: int) -> tuple[tuple[slice, slice], ...]:
    """Return which kernels count everywhere, and which only where no padding is, and where."""
    padding = (LENGTH - 1) * dilation // 2
    everywhere, within = slice(d % 2, None, 2), slice((d + 1) % 2, None, 2)
    return (everywhere, slice(None)), (within, slice(padding, samples - padding))
