from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.errors import SourceUnreadable
from features.importing import import_source
from features.recording import Quantity, Reading, SourceFile
from features.sources.devices import axivity_cwa

CLEAN = "ax3_testfile.cwa"
CORRUPT = "ax3_testfile_corrupt_blocks_0_13_14_142_143_144.cwa"


def read(path: Path) -> list[Reading]:
    return list(axivity_cwa.read(SourceFile(path=path, name=path.name, subject_label="x")))


def test_corrupt_sectors_are_left_out_and_the_rest_is_the_clean_files(samples: Path) -> None:
    (clean,), (corrupt,) = (read(samples / "ggirread" / name) for name in (CLEAN, CORRUPT))
    whole, rest = (r.signals[0].values_NC for r in (clean, corrupt))
    bad = [0, 13, 14, 142, 143, 144]
    kept = np.delete(whole.reshape(145, 120, 3), bad, axis=0).reshape(-1, 3)
    np.testing.assert_array_equal(rest, kept)
    assert [problem.field for problem in corrupt.dropped] == [
        "sector 0 (byte 1024)",
        "sector 13 to 14 (byte 7680)",
        "sector 142 to 144 (byte 73728)",
    ]
    assert clean.dropped == ()


def test_placement_temperature_and_device_are_the_files_own(samples: Path) -> None:
    (reading,) = read(samples / "ggirread" / CLEAN)
    acceleration, temperature = reading.signals
    assert (acceleration.placement, acceleration.device) == ("right wrist", "Axivity AX3 39434")
    assert temperature.quantity is Quantity.TEMPERATURE
    assert 25 < float(temperature.values_NC.mean()) < 27


def test_pieces_hold_what_the_whole_holds(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = read(samples / "ggirread" / CLEAN)
    monkeypatch.setattr(axivity_cwa, "SECTORS_A_PIECE", 50)
    pieces = read(samples / "ggirread" / CLEAN)
    assert len(pieces) == 3
    joined = np.concatenate([piece.signals[0].values_NC for piece in pieces])
    np.testing.assert_array_equal(joined, whole.signals[0].values_NC)
    times = np.concatenate([piece.signals[0].time_N for piece in pieces])
    off = np.abs((times - whole.signals[0].time_N) / np.timedelta64(1, "ms"))
    assert off.max() < 20


def test_a_file_without_a_whole_sector_is_refused(samples: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.cwa"
    data = (samples / "ggirread" / CLEAN).read_bytes()
    short.write_bytes(data[:1200])
    with pytest.raises(SourceUnreadable, match=r"byte 1200.*before the first sector"):
        read(short)
    short.write_bytes(data[:5000])
    (reading,) = read(short)
    assert "ends after 392 of 512 bytes" in reading.dropped[0].message


def test_a_second_header_begins_another_recording(samples: Path, tmp_path: Path) -> None:
    data = (samples / "ggirread" / CLEAN).read_bytes()
    (tmp_path / "a.cwa").write_bytes(data * 2)
    one, other = read(tmp_path / "a.cwa")
    assert len(one.signals[0]) == len(other.signals[0])
    assert (one.dropped, other.dropped) == ((), ())
    # The clock of both is the same, so the minutes are those of one.
    days = [
        import_source(file, tmp_path / name).cohort.events
        for file, name in ((samples / "ggirread" / CLEAN, "once"), (tmp_path / "a.cwa", "twice"))
    ]
    pd.testing.assert_frame_equal(*days)


def test_a_bad_sector_after_a_second_header_is_named_by_its_place_in_the_file(
    samples: Path, tmp_path: Path
) -> None:
    data = (samples / "ggirread" / CLEAN).read_bytes()
    spoilt = bytearray(data * 2)
    at = len(data) + 1024 + 3 * 512
    spoilt[at + 100] ^= 0xFF
    (tmp_path / "a.cwa").write_bytes(bytes(spoilt))
    (problem,) = [p for reading in read(tmp_path / "a.cwa") for p in reading.dropped]
    assert problem.field == f"sector {(at - 1024) // 512} (byte {at})"
