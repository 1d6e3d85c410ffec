"""The import map, a TOML file that declares what the source files themselves don't say."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from contracts.declarations import read_declaration
from contracts.errors import ContractError
from contracts.onset import STROKE, OnsetCodes
from features.biomarkers.posture import DeviceAxes
from features.measurements.placements import SIDES, declared_placement
from features.measurements.wall_clock import known_zone
from features.recording import SourceFile
from features.sources.signal_tables import SignalColumns
from features.tables.text_tables import TableForm


class Joint(BaseModel):
    """Two placements of inertial units, one on each side of a joint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    near: str
    far: str

    _known_placements = field_validator("near", "far")(declared_placement)


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


class OwnCode(BaseModel):
    """What a code of the hospital's own system is, in FHIR.

    Parameters
    ----------
    system, code
        As a coding has them.
    means
        A code of the vocabulary.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: Annotated[str, Field(min_length=1)]
    code: Annotated[str, Field(min_length=1)]
    means: Annotated[str, Field(min_length=1)]


class ImportMap(BaseModel):
    """What an import knows beside its files.

    Parameters
    ----------
    name
        Of the cohort; the source's name by default.
    time_zone
        IANA zone of files whose times are in UTC only.
    people
        CSV or Parquet with a column `subject` (the label in the files) and any of `onset`,
        `enrolment`, `height_m`, and facts of the vocabulary by the end of their code in small
        letters: `age`, `sex`, `affected_arm`, `site`; of a code of your own also the whole code.
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
    simulated
        Whether nobody moved: what is made of these recordings says so.
    vocabulary
        File beside the map with codes that rehabcast does not ship (docs/vocabulary.md).
    codes
        The vocabulary's code of codes of the hospital's own in FHIR.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1)] = ""
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
    simulated: bool = False
    vocabulary: str = ""
    codes: tuple[OwnCode, ...] = ()

    _known_zone = field_validator("time_zone")(known_zone)

    @field_validator("placement")
    @classmethod
    def _known_placements(cls, placement: dict[str, str]) -> dict[str, str]:
        return {pattern: declared_placement(site) for pattern, site in placement.items()}

    def placement_of(self, name: str) -> str:
        """Return the declared placement of a file, empty where none is.

        Raises
        ------
        ContractError
            Its name matches patterns of the left and of the right side.
        """
        declared = {p: site for p, site in self.placement.items() if fnmatch(name, p)}
        sides = {side for side in SIDES for site in declared.values() if side in site.split()}
        if len(sides) > 1:
            raise ContractError(
                f"{name}: its name matches {' and '.join(map(repr, declared))} of [placement],"
                " which are of different sides",
                "make the patterns narrower, so that each file has one side",
            )
        return next(iter(declared.values()), "")

    def unused_patterns(self, names: Collection[str]) -> dict[str, list[str]]:
        """Return the patterns that no file's name matches, by section of the map."""
        patterns = {
            "[placement]": list(self.placement),
            "[[signals]]": [entry.files for entry in self.signals],
            "[[posture]]": [entry.files for entry in self.posture],
            "[[files]]": [entry.files for entry in self.files],
        }
        everything = [*names, *filter(None, (self.people,))]
        unused = {
            section: [p for p in dict.fromkeys(declared) if not _matches_any(p, everything)]
            for section, declared in patterns.items()
        }
        return {section: declared for section, declared in unused.items() if declared}

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
            codes={f"{each.system}|{each.code}": each.means for each in self.codes},
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


def _matches_any(pattern: str, names: Collection[str]) -> bool:
    return any(fnmatch(name, pattern) for name in names)


def read_import_map(path: Path | None) -> ImportMap:
    """Read an import map; without a file, one that declares nothing.

    Raises
    ------
    ContractError
        It can't be read or breaks its contract.
    """
    if path is None:
        return ImportMap()
    return read_declaration(
        path, ImportMap, "a map for recordings", "correct it as docs/importing.md describes"
    )
