from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.errors import SourceUnreadable
from features.importing import import_source
from features.recording import SourceFile
from features.sources import formats
from features.sources.devices.actigraph_gt3x import read

NAME = "TAS1H30182785_2019-09-17"


def opened(path: Path) -> SourceFile:
    return SourceFile(path=path, name=path.name, subject_label="x")


def test_every_sample_is_the_vendors_own_also_in_idle_sleep_mode(samples: Path) -> None:
    (reading,) = read(opened(samples / "gt3x" / f"{NAME}.gt3x"))
    (signal,) = reading.signals
    truth = pd.read_csv(samples / "gt3x" / f"{NAME}.csv.gz", skiprows=10).to_numpy()
    start = np.datetime64("2019-09-17T18:40:00")
    row = ((signal.time_N - start) / np.timedelta64(10, "ms")).astype(int)
    # The vendor rounds to three decimals.
    assert np.abs(signal.values_NC - truth[row]).max() <= 0.000501
    # Only what the device never stored is missing, in its dock: there the vendor's values stand still.
    missing = np.setdiff1d(np.arange(len(truth)), row)
    assert len(row) == 215_200
    assert not np.ptp(truth[missing].reshape(-1, 100, 3), axis=1).any()
    assert signal.clock == "device's own, set to UTC-04:00:00"
    assert (signal.subject_label, signal.device) == ("suffix_85", "ActiGraph TAS1H30182785")


def rewritten(source: Path, target: Path, log: bytes, info: bytes | None = None) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        new.writestr("log.bin", log)
        new.writestr("info.txt", old.read("info.txt") if info is None else info)
    return target


def log_of(source: Path) -> bytes:
    with zipfile.ZipFile(source) as archive:
        return archive.read("log.bin")


def test_a_record_with_a_wrong_checksum_costs_only_itself(samples: Path, tmp_path: Path) -> None:
    source = samples / "gt3x" / f"{NAME}.gt3x"
    log = bytearray(log_of(source))
    log[log.index(b"\x1e\x1a") + 100] ^= 0xFF  # Inside the first second of samples.
    (reading,) = read(opened(rewritten(source, tmp_path / "a.gt3x", bytes(log))))
    (problem,) = reading.dropped
    assert "checksum is wrong" in problem.message
    assert problem.field.startswith("log.bin record")
    assert len(reading.signals[0]) == 215_200 - 100


def test_a_log_cut_short_or_out_of_step_is_refused_with_its_byte(
    samples: Path, tmp_path: Path
) -> None:
    source = samples / "gt3x" / f"{NAME}.gt3x"
    log = log_of(source)
    with pytest.raises(SourceUnreadable, match=r"byte \d+.*cut short"):
        list(read(opened(rewritten(source, tmp_path / "a.gt3x", log[:-300]))))
    with pytest.raises(SourceUnreadable, match=r"byte \d+.*a record starts with 0x1E"):
        list(read(opened(rewritten(source, tmp_path / "b.gt3x", log[:1000] + log[1001:]))))
    with pytest.raises(SourceUnreadable, match="impossible"):
        list(read(opened(rewritten(source, tmp_path / "c.gt3x", log, b"Sample Rate: 0\n"))))


def test_a_recording_without_samples_and_one_that_holds_itself_twice(
    samples: Path, tmp_path: Path
) -> None:
    source = samples / "gt3x" / f"{NAME}.gt3x"
    empty = rewritten(source, tmp_path / "empty.gt3x", b"")
    with pytest.raises(SourceUnreadable, match="nothing in it can be used"):
        list(formats.read(opened(empty)))
    log = log_of(source)
    days = [
        import_source(rewritten(source, tmp_path / f"{times}.gt3x", log * times), tmp_path / name)
        .cohort.events.drop(columns="subject_id")
        for times, name in ((1, "once"), (2, "twice"))
    ]  # fmt: skip
    pd.testing.assert_frame_equal(*days)


def test_subject_and_placement_are_as_written(samples: Path, tmp_path: Path) -> None:
    source = samples / "gt3x" / f"{NAME}.gt3x"
    with zipfile.ZipFile(source) as archive:
        info = archive.read("info.txt").decode("utf-8-sig")
    lines = [
        line
        for line in info.splitlines()
        if line.split(":")[0] not in {"Subject Name", "Side", "Limb"}
    ]
    named = "\r\n".join([*lines, "Subject Name: A:01", "Side: Left", "Limb: Wrist"])
    file = rewritten(source, tmp_path / "a.gt3x", log_of(source), named.encode())
    (reading,) = read(opened(file))
    (signal,) = reading.signals
    assert (signal.subject_label, signal.placement) == ("A:01", "left wrist")
