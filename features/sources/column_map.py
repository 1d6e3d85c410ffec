"""The column map, a TOML file that declares the columns of plain tables of values."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from contracts.declarations import read_declaration
from contracts.naming.parsing import parsed_toml
from features.measurements.wall_clock import known_zone
from features.sources.table_columns import LONGEST_DAYS
from features.tables.text_tables import TableForm, known_form

Clock = Literal["days since onset", "timestamps"]
Name = Annotated[str, Field(min_length=1)]
Day = Annotated[int, Field(ge=0, le=LONGEST_DAYS)]


class Column(BaseModel):
    """One column (of a wide table) or one name in the code column (of a long one).

    Parameters
    ----------
    column
        Its name in the table.
    code, unit
        Vocabulary code, and the unit of the values (UCUM), which are converted into the
        vocabulary's.
    labels
        What the table writes for each label of the vocabulary; unlisted values are problems.
    missing
        Cells of this column that stand for a missing value, instead of the table's. Once declared,
        even empty, no other cell is suspected to stand for one.
    date_format
        Form of this column's dates, instead of the table's.
    day
        The day of all of its values, where the column itself is a visit (`walk_6_months`): days
        since onset.
    sessions
        Whether each row is one of several of a day, such as sessions of therapy: their values, in
        the code's unit without the day (`min`), add up to the day's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    column: Name
    code: Name
    unit: str = ""
    labels: dict[str, str] = {}
    missing: tuple[str, ...] | None = None
    date_format: str = ""
    day: Day | None = None
    sessions: bool = False

    @model_serializer(mode="wrap")
    def _without_what_is_not_declared(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Write a column as before there were sessions and days of visits: provenances stay."""
        record: dict[str, Any] = serialize(self)
        if not self.sessions:
            record.pop("sessions", None)
        if self.day is None:
            record.pop("day", None)
        return record

    @field_validator("date_format")
    @classmethod
    def _known_form(cls, form: str) -> str:
        return known_form(form)


class Zoned(TableForm):
    """How a table is written, and its zone.

    Parameters
    ----------
    time_zone
        IANA zone of times in UTC.
    """

    time_zone: str = ""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        return known_zone(zone)


class Table(Zoned):
    """One file.

    Parameters
    ----------
    file, subject
        Its name beside the map, and the column with the subjects' identifiers.
    when
        The column that dates a row, on the map's clock; empty for facts of the person.
    visits
        What that column writes for each visit, where it names visits instead of days, and the day
        of each: days since onset.
    names_in, values_in
        Of a long table: the columns with the names and with the values.
    columns
        What to read.
    """

    file: Name
    subject: Name
    when: str = ""
    visits: dict[str, Day] = Field(default_factory=dict)
    names_in: str = ""
    values_in: str = ""
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _long_or_wide(self) -> Table:
        if bool(self.names_in) != bool(self.values_in):
            raise ValueError("only one of names_in and values_in is given: give both, or neither")
        if self.visits and not self.when:
            raise ValueError("visits has no column: name the one with the visits as `when`")
        if self.when and (twice := [c.column for c in self.columns if c.day is not None]):
            raise ValueError(
                f"{', '.join(twice)} has a day, and the table has dates (when): give one of them"
            )
        return self

    @property
    def has_people(self) -> bool:
        """Whether each row is a person, and not what was measured of one at a visit."""
        dated = self.when or self.names_in
        return not dated and any(column.day is None for column in self.columns)


class ColumnMap(Zoned):
    """The map.

    Parameters
    ----------
    name
        Of the cohort.
    clock
        What dates are; with days, the onset of everybody is day 0.
    simulated
        Whether no real person is in it.
    dates_shifted
        Whether all dates were shifted for anonymity, so that they may lie in any year.
    vocabulary
        File beside the map with codes that rehabcast does not ship (docs/vocabulary.md).
    tables
        The files. What the map declares of the form of tables holds for each that does not
        declare it itself.
    """

    name: Name
    clock: Clock
    simulated: bool = False
    dates_shifted: bool = False
    vocabulary: str = ""
    tables: Annotated[tuple[Table, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_clock(self) -> ColumnMap:
        counted = any(
            table.visits or any(column.day is not None for column in table.columns)
            for table in self.tables
        )
        if counted and self.clock != "days since onset":
            raise ValueError(
                "visits and the day of a column are days since onset, and the clock is"
                f' {self.clock}: write clock = "days since onset", or give dates (when)'
            )
        return self

    def form_of(self, table: Table, column: Column | None = None) -> Zoned:
        """Return how a table, or one of its columns, is written."""
        given = {
            name: getattr(source, name)
            for source in (self, table)
            for name in source.model_fields_set & set(Zoned.model_fields)
        }
        if column is not None and column.missing is not None:
            given["missing"] = column.missing
        if column is not None and column.date_format:
            given["date_format"] = column.date_format
        return Zoned(**given)


LITERAL = ("missing",)
"""Keys whose values may be a question mark: what stands for a missing value in a table."""

LARGEST_MAP = 1 << 20
"""Bytes; a larger file is data."""


def is_column_map(path: Path) -> bool:
    """Return whether a file is a column map by its content; large files are not even read.

    Of what is imported nothing else is TOML: such a file with a mistake is a column map too.
    """
    try:
        if path.stat().st_size > LARGEST_MAP:
            return False
        if path.suffix == ".toml":
            return True
        keys = parsed_toml(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    return {"clock", "tables"} <= set(keys)


def read_column_map(path: Path) -> ColumnMap:
    """Read a column map.

    Raises
    ------
    CohortInvalid
        `rehabcast cohort map` proposed it, and a person has not decided everything in it.
    ContractError
        It can't be read or breaks its contract.
    """
    return read_declaration(
        path, ColumnMap, "a column map",
        "correct it as docs/importing.md describes; `rehabcast cohort map` proposes one",
        proposed=LITERAL,
    )  # fmt: skip
