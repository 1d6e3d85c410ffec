"""Writes every edition of a report: JSON, two documents as HTML and PDF, model card, CHAI, FHIR."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import typst
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audits.report.board.governance import governance_edition
from audits.report.chai_card import chai_xml
from audits.report.characters import (
    FAMILY,
    NO_GLYPH,
    fonts,
    in_every_text,
    printable,
    visible,
)
from audits.report.content import Report
from audits.report.document import Document, Figure
from audits.report.fhir import document_reference
from audits.report.figures import draw
from audits.report.model_card import card_document
from audits.report.technical import technical_edition

TEMPLATES = Path(__file__).with_name("templates")
REPORT_FILE = "report.json"
CARD_FILE, REFERENCE_FILE = "chai-model-card.xml", "document-reference.json"
MOST_WORDS = 300
"""Characters of an error that are shown: typst repeats its whole input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMade:
    """An edition that could not be made.

    Parameters
    ----------
    edition
        Its file, or `figures`.
    found
        Why: the error that stopped it.
    """

    edition: str
    found: str


def write_report(report: Report, folder: Path) -> Path:
    """Write what is signed and approved, and all editions are made from; return the file."""
    path = folder / REPORT_FILE
    path.write_text(report.model_dump_json(indent=2), "utf-8")
    return path


def write_editions(report: Report, folder: Path) -> tuple[NotMade, ...]:
    """Write every edition of a report; return those that could not be made, the rest are there.

    The verdict stands in `report.json`: no edition is worth stopping it, whatever goes wrong.

    Parameters
    ----------
    report
        What to write.
    folder
        Receives `governance`, `technical` and `model-card` as `.html` and `.pdf`, the figures as
        SVG, `chai-model-card.xml` and `document-reference.json`. Everything can be read without a
        network.
    """
    figures: tuple[Figure, ...] = ()
    not_made: list[NotMade] = []

    def make(edition: str, write: Callable[[], object]) -> None:
        try:
            write()
        except Exception as error:
            (folder / edition).unlink(missing_ok=True)
            words = " ".join(visible(f"{type(error).__name__}: {error}").split())
            not_made.append(NotMade(edition=edition, found=words[:MOST_WORDS]))

    def drawn() -> None:
        nonlocal figures
        figures = draw(report, folder)

    make("figures", drawn)
    documents: dict[str, tuple[Callable[[], Document], bool]] = {
        "governance": (lambda: governance_edition(report, figures), False),
        "technical": (lambda: technical_edition(report, figures), True),
        "model-card": (lambda: card_document(report), False),
    }
    for name, (document, is_wide) in documents.items():
        html, pdf = folder / f"{name}.html", folder / f"{name}.pdf"
        make(html.name, partial(_write_html, document, html))
        make(pdf.name, partial(_write_pdf, document, pdf, is_wide))
    make(CARD_FILE, lambda: (folder / CARD_FILE).write_bytes(chai_xml(report)))
    make(REFERENCE_FILE, lambda: _write_reference(report, folder / REFERENCE_FILE))
    return tuple(not_made)


def _write_html(document: Callable[[], Document], path: Path) -> None:
    path.write_text(to_html(document(), path.parent), "utf-8")


def _write_pdf(document: Callable[[], Document], path: Path, is_wide: bool) -> None:
    path.write_bytes(to_pdf(document(), path.parent, wide=is_wide))


def _write_reference(report: Report, path: Path) -> None:
    reference = document_reference(report, chai_xml(report))
    path.write_text(json.dumps(reference, indent=2), "utf-8")


def to_html(document: Document, folder: Path) -> str:
    """Return a document as one page: no script, nothing loaded from elsewhere.

    Parameters
    ----------
    document, folder
        What to write, and where its figures are.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = {
        block.file: "data:image/svg+xml;base64,"
        + base64.b64encode((folder / block.file).read_bytes()).decode()
        for block in document.blocks
        if isinstance(block, Figure)
    }
    record = in_every_text(document.as_record(), visible)
    return environment.get_template("document.html").render(**record, pictures=pictures)


def to_pdf(document: Document, folder: Path, *, wide: bool = False) -> bytes:
    """Return a document as an accessible PDF (PDF/UA-1), by typst, its own fonts and DejaVu Sans.

    Characters without a glyph are written as their Unicode numbers, and a note says so: PDF/UA
    forbids a character that nothing shows.

    Parameters
    ----------
    document, folder
        What to write, and where its figures are.
    wide
        Landscape pages, for wide tables.
    """
    source, data = folder / "document.typ", folder / "document.json"
    try:
        source.write_text((TEMPLATES / "document.typ").read_text("utf-8"), "utf-8")
        data.write_text(json.dumps(_for_pdf(document)), "utf-8")
        pdf = typst.compile(
            source,
            root=folder,
            font_paths=[fonts()],
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={"document": data.name, "wide": "yes" if wide else "no"},
            pdf_standards=["ua-1"],
            timestamp=0,
        )
    finally:
        for path in (source, data):
            path.unlink(missing_ok=True)
    return bytes(pdf)


def _for_pdf(document: Document) -> dict[str, Any]:
    record = document.as_record()
    shown: dict[str, Any] = in_every_text(record, printable)
    if shown != in_every_text(record, visible):
        shown["blocks"].append({"kind": "paragraph", "text": NO_GLYPH})
    return {**shown, "font": FAMILY}
