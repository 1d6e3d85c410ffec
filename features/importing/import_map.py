"""The import map, a TOML file that declares what the source files themselves don't say."""

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
from contracts.onset import STROKE, OnsetCodes
from contracts.vocabulary import Kind, vocabulary
from features.biomarkers.posture import DeviceAxes
from features.measurements.records import records
from features.measurements.text_tables import TableForm
from features.recording import SourceFile
from features.sources.signal_tables import SignalColumns

HEIGHT = "height_m"
HEIGHT_RANGE_M = (0.4, 2.6)


def known_zone(zone: str) -> str:
    """Return an IANA time zone as it is; empty stays empty.

    Raises
    ------
    ValueError
        There is no such zone.
    """
    try:
        return str(ZoneInfo(zone)) if zone else zone
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(
            f"{zone!r} is not an IANA time zone: use one such as Europe/Oslo"
        ) from error


class Joint(BaseModel):
    """Two placements of inertial units, one on each side of a joint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    near: str
    far: str


class PostureFiles(BaseModel):
    """How the devices of some files sit on the thigh or the trunk; posture is computed from it.

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
    def _two_axes(self) -> PostureFiles:
        if self.up[-1] == self.front[-1]:
            raise ValueError(f"{self.up} and {self.front} are the same axis: name two axes")
        return self


class FileForm(TableForm):
    """How some files are written, and where their wearers lived.

    Parameters
    ----------
    files
        Pattern of file names.
    time_zone
        IANA zone of these files' times in UTC; empty for the map's.
    """

    files: str
    time_zone: str = ""

    _known_zone = field_validator("time_zone")(known_zone)


class ImportMap(BaseModel):
    """What an import knows beside its files.

    Parameters
    ----------
    name
        Of the cohort; the source's name by default.
    time_zone
        IANA zone of files whose times are in UTC only.
    people
        CSV with a column `subject` (the label in the files) and any of `onset`, `enrolment`
        (ISO 8601), `height_m`, and facts of the vocabulary by the end of their code in small
        letters: `age`, `sex`, `affected_arm`, `site`.
    placement
        Where the device of a file was worn, by a pattern of its name: `"*_left*" = "left wrist"`.
    actigraph_counts
        Whether ActiGraph counts are computed from raw acceleration too: slow, extra `signals`.
    planned_therapy_min_a_week
        The plan that adherence is measured against.
    signals, joints
        Tables of raw signals, and which units belong to one joint.
    posture
        How devices at the thigh and the trunk are oriented.
    files
        How tables of text are written, and their zone, by a pattern of file names.
    onset
        The diagnoses whose onset counts.
    dates_shifted
        Whether all dates were shifted for anonymity, so that they may lie in any year.
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
    posture: tuple[PostureFiles, ...] = ()
    files: tuple[FileForm, ...] = ()
    onset: OnsetCodes = STROKE
    dates_shifted: bool = False

    _known_zone = field_validator("time_zone")(known_zone)

    def placement_of(self, name: str) -> str:
        """Return the declared placement of a file, empty where none is."""
        return next(
            (site for pattern, site in self.placement.items() if fnmatch(name, pattern)), ""
        )

    def form_of(self, name: str) -> FileForm | None:
        """Return how a file is written, None where that is not declared."""
        return next((form for form in self.files if fnmatch(name, form.files)), None)

    def source_file(self, path: Path, name: str, subject_label: str) -> SourceFile:
        """Return a file with all that the map declares of it."""
        form = self.form_of(name)
        return SourceFile(
            path=path,
            name=name,
            subject_label=subject_label,
            zone=(form.time_zone if form else "") or self.time_zone,
            placement=self.placement_of(name),
            form=form or TableForm(),
            onset=self.onset,
            dates_shifted=self.dates_shifted,
        )

    def signals_of(self, name: str) -> tuple[SignalColumns, ...]:
        """Return the declared signals of a table, empty where none is."""
        return tuple(entry for entry in self.signals if fnmatch(name, entry.files))

    def device_axes(self, name: str) -> DeviceAxes | None:
        """Return how the device of a file sits, None where that is not declared."""
        return next(
            (
                DeviceAxes(up=entry.up, front=entry.front)
                for entry in self.posture
                if fnmatch(name, entry.files)
            ),
            None,
        )


def read_import_map(path: Path | None) -> ImportMap:
    """Read an import map; without a file, one that declares nothing.

    Raises
    ------
    ContractError
        It can't be read or breaks its contract.
    """
    if path is None:
        return ImportMap()
    try:
        return ImportMap.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ContractError(
            f"{path}: cannot be read ({error.strerror})", "check the path"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise ContractError(
            f"{path}: not a map for recordings: {error}",
            "correct it as docs/importing.md describes",
        ) from error


def read_people(import_map: ImportMap, folder: Path) -> tuple[pd.DataFrame, dict[str, float]]:
    """Read the table of people as records, and heights in m by subject.

    Raises
    ------
    CohortInvalid
        Cells that can't be understood, each with file, row and field.
    """
    if not import_map.people:
        return records([]), {}
    try:
        table = pd.read_csv(folder / import_map.people, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ContractError(
            f"{import_map.people}: cannot be read ({error})", "check `people` in the map"
        ) from error
    codes = {name: _code(name) for name in table.columns if name not in {"subject", HEIGHT}}
    unknown = [name for name, code in codes.items() if code is None]
    if "subject" not in table or unknown:
        raise ContractError(
            f"{import_map.people}: "
            + (f"unknown column(s) {', '.join(unknown)}" if unknown else "no column subject"),
            "name the columns subject, height_m, or as docs/importing.md lists them",
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
            except ContractError as error:
                problems.append(
                    Problem(
                        file=import_map.people,
                        row=number,
                        field=name,
                        found=error.reason,
                        advice=error.what_to_do,
                    )
                )
    if problems:
        raise CohortInvalid(problems)
    return records(rows), heights


def _height(cell: str) -> float:
    metres = _number(cell)
    low, high = HEIGHT_RANGE_M
    if not low <= metres <= high:
        raise ContractError(
            f"{cell} is not a height in metres ({low:g} to {high:g})", "check the unit"
        )
    return metres


def _code(name: str) -> str | None:
    code = f"REHABCAST//{name.upper()}"
    entry = vocabulary().get(code)
    known = entry is not None and (entry.kind is Kind.PERSON or code in {ONSET, ENROLMENT})
    return code if known else None


def _record(
    subject: str, code: str, cell: str
) -> tuple[str, pd.Timestamp | None, str, float | None, str | None]:
    entry = vocabulary()[code]
    if entry.kind is Kind.EVENT:
        return (subject, _date(cell), code, None, None)
    if entry.is_numeric:
        return (subject, None, code, _number(cell), None)
    return (subject, None, code, None, cell)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise ContractError(f"{cell!r} is not a number", "correct the cell") from error


def _date(cell: str) -> pd.Timestamp:
    try:
        return pd.Timestamp(cell).tz_localize(None)
    except ValueError as error:
        raise ContractError(
            f"{cell!r} is not an ISO 8601 date ({error})", "correct the cell"
        ) from error
