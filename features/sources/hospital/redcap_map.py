"""The map of a REDCap project: which of its fields is which code, and which field dates it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.declarations import read_declaration
from contracts.errors import ContractError
from features.sources.column_map import ColumnMap, Name, Table, Zoned


class FieldOfCode(BaseModel):
    """One field of the project.

    Parameters
    ----------
    field
        Its name in the dictionary; of a checkbox `name___code`.
    code, unit
        Vocabulary code, and the UCUM unit of its numbers.
    date
        The field of the same row that dates it; empty for facts of a person.
    labels
        The vocabulary's label for a choice's code or label; of a choice whose label is the
        vocabulary's own nothing needs to be declared.
    code_is_value
        Whether the code of a choice is the number that is meant (`3, Moderate` is a 3).
    events
        The events that it counts in, as the export writes them; empty for all.
    missing
        As in a column map.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    field: Name
    code: Name
    unit: str = ""
    date: str = ""
    labels: dict[str, str] = {}
    code_is_value: bool = False
    events: tuple[str, ...] = ()
    missing: tuple[str, ...] | None = None


class RedcapMap(Zoned):
    """The map.

    Parameters
    ----------
    name, simulated, dates_shifted, vocabulary
        As in a column map.
    subject
        The field that identifies people; the record's by default.
    fields
        What to read.
    """

    name: str = ""
    simulated: bool = False
    dates_shifted: bool = False
    vocabulary: str = ""
    subject: str = ""
    fields: Annotated[tuple[FieldOfCode, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _once(self) -> RedcapMap:
        said = [(each.field, each.code, event) for each in self.fields
                for event in each.events or ("",)]  # fmt: skip
        if twice := sorted({each[0] for each in said if said.count(each) > 1}):
            raise ValueError(f"{', '.join(twice)} is there twice for one code")
        return self

    def columns(self, table: Table) -> ColumnMap:
        """Return the column map of one table of the export, written as the map declares."""
        form = {name: getattr(self, name) for name in Zoned.model_fields}
        return ColumnMap(name=self.name or "redcap", clock="timestamps", tables=(table,), **form)


def read_redcap_map(path: Path | None) -> RedcapMap:
    """Read the map.

    Raises
    ------
    ContractError
        There is none, it can't be read or breaks its contract.
    """
    advice = "correct it as docs/importing.md describes"
    if path is None:
        raise ContractError(
            "a REDCap project needs a map that says which of its fields is which code",
            "write one as docs/importing.md describes, and name it with --map",
        )
    return read_declaration(path, RedcapMap, "a map for REDCap", advice)
