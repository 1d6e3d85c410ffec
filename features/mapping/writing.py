"""A proposal as the text of a map, to be read and confirmed by a person."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from contracts.naming.open_points import OPEN
from features.mapping.findings import (
    ColumnProposal,
    Finding,
    LeftOut,
    MapProposal,
    Standing,
    TableProposal,
)
from features.mapping.wording import comment, left_out_in_words, note_in_words, quoted

HEAD = """\
# Proposed by `rehabcast cohort map`. Nothing is imported before a person has looked at it:
#   "?"             nobody could tell: write the answer.
#   confirm = true  a guess: correct what is wrong, then delete `confirm = true`.
# Then: rehabcast cohort import auto {name} COHORT. What the keys mean: docs/importing.md."""

TABLE_KEYS = (
    "encoding", "separator", "decimal", "thousands", "date_format", "time_zone", "subject", "when",
    "names_in", "values_in",
)  # fmt: skip
SCORE = "{score}"
COLUMN_KEYS = ("code", "unit", "date_format")


def map_text(proposal: MapProposal, file_name: str = "map.toml") -> str:
    """Return the text of a map."""
    return "\n".join(_lines(proposal, file_name)) + "\n"


def _lines(proposal: MapProposal, file_name: str) -> Iterator[str]:
    yield HEAD.format(name=file_name)
    yield ""
    yield f"name = {quoted(proposal.name)}"
    for finding in proposal.findings:
        yield from _key(finding)
    if any(finding.standing is Standing.GUESSED for finding in proposal.findings):
        yield "confirm = true"
    yield "# simulated = true  # where no real person is in it"
    stubs = [(c, t.of_people) for t in proposal.tables for c in t.columns if own_code(c)]
    if stubs:
        yield '# vocabulary = "codes.toml"  # your own codes: see the end of this file'
    for note in proposal.notes:
        yield ""
        yield from _comment(note_in_words(note))
    for table in proposal.tables:
        yield from _table(table)
    if stubs:
        yield from _stubs(stubs)


def _key(finding: Finding) -> Iterator[str]:
    yield from _comment(comment(finding))
    yield f"{finding.key} = {quoted(finding.value)}"


def _comment(text: str, indent: str = "") -> Iterator[str]:
    """Yield a comment, in lines that can be read."""
    line = ""
    for word in text.split(" "):
        if line and len(line) + len(word) > 100:
            yield f"{indent}# {line}"
            line = ""
        line = f"{line} {word}".strip()
    yield f"{indent}# {line}"


def _table(table: TableProposal) -> Iterator[str]:
    yield ""
    yield "[[tables]]"
    yield f"file = {quoted(table.file)}"
    for key in TABLE_KEYS:
        if (finding := table.finding(key)) is not None:
            yield from _key(finding)
    if any(finding.standing is Standing.GUESSED for finding in table.findings):
        yield "confirm = true  # what is guessed above"
    yield "columns = ["
    for column in table.columns:
        if column.findings:
            yield from _column(column)
    yield "]"
    for column in table.columns:
        if own_code(column):
            yield from _comment(
                f"{quoted(column.column)}: {left_out_in_words(column)}. To read it:"
            )
            own = f'column = {quoted(column.column)}, code = "{own_code(column)}"'
            yield f"#   {{ {own}{_unit(column)} }},"
        elif column.left_out is not None:
            yield from _comment(f"left out: {quoted(column.column)}, {left_out_in_words(column)}")


def _unit(column: ColumnProposal) -> str:
    if column.left_out is not LeftOut.NUMBER:
        return ""
    missing = ", ".join(map(quoted, column.seen.missing))
    return f", unit = {quoted(column.seen.unit or SCORE)}" + (
        f", missing = [{missing}]" if missing else ""
    )


def _column(column: ColumnProposal) -> Iterator[str]:
    """Yield the entry of a column, below why it is so."""
    entry = [f"column = {quoted(column.column)}"]
    shown = set()
    for key in COLUMN_KEYS:
        if (finding := column.finding(key)) is not None:
            entry.append(f"{key} = {quoted(finding.value)}")
            shown.add(key)
    labels = [found for found in column.findings if found.key == "labels"]
    if labels:
        pairs = ", ".join(f"{quoted(found.about)} = {quoted(found.value)}" for found in labels)
        entry.append(f"labels = {{ {pairs} }}")
    missing = [found.options[0].value for found in column.findings if found.key == "missing"]
    if missing:
        entry.append(f"missing = [{', '.join(map(quoted, missing))}]")
    if any(found.standing is Standing.GUESSED for found in column.findings):
        entry.append("confirm = true")
    for finding in column.findings:
        if finding.is_open or finding.key == "code":
            yield from _comment(comment(finding), "    ")
    yield f"    {{ {', '.join(entry)} }},"


def own_code(column: ColumnProposal) -> str:
    """Return the code of the hospital's own that an unknown column could get; empty for none."""
    if column.left_out not in {LeftOut.NUMBER, LeftOut.LABELS}:
        return ""
    plain = unicodedata.normalize("NFKD", column.column.replace("ß", "ss"))
    name = re.sub(r"[^A-Z0-9]+", "_", plain.encode("ascii", "ignore").decode().upper()).strip("_")
    return f"OURHOSPITAL//{name[:40] or 'COLUMN'}"


def _stubs(columns: list[tuple[ColumnProposal, bool]]) -> Iterator[str]:
    yield ""
    yield from _comment(
        "Columns of no name that is known. To read one: write its entry into codes.toml beside this"
        ' map, without the signs # and with an answer for each "?", name the file above'
        ' (vocabulary = "codes.toml"), and write the column into its table. What the fields mean:'
        " docs/vocabulary.md."
    )
    for code, (column, is_fact) in {own_code(c): (c, fact) for c, fact in columns}.items():
        yield "#"
        yield "# [[code]]"
        yield f'# code = "{code}"'
        yield f"# name = {quoted(OPEN)}  # in words, as clinicians read it"
        if column.left_out is LeftOut.LABELS:
            labels = ", ".join(map(quoted, column.seen.labels))
            yield from ('# kind = "person"', '# modality = "person"')
            yield f"# labels = [{labels}]  # all that may be written"
        else:
            yield from _numeric_stub(column, is_fact)
        yield f"# source = {quoted(OPEN)}  # where its range comes from"


def _numeric_stub(column: ColumnProposal, is_fact: bool) -> Iterator[str]:
    seen = column.seen
    held = "" if seen.low is None or seen.high is None else f"; here: {seen.low:g} to {seen.high:g}"
    if is_fact:
        yield from ('# kind = "person"', '# modality = "person"')
    else:
        yield '# kind = "assessment"  # or daily, for a day\'s value, without better and step'
        yield '# modality = "assessments"  # of a daily value gait, heart, ... (docs/vocabulary.md)'
        yield f"# domain = {quoted(OPEN)}  # arm, walking, balance, self-care, activity, heart, ..."
    yield f"# unit = {quoted(seen.unit or SCORE)}  # of UCUM"
    yield f"# low = {quoted(OPEN)}  # the possible range, without quotation marks{held}"
    yield f"# high = {quoted(OPEN)}"
    if not is_fact:
        yield f'# better = {quoted(OPEN)}  # "higher" or "lower"'
    if seen.whole and not is_fact:
        yield "# step = 1  # between neighbouring scores; here all are whole"
