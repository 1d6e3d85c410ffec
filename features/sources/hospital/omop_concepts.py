"""OMOP's concepts: what the vocabulary tables of an export say that an id means."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from contracts.errors import SourceUnreadable
from features.sources.hospital.omop_tables import CONCEPT, files_of, header_of
from features.tables.packed import UNPACKING, opened, refuse_swollen_parquet

COLUMNS = ("concept_id", "concept_name", "vocabulary_id", "concept_code")
SYSTEMS = {"LOINC": "http://loinc.org", "SNOMED": "http://snomed.info/sct"}
"""FHIR's system of OMOP's vocabularies whose codes may be in ours."""

ICD10 = "ICD10"
"""Beginning of the names of ICD-10 and its national forms, in OMOP without a hyphen."""

UCUM = "UCUM"
TEXT = pa.large_string()
NOT_MAPPED = frozenset({"", "0"})
"""What stands for a concept that nobody has mapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptRow:
    """One concept of the vocabulary table."""

    name: str
    vocabulary: str
    code: str

    @property
    def token(self) -> str:
        """FHIR's `system|code` of the concept; empty where its vocabulary has none here."""
        system = SYSTEMS.get(self.vocabulary, "")
        return f"{system}|{self.code}" if system else ""

    @property
    def is_icd10(self) -> bool:
        """Whether it is a diagnosis of ICD-10; procedures (ICD10PCS) are not."""
        return self.vocabulary.startswith(ICD10) and "PCS" not in self.vocabulary


@dataclass(frozen=True, slots=True)
class Concepts:
    """The concepts that an export's rows name, by id as text."""

    rows: Mapping[str, ConceptRow] = field(default_factory=dict)

    def get(self, concept: str) -> ConceptRow | None:
        """Return a concept; None where it is 0, or the vocabulary table does not have it."""
        return None if concept in NOT_MAPPED else self.rows.get(concept)

    def in_words(self, concept: str) -> str:
        """Return a concept for a message: its id, and what the vocabulary table calls it."""
        row = self.get(concept)
        if row is None:
            return f"concept {concept or 0}"
        return f"concept {concept} ({row.name[:80]}, {row.vocabulary} {row.code})"


def read_concepts(folder: Path, wanted: Collection[str]) -> tuple[Concepts, list[str]]:
    """Read what the vocabulary table says of some ids, and return it with the files read.

    The table has millions of rows, so it is read in pieces, and only what is wanted is kept.

    Raises
    ------
    SourceUnreadable
        It can't be read, lacks columns, or says different things of one id.
    """
    ids = pa.array(sorted(set(wanted) - NOT_MAPPED), TEXT)
    found: dict[str, ConceptRow] = {}
    files = files_of(folder, CONCEPT)
    for path in files:
        name = path.relative_to(folder).as_posix()
        for piece in _pieces(path, name):
            kept = piece.filter(pc.is_in(piece["concept_id"], value_set=ids))
            for row in kept.to_pylist():
                _add(found, row, name)
    return Concepts(found), [path.relative_to(folder).as_posix() for path in files]


def _add(found: dict[str, ConceptRow], row: dict[str, Any], name: str) -> None:
    words = {key: str(row[key] or "").strip() for key in COLUMNS}
    concept = ConceptRow(
        name=words["concept_name"], vocabulary=words["vocabulary_id"], code=words["concept_code"]
    )
    known = found.setdefault(words["concept_id"], concept)
    if (known.vocabulary, known.code) != (concept.vocabulary, concept.code):
        raise SourceUnreadable(
            name, "concept_id",
            f"{words['concept_id']} is there as {known.vocabulary} {known.code} and as"
            f" {concept.vocabulary} {concept.code}: what its rows mean is not known",
            "export the vocabulary tables again",
        )  # fmt: skip


def _pieces(path: Path, name: str) -> Iterator[pa.Table]:
    """Yield the columns that are needed, as text, some rows at a time."""
    titles, separator = header_of(path)
    if missing := [title for title in COLUMNS if title not in titles]:
        raise SourceUnreadable(
            name, "row 1", f"no column {missing[0]}", "export the table as the model has it"
        )
    try:
        if path.suffix == ".parquet":
            refuse_swollen_parquet(path, name)
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches():
                    yield _as_text(pa.Table.from_batches([batch]))
            return
        with opened(path, name) as stream:
            # The vocabulary server writes tabs and no quotation marks: one within a name is text.
            quote = False if separator == "\t" else '"'
            for batch in pyarrow.csv.open_csv(
                stream,
                parse_options=pyarrow.csv.ParseOptions(delimiter=separator, quote_char=quote),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys([*titles, *map(str.upper, titles)], TEXT),
                    strings_can_be_null=False,
                ),
            ):
                yield _as_text(pa.Table.from_batches([batch]))
    except (*UNPACKING, ValueError, pa.ArrowException) as error:
        raise SourceUnreadable(
            name, "*", f"cannot be read ({str(error)[:200]})", "export the table again"
        ) from error


def _as_text(table: pa.Table) -> pa.Table:
    table = table.rename_columns([title.lower() for title in table.column_names])
    columns = [table[title].cast(TEXT) for title in COLUMNS]
    return pa.table(columns, list(COLUMNS))


def icd10_or_snomed(row: ConceptRow) -> dict[str, str]:
    """Return a concept as FHIR's coding of a diagnosis; empty for another vocabulary."""
    if row.vocabulary == "SNOMED":
        return {"system": SYSTEMS["SNOMED"], "code": row.code}
    return {"system": "icd-10", "code": row.code} if row.is_icd10 else {}
