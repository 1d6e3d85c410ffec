from __future__ import annotations

import gpu
import pytest
import torch


def test_a_device_is_measured_beside_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "BATCHES", (16,))
    record = gpu.measure(torch.device("cpu"), people=12)
    assert record["largest_difference_of_a_forecast"] == 0
    assert all(value > 0 for name, value in record.items() if "pairs" in name)


def test_without_a_gpu_it_says_so_and_measures_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu.main()
    said = capsys.readouterr()
    assert said.out == ""
    assert "no GPU" in said.err
