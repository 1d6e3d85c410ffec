"""The map that may go with an import: what the files themselves don't say."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from contracts.cohort import ENROLMENT, ONSET
from contracts.errors import CohortInvalid, ContractError, Problem
from contracts.vocabulary import Kind, vocabulary
from features.biomarkers.posture import DeviceAxes
from features.recording import records
from features.sources.signal_tables import SignalColumns

HEIGHT = "height_m"
HEIGHT_RANGE_M = (0.4, 2.6)


class Joint(BaseModel):
    """Two placements of inertial units, one on each side of a joint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    near: str
    far: str


class Attitude(BaseModel):
    """How a device sits on the thigh or the trunk, so that posture can be told.

    Parameters
    ----------
    files
        Pattern of file names.
    up, front
        The device's axes that point to the head and forward while the wearer stands: `-x`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: str
    up: Annotated[str, Field(pattern="^[+-][xyz]$")]
    front: Annotated[str, Field(pattern="^[+-][xyz]$")]

    @model_validator(mode="after")
    def _two_axes(self) -> Attitude:
        if self.up[-1] == self.front[-1]:
            raise ValueError(f"{self.up} and {self.front} are one axis: name two")
        return self


class Plan(BaseModel):
    """What an import is told beside its files.

    Parameters
    ----------
    name
        Of the cohort; the source's name by default.
    time_zone
        IANA zone of files that tell time in UTC only.
    people
        CSV with a column `subject` (the label in the files) and any of `onset`, `enrolment`
        (ISO 8601), `height_m`, and facts of the vocabulary by the end of their code in small
        letters: `age`, `sex`, `affected_arm`, `site`.
    placement
        Where the device of a file was worn, by a pattern of its name: `"*_left*" = "left wrist"`.
    actigraph_counts
        Make ActiGraph counts of raw acceleration too: slow, extra `signals`.
    planned_therapy_min_a_week
        The plan that adherence is measured against.
    signals, joints
        Tables of raw signals, and which units belong to one joint.
    posture
        How devices at the thigh and the trunk sit there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    time_zone: str = ""
    people: str = ""
    placement: dict[str, str] = {}
    actigraph_counts: bool = False
    planned_therapy_min_a_week: Annotated[float, Field(gt=0)] | None = None
    signals: tuple[SignalColumns, ...] = ()
    joints: tuple[Joint, ...] = ()
    posture: tuple[Attitude, ...] = ()

    @field_validator("time_zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            return str(ZoneInfo(zone)) if zone else zone
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{zone!r} is no IANA time zone, such as Europe/Oslo") from error

    def placement_of(self, name: str) -> str:
        """Return the declared placement of a file, empty where none is."""
        return next(
            (place for pattern, place in self.placement.items() if fnmatch(name, pattern)), ""
        )

    def signals_of(self, name: str) -> tuple[SignalColumns, ...]:
        """Return the declared signals of a table, empty where none is."""
        return tuple(entry for entry in self.signals if fnmatch(name, entry.files))

    def device_axes(self, name: str) -> DeviceAxes | None:
        """Return how the device of a file sits, None where that is not declared."""
        return next(
            (
                DeviceAxes(up=each.up, front=each.front)
                for each in self.posture
                if fnmatch(name, each.files)
            ),
            None,
        )


def read_plan(path: Path | None) -> Plan:
    """Read a map; without one, a plan that declares nothing.

    Raises
    ------
    ContractError
        It can't be read or breaks its contract.
    """
    if path is None:
        return Plan()
    try:
        return Plan.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ContractError(f"{path}: cannot be read ({error.strerror}): check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise ContractError(f"{path}: not a map for recordings: {error}") from error


def read_people(plan: Plan, folder: Path) -> tuple[pd.DataFrame, dict[str, float]]:
    """Read the table of people as records, and heights in m by subject.

    Raises
    ------
    CohortInvalid
        Cells that can't be understood, each with file, row and field.
    """
    if not plan.people:
        return records([]), {}
    try:
        table = pd.read_csv(folder / plan.people, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ContractError(f"{plan.people}: cannot be read ({error}): check the map") from error
    codes = {name: _code(name) for name in table.columns if name not in {"subject", HEIGHT}}
    unknown = [name for name, code in codes.items() if code is None]
    if "subject" not in table or unknown:
        raise ContractError(
            f"{plan.people}: needs a column subject, and knows no {', '.join(unknown) or 'other'}"
        )
    rows, problems, heights = [], [], {}
    for number, row in enumerate(table.to_dict("records"), start=2):
        for name in (HEIGHT, *codes):
            if not (cell := row.get(name, "").strip()):
                continue
            try:
                if name == HEIGHT:
                    heights[row["subject"]] = _height(cell)
                else:
                    rows.append(_record(row["subject"], str(codes[name]), cell))
            except ValueError as error:
                problems.append(Problem(file=plan.people, row=number, field=name, found=str(error)))
    if problems:
        raise CohortInvalid(problems)
    return records(rows), heights


def _height(cell: str) -> float:
    metres = float(cell)
    low, high = HEIGHT_RANGE_M
    if not low <= metres <= high:
        raise ValueError(f"{cell} is no height in metres ({low:g} to {high:g}): check the unit")
    return metres


def _code(name: str) -> str | None:
    code = f"REHABCAST//{name.upper()}"
    entry = vocabulary().get(code)
    known = entry is not None and (entry.kind is Kind.PERSON or code in {ONSET, ENROLMENT})
    return code if known else None


def _record(
    who: str, code: str, cell: str
) -> tuple[str, pd.Timestamp | None, str, float | None, str | None]:
    entry = vocabulary()[code]
    if entry.kind is Kind.EVENT:
        return (who, pd.Timestamp(cell).tz_localize(None), code, None, None)
    if entry.is_numeric:
        return (who, None, code, float(cell), None)
    return (who, None, code, None, cell)
