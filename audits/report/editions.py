"""Writes every edition of a report: JSON, two documents as HTML and PDF, model card, CHAI, FHIR."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import typst
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audits.report.chai_card import chai_xml
from audits.report.content import Report
from audits.report.document import Document, Figure
from audits.report.fhir import document_reference
from audits.report.figures import draw
from audits.report.governance import governance_edition
from audits.report.model_card import card_document
from audits.report.technical import technical_edition

TEMPLATES = Path(__file__).with_name("templates")
REPORT_FILE = "report.json"


def write_editions(report: Report, folder: Path) -> None:
    """Write a report into an empty folder; everything can be read without a network.

    Parameters
    ----------
    report
        What to write. `report.json` is what is signed and approved; all else is made from it.
    folder
        Receives `report.json`, `governance`, `technical` and `model-card` as `.html` and `.pdf`,
        the figures as SVG, `chai-model-card.xml` and `document-reference.json`.
    """
    (folder / REPORT_FILE).write_text(report.model_dump_json(indent=2), "utf-8")
    figures = draw(report, folder)
    written = {
        "governance": (governance_edition(report, figures), False),
        "technical": (technical_edition(report, figures), True),
        "model-card": (card_document(report), False),
    }
    for name, (document, is_wide) in written.items():
        (folder / f"{name}.html").write_text(to_html(document, folder), "utf-8")
        (folder / f"{name}.pdf").write_bytes(to_pdf(document, folder, wide=is_wide))
    card = chai_xml(report)
    (folder / "chai-model-card.xml").write_bytes(card)
    reference = document_reference(report, card)
    (folder / "document-reference.json").write_text(json.dumps(reference, indent=2), "utf-8")


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
    record = document.as_record()
    return environment.get_template("document.html").render(**record, pictures=pictures)


def to_pdf(document: Document, folder: Path, *, wide: bool = False) -> bytes:
    """Return a document as an accessible PDF (PDF/UA-1), by typst and its own fonts.

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
        data.write_text(json.dumps(document.as_record()), "utf-8")
        pdf = typst.compile(
            source,
            root=folder,
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
