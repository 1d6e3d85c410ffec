from __future__ import annotations

import tracemalloc
from pathlib import Path

from features.sources.column_map import is_column_map


def test_a_week_of_raw_data_is_not_read_to_see_that_it_is_not_a_map(tmp_path: Path) -> None:
    recording = tmp_path / "week.bin"
    with recording.open("wb") as stream:
        stream.truncate(1 << 30)
    tracemalloc.start()
    assert not is_column_map(recording)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    small = tmp_path / "map.toml"
    small.write_text('clock = "timestamps"\ntables = []\n')
    assert is_column_map(small)
