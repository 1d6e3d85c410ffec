from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import SourceUnreadable
from features.recording import Quantity, Reading, SourceFile
from features.sources.devices.actigraph_csv import read


def opened(path: Path) -> Reading:
    (reading,) = read(SourceFile(path=path, name=path.name, subject_label="x"))
    return reading


def test_columns_follow_the_mode_or_their_names(samples: Path) -> None:
    folder = samples / "ggirread"
    plain = opened(folder / "ActiGraph13.csv")
    assert [s.quantity for s in plain.signals] == [Quantity.COUNTS, Quantity.STEPS]
    assert (plain.signals[0].epoch_s, str(plain.signals[0].time_N[0])[:19]) == (
        15.0,
        "2013-08-26T09:00:00",
    )
    full = opened(folder / "ActiGraph61.csv")
    counts, steps, posture = full.signals
    assert counts.placement == "waist"
    assert float(counts.values_NC[0, 0]) == pytest.approx((325**2 + 85**2 + 176**2) ** 0.5)
    assert float(steps.values_NC[0, 0]) == 2
    assert posture.values_NC[0].tolist() == [0, 1, 0, 0]  # The five seconds of standing.
    named = opened(folder / "ActiGraph13_timestamps_headers.csv")
    # The header's own date contradicts its date format; the rows' timestamps decide.
    assert str(named.signals[0].time_N[1])[:19] == "2017-09-12T15:00:01"
    assert float(named.signals[0].values_NC[2, 0]) == pytest.approx((113**2 + 9**2 + 29**2) ** 0.5)


def test_damaged_rows_and_headers_are_reported(samples: Path, tmp_path: Path) -> None:
    lines = (samples / "ggirread" / "ActiGraph13.csv").read_text().splitlines()
    broken = tmp_path / "x.csv"
    broken.write_text("\n".join([*lines[:20], "1,2", "a,b,c,d", *lines[22:], ""]))
    reading = opened(broken)
    (problem,) = reading.dropped
    assert (problem.row, "2 epoch(s)" in problem.message) == (21, True)
    for text, words in (
        ("\n".join(lines[:10]), "no epoch follows"),
        ("\n".join([lines[0], *lines[5:]]), "cannot be read"),
        ("\n".join([*lines[:10], "1,2,3,4,5", ""]), "5 columns without names"),
        ("\n".join(lines).replace("00:00:15", "00:00:00"), "impossible"),
    ):
        broken.write_text(text)
        with pytest.raises(SourceUnreadable, match=words):
            opened(broken)


def test_a_last_row_without_its_end_is_no_epoch(samples: Path, tmp_path: Path) -> None:
    data = (samples / "ggirread" / "ActiGraph13.csv").read_bytes()
    whole = len(opened(samples / "ggirread" / "ActiGraph13.csv").signals[0])
    cut = tmp_path / "cut.csv"
    cut.write_bytes(data[:-2])  # Every cell is there, but who knows how many digits the last had.
    reading = opened(cut)
    assert len(reading.signals[0]) == whole - 1
    assert "1 epoch(s) without possible counts" in reading.dropped[0].message
