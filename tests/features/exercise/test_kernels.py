from __future__ import annotations

import numpy as np
import pytest

from features.exercise.kernels import GOLDEN, KERNELS, LENGTH, WEIGHTS, dilations, fit

GENERATOR = np.random.default_rng(0)
WINDOWS = GENERATOR.normal(size=(12, 3, 60)).cumsum(axis=2).astype(np.float32)


def test_the_kernels_are_those_of_the_paper() -> None:
    assert WEIGHTS.shape == (84, 9)
    assert {tuple(sorted(kernel)) for kernel in WEIGHTS} == {(-1.0,) * 6 + (2.0,) * 3}
    assert len({tuple(kernel) for kernel in WEIGHTS}) == KERNELS
    assert (WEIGHTS.sum(axis=1) == 0).all()


@pytest.mark.parametrize(("samples", "features"), [(60, 1008), (100, 1008), (150, 9996), (60, 84)])
def test_dilations_share_out_the_features_and_reach_over_the_window(
    samples: int, features: int
) -> None:
    dilation_D, biases_D = dilations(samples, features)
    assert biases_D.sum() == features // KERNELS
    assert biases_D.min() >= 1
    assert dilation_D[0] == 1
    assert ((LENGTH - 1) * dilation_D < samples).all()


def outputs_of(summed: np.ndarray, k: int, dilation: int) -> list[float]:
    """Return what a kernel gives at each sample, with zeros around."""
    padded = np.pad(summed, (LENGTH - 1) // 2 * dilation)
    return [
        sum(WEIGHTS[k, lag] * padded[t + lag * dilation] for lag in range(LENGTH))
        for t in range(len(summed))
    ]


def test_biases_are_quantiles_of_the_whole_output_with_its_padding() -> None:
    """Of every kernel, also of those that count only where no padding is (the paper's program)."""
    kernels = fit(WINDOWS[:1], 84 * 6, np.random.default_rng(1))
    asked_KF = (np.arange(1, KERNELS * 6 + 1) * GOLDEN % 1).reshape(KERNELS, 6)
    dilation_F = np.repeat(kernels.dilation_D, kernels.biases_D)
    number_F = np.repeat(np.arange(len(kernels.dilation_D)), kernels.biases_D)
    for k, f in zip(*GENERATOR.integers((84, 6), size=(60, 2)).T, strict=True):
        summed = WINDOWS[0, kernels.uses_DKC[number_F[f], k]].sum(axis=0)
        expected = np.quantile(outputs_of(summed, int(k), int(dilation_F[f])), asked_KF[k, f])
        assert kernels.bias_KF[k, f] == pytest.approx(expected, abs=1e-3)


def test_a_feature_is_the_share_of_outputs_above_its_bias() -> None:
    """Each is computed again sample by sample, as the paper has it."""
    kernels = fit(WINDOWS, 84 * 6, np.random.default_rng(1))
    share_WKF = kernels.features(WINDOWS).reshape(len(WINDOWS), KERNELS, -1)
    dilation_F = np.repeat(kernels.dilation_D, kernels.biases_D)
    number_F = np.repeat(np.arange(len(kernels.dilation_D)), kernels.biases_D)
    for w, k, f in zip(*GENERATOR.integers((12, 84, 6), size=(60, 3)).T, strict=True):
        d, dilation = int(number_F[f]), int(dilation_F[f])
        outputs = outputs_of(WINDOWS[w, kernels.uses_DKC[d, k]].sum(axis=0), int(k), dilation)
        reach = (LENGTH - 1) // 2 * dilation
        inside = outputs if (d + k) % 2 == 0 else outputs[reach : len(outputs) - reach]
        expected = np.mean(np.array(inside) > kernels.bias_KF[k, f])
        assert share_WKF[w, k, f] == pytest.approx(expected, abs=0.02)


def test_a_constant_changes_nothing_where_no_padding_is() -> None:
    kernels = fit(WINDOWS, 84, np.random.default_rng(1))
    given, moved = kernels.features(WINDOWS), kernels.features(WINDOWS + np.float32(0.5))
    assert np.abs(given - moved)[:, 1::2].max() < 0.03
