"""The page of instruments, made from the files that are shipped."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.naming.units import unit_in_words
from contracts.vocabulary import Code, Kind, shipped
from contracts.vocabulary.changes import difference_in_words, figure_in_words, size_in_words
from contracts.vocabulary.code import values_in_words
from contracts.vocabulary.instruments import Instrument, MeasurementError, instruments

HEAD = """# Instruments

Made from `contracts/vocabulary/shipped.toml`, `contracts/vocabulary/instruments.toml` and
`contracts/vocabulary/figures.toml` by `KEEP_TEXTS=1 pytest tests/contracts/vocabulary/test_instruments_page.py`: change
the files, not this page. Your own instruments: docs/vocabulary.md.

- **To be confirmed.** A range, step or direction with this mark was recalled and read nowhere. It is said wherever the code
  is used: in a cohort's table and report, in refusals of impossible values, in the checks of a task, in model cards and audits.
  Check it against the instrument's manual before you rely on it; where it is wrong for you, define a code of your own.
- **Important differences and measurement errors** were read at their source, nearly always the abstract, or were noted when
  they were read for other work (*noted*); none is here that was only recalled. A difference belongs to a population, a time and
  an anchor. One that is below the measurement error is partly noise in one person: `train` says so of a task, a forecast and
  an alert of a patient.
- **Notes and licences** are recalled but where they say *(read)*. No text of an item is shipped.
- **Items and totals** may stand side by side in a cohort. A total is read as it was recorded and never added from items, of which
  one may be missing.
- **Read by** names the codes by which records of FHIR are read, beside `urn:rehabcast:vocabulary` with the name of the code, which
  always works: SNOMED CT needs a licence of its own. A code that means two forms of an instrument reads nothing and
  stands under *also coded as*.

This material contains content from LOINC (http://loinc.org). LOINC is copyright Regenstrief Institute, Inc. and the Logical
Observation Identifiers Names and Codes (LOINC) Committee and is available at no cost under the license at
http://loinc.org/license. LOINC is a registered United States trademark of Regenstrief Institute, Inc.
"""
SYSTEMS = {"http://loinc.org": "LOINC", "http://snomed.info/sct": "SNOMED CT"}
KINDS = {
    "sem": "standard error", "mdc": "detectable change", "mdc90": "detectable change (90 %)",
    "mdc95": "detectable change (95 %)", "sdc": "detectable change", "variation": "visit to visit",
}  # fmt: skip


def page() -> str:
    """Return the whole page."""
    known = instruments()
    scores = [entry for entry in shipped().values() if entry.kind is Kind.ASSESSMENT]
    items = [entry for entry in scores if entry.code in known and known[entry.code].of]
    whole = [entry for entry in scores if entry not in items]
    return "\n".join(
        [
            HEAD,
            "## Instruments and totals",
            *_table(
                (
                    "instrument", "values", "important differences", "measurement error", "note",
                    "licence", "read by",
                ),
                (_row(entry, known.get(entry.code)) for entry in whole),
            ),
            "",
            "## Items",
            *_table(
                ("item", "values", "of", "read by"),
                (
                    (_name(e, known[e.code]), _values(e), f"`{known[e.code].of}`", _read_by(e))
                    for e in items
                ),
            ),
            "",
        ]
    )  # fmt: skip


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [
        _line(columns),
        _line(["---"] * len(columns)),
        *(_line(part.replace("|", "\\|") for part in row) for row in rows),
    ]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(entry: Code, known: Instrument | None) -> tuple[str, ...]:
    if known is None:
        return (_name(entry, None), _values(entry), "", "", "", "", _read_by(entry))
    read_by = _read_by(entry)
    others = [c for c in known.coded if f"{c.system} {c.code}" not in read_by]
    if others:
        also = ", ".join(f"{each.system} {each.code}" for each in others)
        read_by = f"{read_by}; also coded as {also}".removeprefix("; ")
    return (
        _name(entry, known), _values(entry),
        _listed(_noted(difference_in_words(entry.code, d), d.standing) for d in known.differences),
        _listed(_noted(_error(entry, e), e.standing) for e in known.errors),
        _listed(part for part in (known.note, _rule(known)) if part), known.licence, read_by,
    )  # fmt: skip


def _rule(known: Instrument) -> str:
    rule = known.recovery_rule
    if rule is None:
        return ""
    said = f"recovery rule: {rule.share:.0%} of the missing points come back ({rule.population})"
    return f"{_noted(said, rule.standing)}, {rule.source}"


def _name(entry: Code, known: Instrument | None) -> str:
    short = f" ({known.abbreviation})" if known is not None and known.abbreviation else ""
    return f"{entry.name}{short}<br>`{entry.code}`"


def _values(entry: Code) -> str:
    unit = unit_in_words(entry.unit)
    values = values_in_words(entry.low, entry.high, unit, entry.labels, entry.better)
    step = f", steps of {entry.step:g}" if entry.step else ""
    confirm = f"; **{entry.to_confirm}**" if entry.to_confirm else ""
    return f"{values}{step}{confirm}"


def _error(entry: Code, error: MeasurementError) -> str:
    about = figure_in_words(error)
    return f"{KINDS[error.kind]} {size_in_words(entry.code, error)} ({about})"


def _noted(text: str, standing: str) -> str:
    return text if standing == "read" else f"{text} (noted)"


def _listed(parts: Iterable[str]) -> str:
    return "<br>".join(parts)


def _read_by(entry: Code) -> str:
    tokens = [token.rpartition("|") for token in entry.fhir]
    return ", ".join(f"{SYSTEMS.get(system, system)} {code}" for system, _, code in tokens)
