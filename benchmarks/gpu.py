"""Benchmark: steps of training per second on a GPU, beside the processor's in the same run.

`rehabcast train` takes a GPU by itself where there is one. On a SIMULATED cohort, for small and
large batches; also the largest difference between the two devices' forecasts by the same weights.
Without a GPU it says so and measures nothing. Prints one table and, as its last line, one JSON
object.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch
from rich.table import Table
from training_speed import network_module, tight_loop

from contracts.sequences import SequenceBatch
from features.sequences import training_sequences
from features.simulate import simulate
from rehabcast.output import stdout_console
from support.repository import UPPER_LIMB, repository_task
from training.fitting.pairs import EpochBatches, memberships, tensors
from training.models.architectures import new_network
from training.models.layers.network import Network

PEOPLE = 3_000
BATCHES = (64, 256, 2_048)
CPU = torch.device("cpu")


def pairs_per_second(
    network: Network, batch: SequenceBatch, at_once: int, device: torch.device
) -> float:
    """Return how many pairs a second are learned from on a device, after one epoch to warm up."""
    module = network_module(network, batch).to(device)
    data = tuple(x.to(device) for x in (*tensors(batch), torch.from_numpy(memberships(batch))))
    batches = EpochBatches(len(batch), at_once, 0)
    seconds = 0.0
    for _ in range(2):
        _wait_for(device)
        started = time.perf_counter()
        tight_loop(module, data, batches)
        _wait_for(device)
        seconds = time.perf_counter() - started
    return len(batch) / seconds


def largest_difference(network: Network, batch: SequenceBatch, device: torch.device) -> float:
    """Return by how much forecasts of the same weights differ from the processor's, in points."""
    forecasts = []
    for place in (CPU, device):
        network.to(place).eval()
        *past, present_BM, _ = (x.to(place) for x in tensors(batch))
        with torch.no_grad():
            forecasts.append(network.head(network.encoder(*past), present_BM).cpu())
    return float((forecasts[0] - forecasts[1]).abs().max())


def measure(device: torch.device, people: int) -> dict[str, float]:
    """Return the figures of a device beside the processor's."""
    task = repository_task(UPPER_LIMB)
    batch = training_sequences(simulate(subjects=people, seed=0)[0], task)
    record = {}
    for at_once in BATCHES:
        by_device = {
            name: pairs_per_second(
                new_network(batch.layout, task, "hybrid", 16), batch, at_once, place
            )
            for name, place in (("processor", CPU), ("gpu", device))
        }
        for name, speed in by_device.items():
            record[f"{name}_pairs_per_s_in_batches_of_{at_once}"] = speed
        record[f"ratio_in_batches_of_{at_once}"] = by_device["gpu"] / by_device["processor"]
    few = batch.take(np.arange(min(len(batch), 256)))
    network = new_network(batch.layout, task, "hybrid", 16)
    record["largest_difference_of_a_forecast"] = largest_difference(network, few, device)
    return record


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Run the benchmark and print the results, or that there is no GPU."""
    if not torch.cuda.is_available():
        sys.stderr.write("There is no GPU here that torch can use: nothing was measured.\n")
        return
    record = measure(torch.device("cuda"), PEOPLE)
    name = torch.cuda.get_device_name()
    table = Table("measure", "value", title=f"{name}, SIMULATED")
    for what, value in record.items():
        table.add_row(what.replace("_", " "), f"{value:,.4g}")
    stdout_console.print(table)
    print(json.dumps({"device": name, **record}))


if __name__ == "__main__":
    main()
