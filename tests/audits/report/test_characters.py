"""Names in every script of the world, in every edition: shown, or shown as their numbers."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from audits.report import editions as made
from audits.report.characters import NO_GLYPH, drawable, printable, visible
from audits.report.content import Report
from audits.report.document import Bullets, Document, Heading, Notice, Paragraph, Table
from audits.report.editions import to_html, to_pdf, write_editions

NAMES = {
    "Chinese": "北京康复医院",
    "Japanese": "リハビリ病院",
    "Korean": "서울재활병원",
    "Thai": "โรงพยาบาล",
    "Devanagari": "अस्पताल",
    "Tamil": "மருத்துவமனை",
    "Arabic": "مستشفى التأهيل",
    "Hebrew": "בית חולים",
    "Cyrillic": "Больница",
    "Greek": "Νοσοκομείο",
    "an emoji": "Rehab 🏥👩🏽‍⚕️",
    "accents": "Hôpital Saint-Éloi e\u0301",
    "a direction": "abc\u202egnp.exe",
    "nothing to see": "a\u200bb\ufeffc",
    "an escape": "\x1b[31mred\x07",
    "markup": "#panic() $x$ *b* [x] @ref <lbl> `raw` \\ // http://x.test",
}


def pdf_text(content: bytes, folder: Path) -> str:
    path = folder / "made.pdf"
    path.write_bytes(content)
    text = "".join(page.extract_text() for page in PdfReader(path).pages)
    path.unlink()
    return re.sub(r"\s", "", text)


def every_place(text: str) -> Document:
    return Document(
        title=text,
        subtitle=text,
        blocks=(
            Heading(level=1, text=text),
            Paragraph(text=text),
            Bullets(items=(text,)),
            Notice(tone="pass", title=text, text=text),
            Table(caption=text, columns=(text, text), rows=((text, text),), widths=(1, 1)),
        ),
    )


def renamed(report: Report, name: str) -> Report:
    """Return a report with a name wherever a hospital may put one."""
    facts = report.facts.model_copy(
        update={"developer": name, "cohort_name": name, "contact": name, "funding": name}
    )
    rows = tuple(
        row.model_copy(update={"group": f"{row.group} {name}"}) for row in report.performance
    )
    return report.model_copy(update={"facts": facts, "performance": rows})


EACH = [pytest.param(name, marks=pytest.mark.soak, id=script) for script, name in NAMES.items()]


@pytest.mark.parametrize("name", [pytest.param(" ".join(NAMES.values()), id="all at once"), *EACH])
def test_every_edition_is_made_whatever_script_names_are_in(
    report: Report, tmp_path: Path, name: str
) -> None:
    assert write_editions(renamed(report, name), tmp_path) == ()
    for page in ("governance", "technical", "model-card"):
        assert visible(name) in unescaped((tmp_path / f"{page}.html").read_text("utf-8"))
    card = ElementTree.parse(tmp_path / "chai-model-card.xml")  # noqa: S314  (our own)
    assert visible(name) in "".join(card.getroot().itertext())


def unescaped(html: str) -> str:
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&amp;", "&")):
        html = html.replace(entity, character)
    return html


def test_what_a_font_lacks_is_written_as_its_numbers_and_a_note_says_so(tmp_path: Path) -> None:
    said = pdf_text(to_pdf(every_place("Hospital 北京"), tmp_path), tmp_path)
    assert "Hospital[U+5317U+4EAC]" in said
    assert re.sub(r"\s", "", NO_GLYPH) in said
    plain = pdf_text(to_pdf(every_place("Klinik für Ärzte"), tmp_path), tmp_path)
    assert "KlinikfürÄrzte" in plain
    assert "Unicodenumbers" not in plain


@settings(max_examples=25)
@given(st.text(max_size=30))
def test_any_text_at_any_place_is_a_page_and_an_accessible_pdf(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    document = every_place(f"x{text}")
    assert b"pdfuaid" in to_pdf(document, folder)
    page = to_html(document, folder)
    assert "<script" not in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]", page)


@given(st.text())
def test_nothing_is_left_out_and_plain_text_stays_as_it_is(text: str) -> None:
    for write in (visible, printable, drawable):
        shown = write(text)
        for character in text:
            assert character in shown or f"U+{ord(character):04X}" in shown
    plain = "Köln, Łódź: 3 % (n = 4), “ok”"
    assert visible(plain) == printable(plain) == drawable(plain) == plain


@pytest.mark.parametrize("broken", ["draw", "to_pdf", "to_html", "chai_xml", "governance_edition"])
def test_an_edition_that_cannot_be_made_keeps_none_of_the_others(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no\x1b[31m room")

    monkeypatch.setattr(made, broken, fails)
    missing = {item.edition: item.found for item in write_editions(report, tmp_path)}
    expected = {
        "draw": {"figures"},
        "to_pdf": {"governance.pdf", "technical.pdf", "model-card.pdf"},
        "to_html": {"governance.html", "technical.html", "model-card.html"},
        "chai_xml": {"chai-model-card.xml", "document-reference.json"},
        "governance_edition": {"governance.html", "governance.pdf"},
    }[broken]
    assert set(missing) == expected
    assert set(missing.values()) == {"RuntimeError: no[U+001B][31m room"}
    files = {path.name for path in tmp_path.iterdir()}
    everything = {
        *(f"{name}.{kind}" for name in ("governance", "technical", "model-card")
          for kind in ("html", "pdf")),
        "chai-model-card.xml", "document-reference.json",
    }  # fmt: skip
    assert everything - expected <= files
    assert not expected & files
