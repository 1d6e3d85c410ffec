"""GENEActiv .bin, read by `actfast`: a text header, then pages of 300 samples as text.

Pages carry no checksum, so each is judged by what it says: samples inside the device's range, time
that goes on from page to page, and as many pages as the header counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import actfast
import numpy as np

from contracts.errors import Problem, SourceUnreadable
from features.recording import NOT_STATED, Quantity, Reading, Signal, SourceFile, problem, told
from features.sources.formats import Format

RANGE_G = 8.5
"""The device measures +-8 g; calibration moves the ends a little."""


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield acceleration and temperature."""
    with told(file, "*"):
        found: dict[str, Any] = dict(actfast.read(str(file.path), lenient=True))
        fast = found["timeseries"]["high_frequency"]
        told_by = found["metadata"]
        rate = float(str(told_by["Configuration Info"]["Measurement Frequency"]).split()[0])
        promised = int(told_by["Memory Status"]["Number of Pages"])
    if rate <= 0 or not len(fast["datetime"]):
        raise SourceUnreadable(file.name, "byte 0", "no page of data follows the header")
    sound = np.asarray((np.abs(fast["acceleration"]) <= RANGE_G).all(axis=1))
    dropped = [problem(file, "pages", text) for text in found["warnings"]]
    dropped += _lost(file, len(found["timeseries"]["low_frequency"]["datetime"]), promised)
    if not sound.all():
        first = int(np.flatnonzero(~sound)[0])
        dropped.append(
            problem(
                file,
                f"sample {first}",
                f"{int((~sound).sum())} sample(s) beyond the device's range: left out",
            )
        )
    yield Reading(signals=_signals(file, found, sound, rate), dropped=tuple(dropped))


def _lost(file: SourceFile, pages: int, promised: int) -> list[Problem]:
    if pages >= promised:
        return []
    message = (
        f"the file ends after {pages} of the {promised} pages that its header counts: what is"
        " there was read; copy the file again for the rest"
    )
    return [problem(file, f"page {pages}", message)]


def _signals(
    file: SourceFile, found: dict[str, Any], sound: np.ndarray, rate: float
) -> tuple[Signal, ...]:
    fast = found["timeseries"]["high_frequency"]
    slow = found["timeseries"]["low_frequency"]
    told_by = found["metadata"]
    person = told_by.get("Subject Info", {})
    zone = str(told_by["Configuration Info"].get("Time Zone", "")).strip()
    place = _text(person.get("Device Location Code"))
    about: dict[str, Any] = {
        "who": _text(person.get("Subject Code")) or file.who,
        "device": f"GENEActiv {told_by['Device Identity']['Device Unique Serial Code']}",
        "placement": file.placement or place or NOT_STATED,
        "clock": f"device's own, set to {zone}" if zone else "wall clock as set on the device",
    }
    return (
        Signal(
            quantity=Quantity.ACCELERATION,
            time_N=fast["datetime"][sound].view("datetime64[ns]"),
            values_NC=fast["acceleration"][sound],
            epoch_s=1 / rate,
            **about,
        ),
        Signal(
            quantity=Quantity.TEMPERATURE,
            time_N=slow["datetime"].view("datetime64[ns]"),
            values_NC=slow["temperature"][:, None],
            epoch_s=300 / rate,
            **about,
        ),
    )


def _text(value: object) -> str:
    return str(value or "").replace("\0", "").strip()


FORMAT = Format(
    name="geneactiv",
    title="GENEActiv recording",
    is_mine=lambda head: head.startswith(b"Device Identity") and b"GENEActiv" in head[:400],
    read=read,
)
