"""Reads, checks and writes what a cohort folder says about itself, in `metadata/`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import meds
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from contracts.cohort import (
    CODE,
    PROVENANCE_FILE,
    SUBJECT,
    SUBJECT_LABEL,
    SUBJECTS_FILE,
    Provenance,
)
from contracts.errors import CohortInvalid, Problem
from contracts.vocabulary import NOTHING, Additions, added_among, vocabulary
from contracts.vocabulary.additions import VOCABULARY_FILE, as_toml, read_additions
from features.cohort.stored import (
    FAULTS,
    damaged,
    faults_as_problems,
    read_object,
    read_stored,
)

OWN_CODES = f"metadata/{VOCABULARY_FILE}"
"""What the cohort's codes mean that rehabcast does not ship."""

SUBJECTS_SCHEMA = pa.schema([(SUBJECT, pa.int64()), (SUBJECT_LABEL, pa.string())])
PROVENANCE_KEYS = frozenset(Provenance.__dataclass_fields__)


def write_metadata(provenance: Provenance, labels: Mapping[int, str], draft: Path) -> None:
    """Write the metadata of a draft whose data files are there already."""
    codes = _codes_in(draft)
    if own := added_among(codes).codes:
        (draft / OWN_CODES).write_text(as_toml(Additions(OWN_CODES, own)), "utf-8")
    pq.write_table(code_table(codes), draft / meds.code_metadata_filepath, write_page_checksum=True)
    dataset = meds.DatasetMetadataSchema(
        dataset_name=provenance.name, etl_name="rehabcast", meds_version=meds.__version__
    )
    (draft / meds.dataset_metadata_filepath).write_text(json.dumps(dataset.to_dict(), indent=2))
    (draft / PROVENANCE_FILE).write_text(json.dumps(asdict(provenance), indent=2))
    if labels:
        ordered = sorted(labels.items())
        table = pa.table(
            [[number for number, _ in ordered], [label for _, label in ordered]],
            schema=SUBJECTS_SCHEMA,
        )
        pq.write_table(table, draft / SUBJECTS_FILE, write_page_checksum=True)


def code_table(codes: Iterable[str]) -> pa.Table:
    """Return name, unit and range of codes, as MEDS describes them."""
    seen = set(codes)
    used = [entry for code, entry in vocabulary().items() if code in seen]
    table = pa.table(
        {
            "code": pa.array([entry.code for entry in used], pa.string()),
            "description": pa.array([entry.name for entry in used], pa.string()),
            "parent_codes": pa.array([[] for _ in used], pa.list_(pa.string())),
            "unit": pa.array([entry.unit for entry in used], pa.string()),
            "low": pa.array([entry.low for entry in used], pa.float64()),
            "high": pa.array([entry.high for entry in used], pa.float64()),
            "modality": pa.array([entry.modality for entry in used], pa.string()),
        }
    )
    meds.CodeMetadataSchema.validate(table)
    return table


def read_own_codes(folder: Path) -> Additions:
    """Return what the cohort's own codes mean; nothing where it has none.

    Raises
    ------
    CohortInvalid, ContractError
        The file is no vocabulary, with everything that is wrong with it, or cannot be read.
    """
    file = folder / OWN_CODES
    return read_additions(file) if _is_there(file) else NOTHING


def _codes_in(draft: Path) -> set[str]:
    seen: set[str] = set()
    for file in (draft / meds.data_subdirectory).glob("*.parquet"):
        seen |= set(pq.read_table(file, columns=[CODE])[CODE].unique().to_pylist())
    return seen


def check_metadata(folder: Path) -> list[Problem]:
    """Return what is damaged in the files that MEDS describes; a cohort may lack them."""
    problems: list[Problem] = []
    codes, dataset = (
        folder / name for name in (meds.code_metadata_filepath, meds.dataset_metadata_filepath)
    )
    if _is_there(codes):
        with faults_as_problems(meds.code_metadata_filepath, folder, problems):
            table = read_stored(codes)
            meds.CodeMetadataSchema.align(table)
            problems += _other_units(table)
    if _is_there(dataset):
        with faults_as_problems(meds.dataset_metadata_filepath, folder, problems):
            meds.DatasetMetadataSchema.validate(read_object(dataset))
    return problems


def _is_there(file: Path) -> bool:
    """Return whether there is a file, also one that is only a link to nothing."""
    return file.exists() or file.is_symlink()


def _other_units(table: pa.Table) -> list[Problem]:
    """Return codes whose unit is not the vocabulary's: their values can't be compared."""
    if "unit" not in table.column_names:
        return []
    words = vocabulary()
    return [
        Problem(
            file=meds.code_metadata_filepath,
            row=None,
            field=code,
            found=f"its unit is {unit!r}, expected {words[code].unit!r}",
            advice="convert the values, and correct the unit",
        )
        for code, unit in zip(table["code"].to_pylist(), table["unit"].to_pylist(), strict=True)
        if unit and code in words and unit != words[code].unit
    ]


def read_labels(folder: Path) -> dict[int, str]:
    """Return the source's identifier of each subject; empty where the cohort has none.

    Raises
    ------
    CohortInvalid
        The file is damaged, or two people share a number or an identifier.
    """
    file = folder / SUBJECTS_FILE
    if not _is_there(file):
        return {}
    problems: list[Problem] = []
    with faults_as_problems(SUBJECTS_FILE, folder, problems):
        table = read_stored(file)
        names = {field.name: field.type for field in table.schema}
        if not pa.types.is_integer(names.get(SUBJECT, pa.null())):
            raise ValueError(f"no column {SUBJECT} of whole numbers")
        if not _is_text(names.get(SUBJECT_LABEL, pa.null())):
            raise ValueError(f"no column {SUBJECT_LABEL} of text")
        numbers, labels = table[SUBJECT].to_pylist(), table[SUBJECT_LABEL].to_pylist()
    if problems:
        raise CohortInvalid(problems)
    problems = [
        _about_labels(f"{value!r} stands {what}", row)
        for row, value, what in (
            *_faulty(numbers, "for several subjects"),
            *_faulty(labels, "for several subjects"),
        )
    ]
    if problems:
        raise CohortInvalid(problems)
    return dict(zip(numbers, labels, strict=True))


def check_labels(labels: Mapping[int, str], events: pd.DataFrame) -> list[Problem]:
    """Return subjects of the events without an identifier, and identifiers of several subjects."""
    if not labels:
        return []
    lacking = set(events[SUBJECT].dropna().unique().tolist()) - set(labels)
    shared = pd.Series(list(labels.values()), dtype=object)
    return [
        *(
            _about_labels(f"subject_id {number} has no {SUBJECT_LABEL}")
            for number in sorted(lacking)
        ),
        *(
            _about_labels(f"{label!r} stands for several subjects")
            for label in sorted(set(shared[shared.duplicated()]))
        ),
    ]


def _faulty(values: Sequence[object], what: str) -> list[tuple[int, object, str]]:
    seen: set[object] = set()
    faulty: list[tuple[int, object, str]] = []
    for row, value in enumerate(values, start=2):
        if value is None or value == "":
            faulty.append((row, value, "where a subject is expected"))
        elif value in seen:
            faulty.append((row, value, what))
        seen.add(value)
    return faulty


def _about_labels(found: str, row: int | None = None) -> Problem:
    return Problem(
        file=SUBJECTS_FILE,
        row=row,
        field=SUBJECT_LABEL,
        found=found,
        advice="give every subject one identifier of its own",
        cause="subjects without an identifier of their own",
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def read_provenance(folder: Path) -> Provenance:
    """Return where a cohort comes from; a cohort of other programs need not say.

    Raises
    ------
    CohortInvalid
        The file is damaged.
    """
    file = folder / PROVENANCE_FILE
    if not _is_there(file):
        return Provenance(name=folder.name, source="MEDS folder", simulated=False)
    try:
        record = read_object(file)
        if unknown := sorted(set(record) - PROVENANCE_KEYS):
            raise ValueError(f"unknown key {', '.join(unknown)}")
        if unsaid := sorted({"name", "source", "simulated"} - set(record)):
            raise ValueError(f"no {', '.join(unsaid)}")
        return TypeAdapter(Provenance).validate_json(json.dumps(record), strict=True)
    except FAULTS as error:
        raise CohortInvalid([damaged(PROVENANCE_FILE, error, folder)]) from error
