"""Exercise at home: what is prescribed (`programme`) and what was done (`sets`, `set_files`).

A recogniser writes sets, and adherence, quality and next week's dose are read from them.
"""

from contracts.exercise.programme import (
    Exercise,
    Per,
    Programme,
    Recording,
    Side,
    read_programme,
)
from contracts.exercise.set_files import as_csv, as_json, joined, read_sets, write_sets
from contracts.exercise.sets import ExerciseSet, Repetition, SetFile, Span, faults_of

__all__ = [
    "Exercise",
    "ExerciseSet",
    "Per",
    "Programme",
    "Recording",
    "Repetition",
    "SetFile",
    "Side",
    "Span",
    "as_csv",
    "as_json",
    "faults_of",
    "joined",
    "read_programme",
    "read_sets",
    "write_sets",
]
