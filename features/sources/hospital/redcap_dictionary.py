"""REDCap's data dictionary: what each field of a project is, as the project itself declares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from contracts.errors import CohortInvalid, Problem
from features.tables.cells import text_series
from features.tables.table_files import read_table
from features.tables.text_tables import TableForm

NAMES = {
    "name": ("Variable / Field Name", "field_name"),
    "form": ("Form Name", "form_name"),
    "kind": ("Field Type", "field_type"),
    "label": ("Field Label", "field_label"),
    "choices": ("Choices, Calculations, OR Slider Labels", "select_choices_or_calculations"),
    "validation": (
        "Text Validation Type OR Show Slider Number",
        "text_validation_type_or_show_slider_number",
    ),
    "low": ("Text Validation Min", "text_validation_min"),
    "high": ("Text Validation Max", "text_validation_max"),
    "identifier": ("Identifier?", "identifier"),
}
"""Columns of the dictionary as the website and as the API write them."""

NEEDED = ("name", "form", "kind", "choices")
CHOSEN = frozenset({"radio", "dropdown"})
YES_OR_NO = {"yesno": {"1": "Yes", "0": "No"}, "truefalse": {"1": "True", "0": "False"}}
CHECKED = {"1": "Checked", "0": "Unchecked"}
CHECKBOX = "checkbox"
BETWEEN = "___"
"""Between the name of a checkbox field and the code of the choice, in a column's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectField:
    """One field of the project, or one choice of a checkbox field.

    Parameters
    ----------
    name, form, kind, label
        Of the dictionary; the name is that of the column in a raw export.
    choices
        Label of each code; empty where the field is not chosen from a list.
    validation, low, high
        What a text must be, and between what.
    is_identifier
        Whether the project says that it identifies people.
    """

    name: str
    form: str
    kind: str
    label: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    validation: str = ""
    low: str = ""
    high: str = ""
    is_identifier: bool = False

    @property
    def is_date(self) -> bool:
        """Whether the project lets nothing but dates into it, which are exported as ISO 8601."""
        return self.validation.startswith(("date_", "datetime_"))

    @property
    def decimal(self) -> str:
        """The sign of decimals."""
        return "," if self.validation.endswith("comma_decimal") else "."


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionary:
    """A project's fields by name, the one of the records' identifier first."""

    file: str
    fields: Mapping[str, ProjectField]

    @property
    def record(self) -> str:
        """Name of the field with the records' identifier: REDCap's first."""
        return next(iter(self.fields))


def is_dictionary(titles: list[str]) -> bool:
    """Return whether a table with these columns is a data dictionary."""
    return all(set(NAMES[part]) & set(titles) for part in NEEDED)


def read_dictionary(path: Path, form: TableForm) -> Dictionary:
    """Read a data dictionary.

    Raises
    ------
    SourceUnreadable
        It is no table.
    CohortInvalid
        A field is there twice, or two of its choices have one code.
    """
    rows = read_table(path, path.name, form)
    columns = {
        part: next((text_series(rows.cells[t]) for t in names if t in rows.cells.columns), None)
        for part, names in NAMES.items()
    }
    blank = pd.Series("", rows.cells.index, dtype="str")
    table = pd.DataFrame({part: blank if c is None else c for part, c in columns.items()})
    fields: dict[str, ProjectField] = {}
    faults: list[Problem] = []
    for row, entry in zip(table.index, table.to_dict("records"), strict=True):
        words = {str(key): str(value) for key, value in entry.items()}
        for each in _fields(words, path.name, int(row), faults):
            if each.name in fields:
                faults.append(_fault(path.name, int(row), each.name, "the field is there twice"))
            fields[each.name] = each
    if not fields:
        faults.append(_fault(path.name, None, "*", "the dictionary has no fields"))
    if faults:
        raise CohortInvalid(faults)
    return Dictionary(file=path.name, fields=fields)


def _fields(
    words: dict[str, str], file: str, row: int, faults: list[Problem]
) -> list[ProjectField]:
    """Return the columns that a row of the dictionary has in an export."""
    if not words["name"]:
        return []
    is_coded = words["kind"] in {*CHOSEN, CHECKBOX}
    choices = _choices(words["choices"], file, row, words["name"], faults) if is_coded else {}
    entry = ProjectField(
        name=words["name"], form=words["form"], kind=words["kind"], label=words["label"],
        choices=YES_OR_NO.get(words["kind"], choices), validation=words["validation"],
        low=words["low"], high=words["high"],
        is_identifier=words["identifier"].strip().lower() == "y",
    )  # fmt: skip
    if words["kind"] != CHECKBOX:
        return [entry]
    return [
        ProjectField(
            name=f"{entry.name}{BETWEEN}{_in_a_name(code)}", form=entry.form, kind=CHECKBOX,
            label=f"{entry.label} (choice={label})", choices=CHECKED,
            is_identifier=entry.is_identifier,
        )
        for code, label in choices.items()
    ]  # fmt: skip


def _in_a_name(code: str) -> str:
    """Return a code as REDCap writes it in a column's name: small, a minus as an underscore."""
    return code.lower().replace("-", "_")


def _choices(written: str, file: str, row: int, name: str, faults: list[Problem]) -> dict[str, str]:
    """Read `1, Left | 2, Right`."""
    choices: dict[str, str] = {}
    for part in written.split("|"):
        code, comma, label = part.partition(",")
        if not comma or not code.strip():
            faults.append(
                _fault(file, row, name, f"{part.strip()[:60]!r} is no choice `code, label`")
            )
        elif code.strip() in choices:
            faults.append(_fault(file, row, name, f"the code {code.strip()!r} has two choices"))
        else:
            choices[code.strip()] = label.strip()
    return choices


def _fault(file: str, row: int | None, name: str, found: str) -> Problem:
    return Problem(
        file=file, row=row, field=name, found=found, advice="download the data dictionary again"
    )
