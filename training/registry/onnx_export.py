"""Exports an ensemble's ONNX graphs, and checks that they agree with the network.

The graphs are traced with the TorchScript exporter: for many GRUs it takes a second where the newer
exporter takes minutes (docs/decisions/0003), and torch is pinned.

Letters: B pairs, M modalities, E width of all members' embeddings, V views, K coalitions.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from contracts import bundle as names
from contracts.errors import IntegrityError
from contracts.forecast import MEDIAN, rounding_allowed
from contracts.sequences import SequenceBatch
from training.fitting.pairs import tensors
from training.models.layers.network import Ensemble

TOLERANCE = 1e-2
"""Largest accepted difference, in score points, between the network and its exported graphs: sums
of log evidence in single precision differ by a few thousandths."""

PAST = ["values", "observed", "days_since_onset", "origin_day", "person", "person_known"]
TRACED, CHECKED_AT_ONCE = 8, 64
"""Pairs that graphs are traced with, which keeps every step of each, and that are checked together:
memory does not grow with the cohort."""
VIEWS = 3
"""Views of a past that the coalitions' graph is traced with: all, early and recent days."""

Axes = dict[str, dict[int, str]]
Array = NDArray[np.float32]
Outputs = Tensor | tuple[Tensor, ...]


def export_graphs(folder: Path, ensemble: Ensemble, sample: SequenceBatch) -> None:
    """Write encoder, head, coalitions and the hybrid's curves (`contracts.bundle`) into a folder.

    Parameters
    ----------
    sample
        Pairs to check with; the first few of them to trace with.

    Raises
    ------
    IntegrityError
        The exported graphs differ from the network by more than `TOLERANCE`.
    """
    *past, present_BM, _ = tensors(sample)
    first = [x[:TRACED] for x in past]
    with torch.inference_mode():
        embeddings_BME = ensemble.encode(*first)
    _export(
        _Method(ensemble, ensemble.encode),
        dict(zip(PAST, first, strict=True)),
        folder / names.ENCODER_FILE,
        {name: {0: "pairs"} for name in (*PAST, "embeddings")},
    )
    _export(
        _Method(ensemble, ensemble.join),
        {"embeddings": embeddings_BME, "present": present_BM[:TRACED]},
        folder / names.HEAD_FILE,
        {name: {0: "pairs"} for name in ("embeddings", "present", "quantiles")},
    )
    _export(
        _Method(ensemble, ensemble.medians),
        {
            "embeddings": embeddings_BME[:1].expand(VIEWS, -1, -1),
            "shown": _grand_coalition(present_BM[:1]).expand(2, -1, -1),
            "horizon": torch.tensor([0]),
        },
        folder / names.COALITIONS_FILE,
        {
            "embeddings": {0: "views"},
            "shown": {0: "coalitions", 1: "views"},
            "medians": {0: "coalitions"},
        },
    )
    if ensemble.has_curves:
        _export(
            _Method(ensemble, ensemble.curves_of),
            {"embeddings": embeddings_BME, "present": present_BM[:TRACED]},
            folder / names.CURVES_FILE,
            {
                **{name: {0: "pairs"} for name in ("embeddings", "present")},
                **{name: {1: "pairs"} for name in names.CURVES_OF_PAIRS},
                **{name: {} for name in names.CURVES_OF_ALL},
            },
        )
    _check(folder, ensemble, past, present_BM)


def _grand_coalition(present_BM: Tensor) -> Tensor:
    """Return the mask of the coalition of all days of all present modalities, (B, V, M)."""
    absent_BM = torch.zeros_like(present_BM)
    return torch.stack([present_BM, *[absent_BM] * (VIEWS - 1)], dim=1)


class _Method(nn.Module):
    """One method of the ensemble as a module, which the exporter needs."""

    def __init__(self, ensemble: Ensemble, method: Callable[..., Outputs]) -> None:
        super().__init__()
        self.ensemble = ensemble
        self.method = method

    def forward(self, *inputs: Tensor) -> Outputs:
        return self.method(*inputs)


def _export(module: nn.Module, inputs: dict[str, Tensor], path: Path, axes: Axes) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # The exporter warns of its deprecation and of GRU batch sizes; `_check` tests the result.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            path,
            dynamo=False,
            input_names=list(inputs),
            output_names=[name for name in axes if name not in inputs],
            dynamic_axes=axes,
        )


def _check(folder: Path, ensemble: Ensemble, past: list[Tensor], present_BM: Tensor) -> None:
    """Compare graphs and network on batch sizes other than the one that was traced."""
    encoder, head, coalitions = (
        onnxruntime.InferenceSession(folder / name, providers=["CPUExecutionProvider"])
        for name in (names.ENCODER_FILE, names.HEAD_FILE, names.COALITIONS_FILE)
    )

    def forecasts(rows: Tensor) -> tuple[Array, Array, Array]:
        """Return embeddings and quantiles by the graphs, and the network's quantiles."""
        own = [x[rows] for x in past]
        inputs = {node.name: x.numpy() for node, x in zip(encoder.get_inputs(), own, strict=True)}
        (embeddings,) = encoder.run(None, inputs)
        asked = {"embeddings": embeddings, "present": present_BM[rows].numpy()}
        with torch.inference_mode():
            expected = ensemble.join(ensemble.encode(*own), present_BM[rows]).numpy()
        return embeddings, head.run(None, asked)[0], expected

    half = max(1, len(present_BM) // 2)
    some = torch.split(torch.arange(half + (half == TRACED)), CHECKED_AT_ONCE)
    embeddings, exported, expected = (
        np.concatenate(parts) for parts in zip(*map(forecasts, some), strict=True)
    )
    views = np.repeat(embeddings[:1], VIEWS, axis=0)
    mask = _grand_coalition(present_BM[:1]).numpy()
    asked = {"embeddings": views, "shown": mask}
    medians = np.concatenate(
        [
            coalitions.run(None, {**asked, "horizon": np.array([h])})[0]
            for h in range(expected.shape[1])
        ],
        axis=1,
    )
    difference = max(
        float(np.abs(exported - expected).max()),
        float(np.abs(medians - expected[:1, :, MEDIAN]).max()),
        _curves_off_by(folder, ensemble, embeddings, present_BM[: len(embeddings)]),
    )
    allowed = rounding_allowed(TOLERANCE, float(np.abs(expected).max()))
    if not difference <= allowed:
        raise IntegrityError(
            f"the exported graphs differ from the network by {difference:.2g} score points (at"
            f" most {allowed:g} are accepted), so the model was not registered",
            "check that torch and onnxruntime are the pinned versions (requirements.lock)",
        )


def _curves_off_by(
    folder: Path, ensemble: Ensemble, embeddings_BME: Array, present_BM: Tensor
) -> float:
    """Return by how much the curves' graph differs from the network, 0 where there is none."""
    if not ensemble.has_curves:
        return 0.0
    graph = onnxruntime.InferenceSession(
        folder / names.CURVES_FILE, providers=["CPUExecutionProvider"]
    )
    found = graph.run(None, {"embeddings": embeddings_BME, "present": present_BM.numpy()})
    with torch.inference_mode():
        expected = ensemble.curves_of(torch.from_numpy(embeddings_BME), present_BM)
    return max(
        float(np.abs(one - other.numpy()).max()) for one, other in zip(found, expected, strict=True)
    )
