from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.errors import SourceUnreadable
from features.importing import import_source
from features.recording import Quantity, Reading, SourceFile
from features.sources.devices import geneactiv

MARK = b"Recorded Data"


def read(path: Path) -> list[Reading]:
    return list(geneactiv.read(SourceFile(path=path, name=path.name, subject_label="x")))


@pytest.fixture
def sample(samples: Path) -> bytes:
    return (samples / "ggirread" / "GENEActiv_testfile.bin").read_bytes()


def of(readings: list[Reading], quantity: Quantity) -> tuple[np.ndarray, np.ndarray]:
    found = [s for r in readings for s in r.signals if s.quantity is quantity]
    return np.concatenate([s.time_N for s in found]), np.concatenate([s.values_NC for s in found])


@pytest.mark.parametrize("piece", [4000, 10_000, 26_000])
def test_pieces_hold_what_the_whole_holds(
    sample: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    file = tmp_path / "recording"
    file.write_bytes(sample)
    whole = read(file)
    monkeypatch.setattr(geneactiv, "PIECE_BYTES", piece)
    pieces = read(file)
    assert len(whole) == 2 < len(pieces)
    for quantity in (Quantity.ACCELERATION, Quantity.TEMPERATURE):
        for one, other in zip(of(pieces, quantity), of(whole, quantity), strict=True):
            np.testing.assert_array_equal(one, other)
    last, before = pieces[-1].dropped[-1], whole[-1].dropped[-1]
    assert (last.field, last.message) == (before.field, before.message)
    assert "17 of the 222048 pages" in last.message


def test_a_file_cut_inside_its_last_page_says_what_is_missing(
    sample: bytes, tmp_path: Path
) -> None:
    end = sample.index(MARK, sample.index(MARK) + 1)
    file = tmp_path / "cut"
    # The header counts the one page that is there, so only its length tells that it was cut.
    file.write_bytes(sample[: end - 1200].replace(b"Pages:222048", b"Pages:1"))
    readings = read(file)
    kept = len(of(readings, Quantity.ACCELERATION)[0])
    assert 0 < kept < 300
    (problem,) = [p for r in readings for p in r.dropped]
    assert problem.message.startswith(f"{300 - kept} sample(s) are missing")


def test_only_a_damaged_page_is_lost_and_it_is_reported(sample: bytes, tmp_path: Path) -> None:
    head, *pages = sample.split(MARK)
    pages[3] = pages[3].replace(b"Page Time:2013", b"Page Time:xx13")
    file = tmp_path / "spoilt"
    file.write_bytes(MARK.join([head, *pages]))
    readings = read(file)
    assert len(of(readings, Quantity.TEMPERATURE)[0]) == 16
    assert "Invalid datetime" in readings[0].dropped[0].message


def test_an_end_inside_a_page_header_is_reported(
    sample: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = sample.index(MARK, sample.index(MARK) + 1)
    file = tmp_path / "cut"
    file.write_bytes(sample[: end + 100])
    monkeypatch.setattr(geneactiv, "PIECE_BYTES", 2000)
    readings = read(file)
    assert len(of(readings, Quantity.ACCELERATION)[0]) == 300
    messages = [p.message for r in readings for p in r.dropped]
    assert "incomplete record" in messages[0]
    assert "ends after 1 of the 222048 pages" in messages[-1]


def test_a_header_alone_is_refused(sample: bytes, tmp_path: Path) -> None:
    file = tmp_path / "header"
    file.write_bytes(sample[: sample.index(MARK)])
    with pytest.raises(SourceUnreadable, match="no page of data follows the header"):
        read(file)


def test_a_second_header_begins_another_recording(
    sample: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lines were read as a page of 1970, which enrolled the person then."""
    whole = sample.replace(b"Pages:222048", b"Pages:17")
    (tmp_path / "once").write_bytes(whole)
    (tmp_path / "twice").write_bytes(whole + whole.replace(b"012967", b"012968"))
    once = of(read(tmp_path / "once"), Quantity.TEMPERATURE)
    for piece in (1 << 24, 10_000):
        monkeypatch.setattr(geneactiv, "PIECE_BYTES", piece)
        twice = read(tmp_path / "twice")
        time, values = of(twice, Quantity.TEMPERATURE)
        np.testing.assert_array_equal(time, np.tile(once[0], 2))
        np.testing.assert_array_equal(values, np.tile(once[1], (2, 1)))
        devices = {signal.device for reading in twice for signal in reading.signals}
        assert devices == {"GENEActiv 012967", "GENEActiv 012968"}
        assert not any("ends after" in p.message for r in twice for p in r.dropped)


def test_a_recording_that_holds_itself_twice_is_that_of_one(sample: bytes, tmp_path: Path) -> None:
    results = []
    for times in (1, 2):
        (tmp_path / "p.bin").write_bytes(sample * times)
        done = import_source(tmp_path / "p.bin", tmp_path / f"cohort {times}")
        results.append(done.cohort.events)
    pd.testing.assert_frame_equal(*results)


def test_subject_and_placement_are_as_written(sample: bytes, tmp_path: Path) -> None:
    code = b"Subject Code:"
    at = sample.index(code) + len(code)
    named = sample[:at] + b"007" + sample[at + 3 :]
    named = named.replace(b"Device Location Code:", b"Device Location Code:Wrist-Left")
    (tmp_path / "p.bin").write_bytes(named)
    signal = read(tmp_path / "p.bin")[0].signals[0]
    assert (signal.subject_label, signal.placement) == ("007", "left wrist")
