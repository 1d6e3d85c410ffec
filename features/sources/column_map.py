"""The column map, a TOML file that declares the columns of plain tables of values."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.errors import ContractError

Clock = Literal["days since onset", "timestamps"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """One column (of a wide table) or one name in the code column (of a long one).

    Parameters
    ----------
    column
        Its name in the table.
    code, unit
        Vocabulary code, and the unit of the values, which must be the vocabulary's.
    labels
        What the table writes for each label of the vocabulary; unlisted values are problems.
    """

    column: str
    code: str
    unit: str = ""
    labels: dict[str, str] = {}


class Table(_Strict):
    """One file.

    Parameters
    ----------
    file, subject
        Its name beside the map, and the column with whole-number subject ids.
    when
        The column that dates a row, on the map's clock; empty for facts of the person.
    names_in, values_in
        Of a long table: the columns with the names and with the values.
    columns
        What to read.
    """

    file: str
    subject: str
    when: str = ""
    names_in: str = ""
    values_in: str = ""
    columns: tuple[Column, ...]


class ColumnMap(_Strict):
    """The map. `clock` declares what dates are; with days, the onset of everybody is day 0."""

    name: str
    clock: Clock
    simulated: bool = False
    tables: tuple[Table, ...]


LARGEST_MAP = 1 << 20
"""Bytes; a larger file is data."""


def is_column_map(path: Path) -> bool:
    """Return whether a file is a column map by its content; large files are not even read."""
    try:
        if path.stat().st_size > LARGEST_MAP:
            return False
        keys = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    return {"clock", "tables"} <= set(keys)


def read_column_map(path: Path) -> ColumnMap:
    """Read a column map.

    Raises
    ------
    ContractError
        It can't be read or breaks its contract.
    """
    try:
        declared = ColumnMap.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ContractError(
            f"{path}: cannot be read ({error.strerror})", "check the path"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise ContractError(
            f"{path}: not a column map: {error}", "correct it as docs/importing.md describes"
        ) from error
    for table in declared.tables:
        if bool(table.names_in) != bool(table.values_in):
            raise ContractError(
                f"{path}: {table.file}: only one of names_in and values_in is given",
                "give both, or neither",
            )
    return declared
