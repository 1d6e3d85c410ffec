from __future__ import annotations

import base64
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pypdf import PdfReader

from audits.report.content import Report
from audits.report.crosswalk import STANDARDS, TEXTS, answers
from audits.report.document import Document, Paragraph
from audits.report.editions import to_html, to_pdf, write_editions, write_report
from contracts.scope import Scope
from contracts.verdict import Outcome

PAGES = ("governance", "technical", "model-card")
VOID = {"meta", "img"}


class Page(HTMLParser):
    """Collects tags and texts, and notices a tag that is closed by another."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(editions: Path, name: str) -> Page:
    return Page((editions / f"{name}.html").read_text("utf-8"))


def pdf_text(path: Path) -> str:
    return " ".join(page.extract_text() for page in PdfReader(path).pages)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_loads_and_runs_nothing(editions: Path, name: str) -> None:
    text = (editions / f"{name}.html").read_text("utf-8")
    read = Page(text)
    assert read.open == []
    assert not re.search(r"https?:|href=|@import|url\(", text)
    assert not {tag for tag, _ in read.tags} & {"script", "link", "iframe"}
    assert all((a["src"] or "").startswith("data:") for tag, a in read.tags if tag == "img")
    assert not any(attr.startswith("on") for _, attrs in read.tags for attr in attrs)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_without_seeing(editions: Path, name: str) -> None:
    read = page(editions, name)
    assert ("html", {"lang": "en"}) in read.tags
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    tables = sum(tag == "table" for tag, _ in read.tags)
    assert sum(tag == "caption" for tag, _ in read.tags) == tables
    assert all("scope" in attrs for tag, attrs in read.tags if tag == "th")
    assert all("everyone" in (attrs["alt"] or "") for tag, attrs in read.tags if tag == "img")
    # What scrolls sideways can be reached by the keyboard, and has a name.
    regions = [attrs for _, attrs in read.tags if attrs.get("role") == "region"]
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in regions)


@pytest.mark.parametrize("name", PAGES)
def test_a_pdf_is_tagged_titled_and_brings_its_fonts(editions: Path, name: str) -> None:
    read = PdfReader(editions / f"{name}.pdf")
    root = read.trailer["/Root"]
    assert bool(root["/MarkInfo"]["/Marked"])
    assert root["/Lang"] == "en"
    assert b"pdfuaid" in root["/Metadata"].get_object().get_data()
    assert read.metadata is not None
    assert "arm/3" in str(read.metadata.title)
    fonts = [
        font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        for leaf in read.pages
        for font in leaf["/Resources"].get("/Font", {}).values()
    ]
    assert fonts
    assert all({"/FontFile2", "/FontFile3"} & set(font) for font in fonts)


def test_the_governance_edition_has_what_a_board_must_find(editions: Path, report: Report) -> None:
    assert 3 <= len(PdfReader(editions / "governance.pdf").pages) <= 5
    read = page(editions, "governance")
    for words in (
        "SIMULATED COHORT", f"Verdict: {report.verdict.outcome}.", "nobody can override",
        "Whom this audit does not cover", "Who was examined", "What no audit of scores can",
        "Compared with simpler forecasts", "no other version is the champion yet", "Limits of use",
        "Waivers", "Sign-off", "not recorded",
    ):  # fmt: skip
        assert words in read.text
    assert sum(tag == "img" for tag, _ in read.tags) == 3
    # Plain words: nothing that needs statistics to be read.
    assert not re.search(r"p-value|bootstrap|percentile|Benjamini|AUROC", read.text)


def test_both_forms_of_an_edition_say_the_same(editions: Path) -> None:
    said = re.sub(r"\W+", "", pdf_text(editions / "governance.pdf").replace("-\n", ""))
    for item in re.findall(r"<li>(.*?)</li>", (editions / "governance.html").read_text("utf-8")):
        words = re.sub(r"\W+", "", item.replace("&#39;", "'").replace("&lt;", "<"))
        assert words[:25] in said


def test_the_technical_edition_has_digests_methods_rules_and_every_metric(
    editions: Path, report: Report
) -> None:
    read = page(editions, "technical").text
    verdict = report.verdict
    for words in (
        verdict.bundle_digest, verdict.predictions_digest, verdict.policy_digest,
        verdict.code_digest, verdict.data_digest, f"seed {report.policy.seed}", "Benjamini",
        "MetricFrame", "calibration slope", "CRPS", "net benefit", "tipping point",
        "Not available in this table: refusal rate", *STANDARDS,
        *(rule.name for rule in report.policy.rules),
    ):  # fmt: skip
        assert words in read


@pytest.mark.parametrize(
    ("standard", "items"),
    [
        ("TRIPOD+AI", 27), ("PROBAST+AI development", 16), ("PROBAST+AI evaluation", 18),
        ("HTI-1 source attributes", 31), ("CHAI applied model card", 8), ("NIST AI RMF 1.0", 4),
        ("FDA PCCP", 3), ("EU AI Act", 26), ("Texts not read", 8),
    ],
)  # fmt: skip
def test_every_item_of_a_standard_is_answered_or_said_to_be_not_available(
    report: Report, standard: str, items: int
) -> None:
    answered = answers(report, standard)
    assert len({re.sub(r"(?<=[0-9])[a-z]+$", "", a.item) for a in answered}) == items
    assert all(a.topic and a.text for a in answered)
    for answer in answered:
        if not answer.is_available:
            assert answer.text.startswith("not available: ")
            assert len(answer.text) > len("not available: ") + 5


def test_of_every_standard_it_is_said_which_text_was_read_and_when(
    report: Report, editions: Path
) -> None:
    said = page(editions, "technical").text
    assert set(TEXTS) == set(STANDARDS)
    for standard in STANDARDS:
        assert TEXTS[standard] in said
        assert re.search(r"not read|20[0-9]{2}|none", TEXTS[standard])
        for answer in answers(report, standard):
            assert answer.read is None or answer.read in said


def test_the_act_is_answered_by_article_and_tells_from_when(report: Report) -> None:
    of = {answer.item: answer for answer in answers(report, "EU AI Act")}
    articles = {re.match(r"[0-9]*", item).group() for item in of}  # type: ignore[union-attr]
    assert articles == {"9", "10", "11", "12", "13", "14", "15", "72", ""}
    assert "2 December 2027 (Annex III) and 2 August 2028" in of["dates"].text
    assert "text not read" in (of["dates"].read or "")
    # The report is of an audit: it says where monitoring is, and what of a plan it does not have.
    assert "not part of this report" in of["72(1-2)"].text
    assert "for the provider to state" in of["72(3)"].text


def test_what_comes_from_outside_is_escaped(editions: Path, report: Report) -> None:
    assert "<b>cohort</b>" in report.facts.cohort_name
    for name in PAGES:
        text = (editions / f"{name}.html").read_text("utf-8")
        assert "<b>" not in text
        assert "made-up &lt;b&gt;cohort" in text


@pytest.mark.parametrize("nasty", ["#panic()", "*bold* _x_ $x$", ']) #eval("1")', "`raw` <lbl>"])
def test_what_comes_from_outside_is_text_to_the_pdf_compiler(tmp_path: Path, nasty: str) -> None:
    document = Document(title=nasty, subtitle=nasty, blocks=(Paragraph(text=nasty),))
    path = tmp_path / "made.pdf"
    path.write_bytes(to_pdf(document, tmp_path))
    assert re.sub(r"\s", "", nasty) in re.sub(r"\s", "", pdf_text(path))
    assert list(tmp_path.iterdir()) == [path]
    assert "<lbl>" not in to_html(document, tmp_path)


def test_the_same_report_gives_the_same_bytes(
    report: Report, editions: Path, tmp_path: Path
) -> None:
    write_report(report, tmp_path)
    write_editions(report, tmp_path)
    for path in editions.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


EVERYONE_INSIDE = Scope(attributes=(), share_inside=1.0)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_explained(report: Report, tmp_path: Path, outcome: Outcome) -> None:
    verdict = report.verdict.model_copy(
        update={"outcome": outcome, "scope": EVERYONE_INSIDE if outcome.is_pass else None}
    )
    assert not write_editions(report.model_copy(update={"verdict": verdict}), tmp_path)
    read = page(tmp_path, "governance").text
    assert f"Verdict: {outcome}." in read
    assert ("may be put into service once" in read) == outcome.is_pass
    assert ("named person" in read.split("Whom this audit")[0]) == (
        outcome in {Outcome.REVIEW, Outcome.INSUFFICIENT}
    )


NAMESPACE = "{https://mc.chai.org/v0.2/schema.xsd}"
SEQUENCES = {
    "AppliedModelCard": "BasicInfo ReleaseInfo ModelSummary UsesAndDirections Warnings"
    " TrustIngredients KeyMetrics Resources Bibliography",
    "BasicInfo": "ModelName ModelDeveloper DeveloperContact",
    "ReleaseInfo": "ReleaseStage ReleaseDate ReleaseVersion GlobalAvailability EHRCompatibility"
    " RegulatoryApproval",
    "ModelSummary": "Summary Keywords",
    "UsesAndDirections": "IntendedUseAndWorkflow PrimaryIntendedUsers HowToUse"
    " TargetedPatientPopulation CautionedOutOfScopeSettings",
    "Warnings": "KnownRisksAndLimitations KnownBiasesOrEthicalConsiderations ClinicalRiskLevel",
    "TrustIngredients": "AISystemFacts TransparencyInformation",
    "AISystemFacts": "OutcomesAndOutputs ModelType FoundationModels InputDataSource"
    " OutputAndInputDataTypes DevelopmentDataCharacterization BiasMitigationApproaches"
    " OngoingMaintenance Security Transparency",
    "TransparencyInformation": "FundingSource ThirdPartyInformation StakeholdersConsulted",
    "KeyMetrics": "UsefulnessUsabilityEfficacy FairnessEquity SafetyReliability",
    "FairnessEquity": "MetricGoal Results Interpretation TestType TestingDataDescription"
    " ValidationProcessAndJustification",
    "Resources": "EvaluationReferences ClinicalTrial PeerReviewedPublications ReimbursementStatus"
    " PatientConsentOrDisclosure",
}
"""Sequences of schema 0.2 of CHAI's mc-schema, optional elements too, as we write all of them."""


def test_the_chai_card_has_the_namespace_and_the_sequences_of_its_schema(editions: Path) -> None:
    root = ElementTree.parse(editions / "chai-model-card.xml").getroot()  # noqa: S314  (our own)
    for name, sequence in SEQUENCES.items():
        (element,) = root.iter(NAMESPACE + name)
        children = [child.tag for child in element]
        assert children == [NAMESPACE + child for child in sequence.split()], name


def test_the_chai_card_tells_what_is_known_and_the_table_by_group(editions: Path) -> None:
    root = ElementTree.parse(editions / "chai-model-card.xml").getroot()  # noqa: S314  (our own)
    schema = {"": NAMESPACE.strip("{}")}
    assert root.findtext("BasicInfo/ModelDeveloper", namespaces=schema) == "not available"
    assert root.findtext("BasicInfo/DeveloperContact", namespaces=schema) == "someone@example.org"
    path = "KeyMetrics/FairnessEquity/Results/MetricResult/ValueJson"
    values = root.findtext(path, namespaces=schema)
    assert {row["axis"] for row in json.loads(values or "")} == {"everyone", "sex", "wear band"}
    empty = [e.tag for e in root.iter() if not e.text and not len(e)]
    assert empty == [NAMESPACE + "Bibliography"]


def test_the_document_reference_carries_the_card_and_its_label(editions: Path) -> None:
    reference = json.loads((editions / "document-reference.json").read_text("utf-8"))
    assert (reference["resourceType"], reference["status"]) == ("DocumentReference", "current")
    assert reference["meta"]["security"][0]["code"] == "AIAST"
    assert reference["meta"]["tag"][0]["code"] == "HTEST"
    attachment = reference["content"][0]["attachment"]
    card = (editions / "chai-model-card.xml").read_bytes()
    assert base64.b64decode(attachment["data"]) == card
    assert attachment["size"] == len(card)


def test_an_attribute_with_everyone_in_one_group_does_not_repeat_everyone(editions: Path) -> None:
    """It is mentioned once, among those whom the audit does not cover."""
    text = (editions / "governance.html").read_text("utf-8")
    assert text.count("wear band: everyone is in one group (no wearable)") == 1
    assert "wear band" not in (editions / "technical.html").read_text("utf-8").split("Findings")[0]


def test_the_technical_edition_lists_reported_rules_only_where_a_limit_is_broken(
    editions: Path, report: Report
) -> None:
    text = (editions / "technical.html").read_text("utf-8")
    reported = [f for f in report.verdict.findings if not f.binding]
    assert f"Findings that hold nothing back: {len(reported)}, by outcome" in text
    fine = [f.reason for f in reported if f.outcome == "pass" and f.horizon_day is not None]
    assert fine
    assert not any(reason in text for reason in fine)
