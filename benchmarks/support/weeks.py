"""Raw weeks for benchmarks, made from short real recordings laid end to end with new times."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

SAMPLES = Path(__file__).resolve().parents[3] / "shared/data/device_samples/ggirread"
PAGE_MARK = b"Recorded Data"


def week_of_axivity(folder: Path) -> Path:
    """Lay the sample's sectors end to end over a week, with new times and checksums."""
    source = (SAMPLES / "ax3_testfile.cwa").read_bytes()
    sectors = np.frombuffer(source[1024:], np.uint8).reshape(-1, 512)
    count = 7 * 86400 * 100 // 120
    out = sectors[np.arange(count) % len(sectors)].copy()
    ms = np.arange(count, dtype=np.int64) * 1200
    at = (np.datetime64("2024-03-04T00:00:00") + ms.astype("timedelta64[ms]")).astype("M8[s]")
    calendar = pd.DatetimeIndex(at)
    packed = np.zeros(count, dtype=np.uint32)
    for part, shift in (("month", 22), ("day", 17), ("hour", 12), ("minute", 6), ("second", 0)):
        packed |= getattr(calendar, part).to_numpy().astype(np.uint32) << np.uint32(shift)
    packed |= (calendar.year.to_numpy() - 2000).astype(np.uint32) << np.uint32(26)
    fraction = (0x8000 | ((ms % 1000) * 65536 // 1000 >> 1)).astype("<u2")
    for start, values in ((4, fraction), (10, np.arange(count, dtype="<u4")), (14, packed)):
        raw = np.ascontiguousarray(values).view(np.uint8).reshape(count, -1)
        out[:, start : start + raw.shape[1]] = raw
    out[:, 26:28] = 0
    out[:, 510:512] = 0
    total = out.view("<u2").sum(axis=1, dtype=np.uint16)
    out[:, 510:512] = (-total.astype(np.int32)).astype("<u2").view(np.uint8).reshape(count, 2)
    file = folder / "axivity.cwa"
    file.write_bytes(source[:1024] + out.tobytes())
    return file


def week_of_geneactiv(folder: Path) -> Path:
    """Lay the sample's whole pages end to end over a week at 100 Hz."""
    source = (SAMPLES / "GENEActiv_testfile.bin").read_bytes().replace(b"85.7", b"100.0")
    header, *pages = source.split(PAGE_MARK)
    whole = pages[:-1]
    count, start = 7 * 86400 * 100 // 300, datetime(2024, 3, 4)
    file = folder / "geneactiv.bin"
    with file.open("wb") as stream:
        stream.write(re.sub(rb"Pages:\d+", b"Pages:%d" % count, header))
        for number in range(count):
            at = start + timedelta(seconds=3 * number)
            page_time = at.strftime("Page Time:%Y-%m-%d %H:%M:%S:000").encode()
            page = re.sub(rb"Page Time:[^\r\n]*", page_time, whole[number % len(whole)])
            stream.write(PAGE_MARK + page)
    return file
