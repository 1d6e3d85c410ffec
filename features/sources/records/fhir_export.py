"""FHIR in bulk: files by resource type are one export, and say something about each other.

A resource in one file names a Patient in another, perhaps by an identifier, and which arm is
affected may stand in another file than the arm's scores. Both are found in all files first, so that
it does not matter how an export was split.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.cohort import AFFECTED_ARM
from contracts.errors import SourceUnreadable
from features.recording import SourceFile
from features.sources.format import HEAD_BYTES
from features.sources.records.fhir_documents import BUNDLES, Entry, contents_of, is_fhir_head
from features.sources.records.fhir_references import Patients
from features.sources.records.fhir_statements import Statement
from features.sources.records.fhir_values import code_of_concept, observation
from features.sources.records.json_documents import documents
from features.sources.records.json_shapes import mappings
from features.tables.packed import UNPACKING, opened


@dataclass(frozen=True, slots=True)
class FhirExport:
    """What all files of an export say that each of them may need.

    Parameters
    ----------
    patients
        Its Patients, by every way in which a reference may name them.
    arms
        Affected arms that it states, by person.
    after
        By file, the number of the last Bundle of the files before it.
    """

    patients: Patients
    arms: Mapping[str, frozenset[str]] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)


def export_of(files: Sequence[SourceFile]) -> FhirExport:
    """Read of some files what they say about each other; one that can't be read says nothing.

    Parameters
    ----------
    files
        FHIR documents, not packed.
    """
    after = {file.name: number * BUNDLES for number, file in enumerate(files)}
    sided: list[tuple[Entry, SourceFile]] = []

    def named() -> Iterator[Entry]:
        for file in files:
            try:
                entries = contents_of(documents(file), file.name, after=after[file.name]).entries
            except SourceUnreadable:
                continue
            for entry in entries:
                if entry.kind == "Patient" or entry.full_url:
                    yield entry
                if entry.kind == "Observation" and _states_a_side(entry, file):
                    sided.append((entry, file))

    patients = Patients(named())
    arms: dict[str, set[str]] = defaultdict(set)
    for entry, file in sided:
        label = patients.subject_of(entry)
        for said in observation(entry.resource, file.codes):
            stated = isinstance(said, Statement) and said.code == AFFECTED_ARM and said.text
            if stated and isinstance(label, str):
                arms[label].add(str(stated))
    return FhirExport(patients, {label: frozenset(own) for label, own in arms.items()}, after)


def _states_a_side(entry: Entry, file: SourceFile) -> bool:
    parts = (entry.resource, *mappings(entry.resource.get("component")))
    codes = [code_of_concept(part.get("code"), file.codes) for part in parts]
    return any(code is not None and code.code == AFFECTED_ARM for code in codes)


def is_fhir(file: SourceFile) -> bool:
    """Return whether a file, packed or not, is a FHIR document by its beginning."""
    try:
        with opened(file.path, file.name) as stream:
            return is_fhir_head(stream.read(HEAD_BYTES))
    except (*UNPACKING, SourceUnreadable):
        return False
