"""Every page of clinicians and operators, with its route and who may open it."""

from __future__ import annotations

from serving.access.sign_in import Role
from serving.pages import own_prediction, recording, sign_in
from serving.pages.caseload import caseload
from serving.pages.exercise import page as exercise
from serving.pages.page import HOME, Page
from serving.pages.patient import family_sheet, patient
from serving.pages.plans import form, page
from serving.pages.practice import case, practice

CLINICIANS = frozenset({Role.CLINICIAN})
PATIENTS = f"{HOME}/patients"
ONE = f"{PATIENTS}/{{subject}}"

PAGES: tuple[Page, ...] = (
    *sign_in.PAGES,
    Page(method="GET", path=PATIENTS, answer=caseload, roles=CLINICIANS),
    Page(method="GET", path=f"{HOME}/new-patient", answer=recording.new_patient, roles=CLINICIANS),
    Page(
        method="POST", path=f"{HOME}/new-patient/add", answer=recording.add_patient,
        roles=CLINICIANS, fields=recording.patient_fields,
    ),
    Page(method="GET", path=f"{HOME}/practice", answer=practice, roles=CLINICIANS),
    Page(
        method="GET", path=f"{HOME}/practice/{{number}}", answer=case, roles=CLINICIANS,
        forecasts=True,
    ),
    Page(method="GET", path=ONE, answer=patient, roles=CLINICIANS, forecasts=True),
    Page(
        method="GET", path=f"{ONE}/family", answer=family_sheet, roles=CLINICIANS, forecasts=True
    ),
    Page(
        method="GET", path=f"{ONE}/whatif", answer=page.open_plans, roles=CLINICIANS,
        forecasts=True,
    ),
    Page(
        method="POST", path=f"{ONE}/whatif", answer=page.compare, roles=CLINICIANS,
        fields=form.fields, forecasts=True, once=False,
    ),
    Page(
        method="POST", path=f"{ONE}/whatif/dose", answer=page.decide_dose, roles=CLINICIANS,
        fields=page.dose_fields,
    ),
    Page(method="GET", path=f"{ONE}/exercise", answer=exercise.open_exercise, roles=CLINICIANS),
    Page(
        method="POST", path=f"{ONE}/exercise/step", answer=exercise.ask_step, roles=CLINICIANS,
        fields=exercise.fields, once=False,
    ),
    Page(
        method="POST", path=f"{ONE}/exercise/decision", answer=exercise.decide, roles=CLINICIANS,
        fields=exercise.decision_fields,
    ),
    Page(
        method="POST", path=f"{ONE}/prediction", answer=own_prediction.predict, roles=CLINICIANS,
        fields=own_prediction.prediction_fields,
    ),
    Page(
        method="POST", path=f"{ONE}/score", answer=recording.record_score, roles=CLINICIANS,
        fields=recording.score_fields,
    ),
    Page(
        method="POST", path=f"{ONE}/correction", answer=recording.correct_score, roles=CLINICIANS,
        fields=recording.correction_fields,
    ),
    Page(
        method="POST", path=f"{ONE}/feedback", answer=recording.give_feedback, roles=CLINICIANS,
        fields=recording.feedback_fields,
    ),
    Page(
        method="POST", path=f"{ONE}/alert", answer=recording.decide, roles=CLINICIANS,
        fields=recording.alert_fields,
    ),
)  # fmt: skip
