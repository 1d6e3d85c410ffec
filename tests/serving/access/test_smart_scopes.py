"""SMART's scopes: what each is here, and that none gives more than it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.access.smart_scopes import (
    LETTERS_OF_VERSION_1,
    MEANINGS,
    PATTERN,
    granted,
    own_scopes,
    supported,
)
from serving.access.smart_scopes import ScopeRefused as Refused
from serving.access.trust import SCOPES
from tests.refusals import refuses

# Asked by a client that is registered for `forecast`; what it is granted, and what that opens.
GRANTED: dict[str, tuple[str, str]] = {
    "forecast": ("forecast", "forecast"),
    "system/Observation.r": ("system/Observation.r", ""),
    "system/Observation.rs": ("system/Observation.rs", ""),
    "system/Observation.read": ("system/Observation.read", ""),
    "system/Observation.*": ("system/Observation.rs", ""),
    "system/Observation.cruds": ("system/Observation.rs", ""),
    "system/RiskAssessment.rs system/Observation.rs": (
        "system/Observation.rs system/RiskAssessment.rs", "forecast",
    ),
    "system/Patient.r": ("system/Patient.r", ""),
    "system/Patient.r system/Observation.r": (
        "system/Observation.r system/Patient.r", "",
    ),
    "system/RiskAssessment.s": ("system/RiskAssessment.s", "forecast"),
    "system/*.r": (
        "system/CarePlan.r system/Condition.r system/Observation.r system/Patient.r system/Procedure.r"
        " system/RiskAssessment.r", "forecast",
    ),
}  # fmt: skip


@pytest.mark.parametrize("asked", GRANTED)
def test_what_is_granted_is_what_is_answered_and_no_more(asked: str) -> None:
    registered = frozenset({"forecast"})
    answered, opens = GRANTED[asked]
    scopes = granted(asked.split(), registered)
    assert " ".join(sorted(scopes)) == answered
    assert own_scopes(scopes) & registered == frozenset(opens.split())


def test_what_another_plan_would_change_is_opened_by_risk_assessments_and_not_by_plans() -> None:
    registered = frozenset({"whatif"})
    assert granted(["system/CarePlan.rs"], registered) == {"system/CarePlan.rs"}
    assert own_scopes(["system/CarePlan.rs"]) == frozenset()
    risks = granted(["system/RiskAssessment.rs"], registered)
    assert own_scopes(risks) & registered == registered


REFUSED = {
    "another's": "observe",
    "another's of SMART": "system/Observation.c",
    "not known": "all",
    "another case": "system/observation.r",
    "letters in another order": "system/Observation.sr",
    "a letter twice": "system/Observation.rr",
    "no letters": "system/Observation.",
    "of both versions": "system/Observation.readwrite",
    "narrowed by a query": "system/Observation.rs?category=vital-signs",
    "a type that is not here": "system/MedicationRequest.rs",
    "a patient in context": "patient/Observation.rs",
    "a user": "user/Observation.rs",
    "of an app": "launch/patient",
    "a refresh token": "offline_access",
    "a tab between two": "forecast\tforecast",
    "very long": f"system/{'A' * 5_000}.r",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_granted_is_refused_even_beside_what_is(what: str) -> None:
    for asked in ([REFUSED[what]], ["forecast", REFUSED[what]]):
        with refuses(Refused) as refusal:
            granted(asked, frozenset({"forecast"}))
    assert len(str(refusal.value)) < 300
    assert own_scopes([REFUSED[what]]) <= {"observe", "push"}


SOME_SCOPES = st.frozensets(st.sampled_from(sorted(SCOPES)))
PERMISSIONS = st.sampled_from(["r", "s", "c", "rs", "crs", "cruds", "read", "write", "*"])
ASKED = st.builds("system/{}.{}".format, st.sampled_from([*MEANINGS, "*", "Flag"]), PERMISSIONS)


@given(asked=st.lists(ASKED | st.sampled_from(sorted(SCOPES)), max_size=4), registered=SOME_SCOPES)
def test_no_scope_gives_what_its_client_is_not_registered_for(
    asked: list[str], registered: frozenset[str]
) -> None:
    try:
        scopes = granted(asked, registered)
    except Refused:
        return
    # All that was granted would be granted again, and can be asked for by its name.
    assert granted(scopes, registered) == scopes
    reads_and_records = {"forecast", "course", "whatif", "observe", "push"}
    assert own_scopes(scopes) <= {*asked, *reads_and_records}
    assert all(scope in SCOPES or scope.startswith("system/") for scope in scopes)


@given(asked=st.lists(ASKED, max_size=6))
def test_no_scope_but_that_of_a_forecast_opens_one(asked: list[str]) -> None:
    """A client that might read Observations could read forecasts, and courses that show them."""
    opens = own_scopes(asked)
    said = [PATTERN.fullmatch(scope) for scope in asked]
    of_forecast = any(
        found is not None
        and found[2] == "RiskAssessment"
        and set(LETTERS_OF_VERSION_1.get(found[3], found[3])) & set("rs")
        for found in said
    )
    assert bool(opens & {"forecast", "course", "explain"}) == of_forecast


@given(registered=SOME_SCOPES)
def test_what_is_told_as_supported_is_granted(registered: frozenset[str]) -> None:
    told = supported(registered)
    assert granted(told, registered) == told
    assert own_scopes(told) & registered == registered
