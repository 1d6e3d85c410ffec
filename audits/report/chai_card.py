"""The CHAI applied model card as XML (schema version 0.2, October 2025), elements in its order.

Coalition for Health AI, mc-schema, v0.2/schema.xsd: every element is in its namespace. Facts that
are not known are written as "not available".
"""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

from audits.measure.metrics import Metric
from audits.report.board.findings_in_words import beyond, names
from audits.report.board.governance import LIMITS
from audits.report.characters import visible
from audits.report.content import Report, trained_on
from audits.report.crosswalk import NOT_AVAILABLE
from audits.report.model_card import summary
from contracts.verdict import Outcome

Tree = dict[str, Any]

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"


def chai_xml(report: Report) -> bytes:
    """Return a report's model card as XML."""
    root = ElementTree.Element(f"{{{NAMESPACE}}}AppliedModelCard")
    _append(root, _card(report))
    ElementTree.indent(root)
    xml = ElementTree.tostring(
        root, encoding="utf-8", xml_declaration=True, default_namespace=NAMESPACE
    )
    return bytes(xml)


def _append(parent: ElementTree.Element, tree: Tree) -> None:
    for name, value in tree.items():
        for item in value if isinstance(value, list) else [value]:
            child = ElementTree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
            if isinstance(item, dict):
                _append(child, item)
            else:
                child.text = visible(str(item))


def _card(report: Report) -> Tree:
    verdict, facts = report.verdict, report.facts
    limits = " ".join(LIMITS)
    return {
        "BasicInfo": {
            "ModelName": verdict.model_version,
            "ModelDeveloper": facts.developer or NOT_AVAILABLE,
            "DeveloperContact": facts.contact or NOT_AVAILABLE,
        },
        "ReleaseInfo": {
            "ReleaseStage": f"audited: {verdict.outcome}",
            "ReleaseDate": facts.created[:10],
            "ReleaseVersion": verdict.model_version,
            "GlobalAvailability": NOT_AVAILABLE,
            "EHRCompatibility": {"EHR": ["HL7 CDS Hooks", "HL7 FHIR R4"]},
            "RegulatoryApproval": "none: not a medical device as shipped",
        },
        "ModelSummary": {
            "Summary": summary(report),
            "Keywords": {"Keyword": ["rehabilitation", "recovery", facts.condition]},
        },
        "UsesAndDirections": {
            "IntendedUseAndWorkflow": "supports a clinician who knows the patient",
            "PrimaryIntendedUsers": "clinicians in rehabilitation",
            "HowToUse": "read the range and the reasons together with one's own assessment",
            "TargetedPatientPopulation": facts.condition,
            "CautionedOutOfScopeSettings": limits,
        },
        "Warnings": {
            "KnownRisksAndLimitations": limits,
            "KnownBiasesOrEthicalConsiderations": " ".join(
                f.reason for f in verdict.findings if f.binding and f.outcome is not Outcome.PASS
            )
            or _biases_beside(report),
            "ClinicalRiskLevel": NOT_AVAILABLE,
        },
        "TrustIngredients": {
            "AISystemFacts": {
                "OutcomesAndOutputs": summary(report),
                "ModelType": facts.family,
                "FoundationModels": "none",
                "InputDataSource": ", ".join(facts.inputs),
                "OutputAndInputDataTypes": "scores, daily device values; quantiles and chances",
                "DevelopmentDataCharacterization": f"{facts.cohort_name}, {trained_on(facts)}",
                "BiasMitigationApproaches": "policy, gate, two approvals; see the audit report",
                "OngoingMaintenance": f"audit valid until {report.valid_until[:10]}",
                "Security": "no pickle; signed bundle and report; hash-chained ledger",
                "Transparency": f"report format {report.format}, policy {report.policy.version}",
            },
            "TransparencyInformation": {
                "FundingSource": facts.funding or NOT_AVAILABLE,
                "ThirdPartyInformation": NOT_AVAILABLE,
                "StakeholdersConsulted": NOT_AVAILABLE,
            },
        },
        "KeyMetrics": {
            "UsefulnessUsabilityEfficacy": _metric(
                report, "as accurate as possible", Metric.MEAN_ABSOLUTE_ERROR
            ),
            "FairnessEquity": _metric(report, "equal for every group", Metric.SIGNED_ERROR),
            "SafetyReliability": _metric(
                report, "ranges with the stated coverage", Metric.COVERAGE
            ),
        },
        "Resources": {
            "EvaluationReferences": "audit report, technical edition",
            "ClinicalTrial": NOT_AVAILABLE,
            "PeerReviewedPublications": NOT_AVAILABLE,
            "ReimbursementStatus": NOT_AVAILABLE,
            "PatientConsentOrDisclosure": NOT_AVAILABLE,
        },
        # BibTeX, by the schema's documentation; there are no entries.
        "Bibliography": "",
    }


def _biases_beside(report: Report) -> str:
    """Say what is known of biases where nothing holds the model back."""
    rules = names((f.rule for f in beyond(report)), most=10)
    others = f"; beyond the limit of rules that do not bind: {rules}" if rules else ""
    return f"every rule that must be shown to hold was{others}; no audit can detect biased labels"


def _metric(report: Report, goal: str, metric: Metric) -> Tree:
    rows = [r for r in report.performance if r.metric == metric and r.horizon_day is None]
    table = [r.model_dump(mode="json", exclude={"metric", "horizon_day"}) for r in rows]
    return {
        "MetricGoal": goal,
        "Results": {"MetricResult": [{"Label": metric.value, "ValueJson": json.dumps(table)}]},
        "Interpretation": f"audit: {report.verdict.outcome}",
        "TestType": "cross-validation by subject, out of fold",
        "TestingDataDescription": f"{report.facts.cohort_name}, {report.people} people",
        "ValidationProcessAndJustification": f"policy {report.policy.version}, frozen by digest",
    }
