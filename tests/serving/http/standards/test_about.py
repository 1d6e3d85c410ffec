from __future__ import annotations

from dataclasses import replace

from contracts.scope import OutsideGroup, OutsidePair, Scope, ScopeAttribute
from serving.forecast.audit_status import Coverage, ServedModel
from serving.http.standards.about import page

CARD = """# Model card

## Intended use

Forecasts of **arm function**; see [the report](https://clinic.example/report).

| group | error |
| --- | --- |
| women | 4.1 points |

![seen](https://elsewhere.example/p.png) <script>alert(1)</script> [a trap](javascript:alert(1))
"""


def test_the_card_is_a_page_and_nothing_of_it_is_a_program(served: ServedModel) -> None:
    """It was Markdown in a box: rows of bars and hash signs."""
    shown = page(replace(served, card=CARD), "")
    for part in (
        "<h2>Intended use</h2>", "<strong>arm function</strong>", "<td>4.1 points</td>",
        '<a href="https://clinic.example/report">the report</a>', "&lt;script&gt;",
    ):  # fmt: skip
        assert part in shown
    assert "<script" not in shown
    assert "<img" not in shown
    assert 'href="javascript' not in shown
    assert "| --- |" not in shown


def test_what_is_withdrawn_comes_first(served: ServedModel) -> None:
    shown = page(served, "a <wrong> table")
    assert shown.index("gives no forecasts: a &lt;wrong&gt; table") < shown.index("Audit:")


def test_everyone_who_gets_no_forecast_is_listed(served: ServedModel) -> None:
    """However many: answers give their number and refer to this page."""
    labels = [f"country {n}" for n in range(34)]
    groups = tuple(OutsideGroup(label=label, rules=("a rule",)) for label in labels)
    countries = ScopeAttribute(attribute="country", inside=("Italy",), outside=groups)
    pair = OutsidePair(attributes=("country", "sex"), labels=("Italy", "<b>"), rules=("a rule",))
    scope = Scope(attributes=(countries,), pairs=(pair,), share_inside=0.5)
    shown = page(replace(served, audit_status=replace(served.audit_status, scope=scope)), "")
    assert all(f"<li>country: {label}</li>" in shown for label in labels)
    assert "<li>country: Italy with sex: &lt;b&gt;</li>" in shown
    assert "not for:" not in page(served, "")


def test_a_clinician_reads_what_it_is_first_in_words(served: ServedModel) -> None:
    """It began with digests: what it forecasts, of whom and how often it was right stood nowhere."""
    held = Coverage(value=0.79, low=0.71, high=0.86, people=120)
    status = replace(served.audit_status, coverage={("everyone", "everyone"): held})
    shown = page(replace(served, audit_status=status), "")
    words, _, audit = shown.partition("<h2>Audit</h2>")
    for said in (
        "Fugl-Meyer upper extremity (0 to 66, higher is better)", "3, 5, 6, 12, 26, 52 weeks after",
        "people who do not exist: a SIMULATED cohort",
        "it held for 79 of 100 (from 71 to 86 of 100", "gives no forecast, says why",
        "it kept every rule of the policy, for everyone", "You know the patient",
    ):  # fmt: skip
        assert said in words, said
    assert served.bundle.digest not in words
    assert served.bundle.digest in audit
    assert "how often it did is in the audit" in page(served, "")
