"""Recordings of a wrist from files, by the map that declares their columns, units and placement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from contracts.errors import ContractError, Problem, SourceUnreadable
from contracts.exercise import Side
from features.exercise.motion import Motion, motions
from features.exercise.units import require_declared_unit
from features.importing.import_map import ImportMap
from features.measurements.placements import SIDES
from features.recording import Quantity, Reading, Signal
from features.sources import formats
from features.sources.signal_tables import read_signals

SITE = "wrist"
TRUNK = ("chest", "sternum", "trunk", "upper back")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording of one wrist, what was left out of its file, and whether it is SIMULATED."""

    side: Side
    motions: tuple[Motion, ...]
    dropped: tuple[Problem, ...]
    simulated: bool


def read_recording(path: Path, declared: ImportMap) -> Recording:
    """Read a file as a recording of one wrist.

    Raises
    ------
    ContractError
        It can't be read, is not declared or not in the unit declared, is of no wrist or of several,
        or its clock goes back.
    """
    placements, pieces, dropped = _read(path, declared)
    return Recording(
        side=_side(placements, path), motions=pieces, dropped=dropped, simulated=declared.simulated
    )


def read_trunk(path: Path, declared: ImportMap) -> tuple[Motion, ...]:
    """Read a file as a recording of the trunk.

    Raises
    ------
    ContractError
        As of a wrist; or it is not of the trunk, or has no gyroscope.
    """
    placements, pieces, _ = _read(path, declared)
    if len(placements) != 1 or not placements <= set(TRUNK):
        said = " and ".join(sorted(map(repr, placements)))
        raise ContractError(
            f"{path.name}: it was worn at {said}, and not on the trunk",
            f"declare it in the map: placement = one of {', '.join(TRUNK)}",
        )
    if not all(each.has_rotation for each in pieces):
        raise ContractError(
            f"{path.name}: it has no rotation, and without a gyroscope nobody can tell how far a"
            " trunk turns",
            "declare its rotation in [[signals]] of the map, or leave this recording out",
        )
    return pieces


def _read(
    path: Path, declared: ImportMap
) -> tuple[set[str], tuple[Motion, ...], tuple[Problem, ...]]:
    """Return where a file was recorded, its pieces, and what was left out of it."""
    file = declared.source_file(path, path.name, path.stem)
    columns = declared.signals_of(path.name)
    readings = read_signals(file, columns) if columns else formats.read(file)
    placements: set[str] = set()
    dropped: list[Problem] = []

    def parts() -> Iterator[tuple[Signal, Signal | None]]:
        for reading in readings:
            dropped.extend(reading.dropped)
            pair = _of_reading(reading, path, file.placement)
            if pair is not None:
                placements.add(
                    pair[0].placement if columns else file.placement or pair[0].placement
                )
                yield pair

    try:
        pieces = motions(parts())
        require_declared_unit(pieces)
    except SourceUnreadable:
        raise
    except ContractError as error:
        raise ContractError(f"{path.name}: {error.reason}", error.what_to_do) from error
    return placements, tuple(pieces), tuple(dropped)


def _of_reading(
    reading: Reading, path: Path, placement: str
) -> tuple[Signal, Signal | None] | None:
    of = {
        quantity: [each for each in reading.signals if each.quantity is quantity]
        for quantity in (Quantity.ACCELERATION, Quantity.ROTATION)
    }
    acceleration, rotation = of[Quantity.ACCELERATION], of[Quantity.ROTATION]
    if not acceleration:
        return None
    if len(acceleration) > 1 or len(rotation) > 1:
        raise ContractError(
            f"{path.name}: it holds several units of one kind",
            "declare those of one wrist only in [[signals]] of the map",
        )
    if rotation and rotation[0].placement != acceleration[0].placement:
        raise ContractError(
            f"{path.name}: acceleration is of the {acceleration[0].placement} and rotation of the"
            f" {rotation[0].placement}",
            "declare the same placement for both in the map",
        )
    return acceleration[0], rotation[0] if rotation else None


def _side(placements: set[str], path: Path) -> Side:
    side, _, site = next(iter(placements)).partition(" ")
    if len(placements) != 1 or side not in SIDES or site != SITE:
        said = " and ".join(sorted(map(repr, placements)))
        raise ContractError(
            f"{path.name}: it was worn at {said}, and exercise is recognised at one wrist whose"
            " side is known",
            'declare it in the map: placement = "left wrist"',
        )
    return cast(Side, side)
