"""A table becomes part of the record through a page, or is refused with what to do."""

from __future__ import annotations

import gzip
import io
import re
import time
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import RehabcastError
from contracts.observation import Observation
from features.mapping.wording import _QUESTIONS
from rehabcast.pages.imports.questions import QUESTIONS
from rehabcast.pages.table import ALL_PAGES, TEMPLATES
from serving.http.runtime import Runtime
from serving.pages.forms.uploads import LARGEST_FILE, packed, unpacked
from serving.pages.mounted import Pages
from tests.serving.pages.conftest import ARM, STEPS, Browser, without_tokens

IMPORT = "/pages/import"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def pages() -> Pages:
    return Pages(ALL_PAGES, [TEMPLATES])


@pytest.fixture
def clinician(browser: Browser) -> Browser:
    browser.sign_in("clinician")
    return browser


def days_ago(days: int) -> str:
    return f"{TODAY - timedelta(days=days):%d.%m.%Y}"


def visits(*rows: str) -> bytes:
    return "\n".join(["patient;onset;admission;visit date;Fugl-Meyer arm", *rows]).encode()


def a_visit(who: str, day: int, score: str, onset: int = 50) -> str:
    return f"{who};{days_ago(onset)};{days_ago(onset - 6)};{days_ago(onset - day)};{score}"


WARD = visits(a_visit("P-1", 8, "25"), a_visit("P-1", 22, "31"), a_visit("P-2", 9, "40"))


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


def send_file(browser: Browser, content: bytes, name: str = "ward.csv", **more: Any) -> Any:
    token = more.pop("token", None) or browser.token(browser.open(IMPORT), f"{IMPORT}/look")
    return browser.http.post(
        f"{IMPORT}/look", data={"token": token}, files={"file": (name, content)}, **more
    )


def form_of(page: str, action: str) -> dict[str, str]:
    """Return what a browser would send of a form without anybody typing."""
    found = re.search(rf'<form method="post" action="{action}">(.*?)</form>', page, re.DOTALL)
    assert found is not None, text_of(page)
    inputs = re.findall(r'<input[^>]*?name="([^"]*)" value="([^"]*)"', found[1])
    form = {name: unescape(value) for name, value in inputs}
    for name, options in re.findall(
        r'<select[^>]*name="([^"]*)".*?>(.*?)</select>', found[1], re.S
    ):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        form[name] = chosen[1] if chosen else ""
    return form


def through(browser: Browser, content: bytes, name: str = "ward.csv", **answers: str) -> Any:
    """Send a file, take what is likely, and look through it."""
    page = send_file(browser, content, name)
    if f'action="{IMPORT}/read"' in page.text:
        form = form_of(page.text, f"{IMPORT}/read") | answers
        page = browser.http.post(f"{IMPORT}/read", data=form)
    return page


def keep(browser: Browser, page: str, **changed: str) -> Any:
    return browser.http.post(f"{IMPORT}/keep", data=form_of(page, f"{IMPORT}/keep") | changed)


def record(runtime: Runtime, subject: str) -> list[Observation]:
    return runtime.store.record("ward", subject)[1]


def entries(runtime: Runtime) -> int:
    with runtime.store.engine.connect() as connection:
        count = connection.exec_driver_sql("select count(*) from service_entry").scalar_one()
    return int(count)


def test_a_table_goes_on_record_after_it_was_asked_about_and_looked_through(
    clinician: Browser, runtime: Runtime
) -> None:
    questions = send_file(clinician, WARD).text
    assert "What is this column?" in questions
    assert "onset of the condition" in questions
    shown = through(clinician, WARD)
    said = text_of(shown.text)
    assert "3 values would be added" in said
    assert "Rehabilitation began on day 6 after the onset" in said
    assert re.search(r"2 Fugl-Meyer[^0-9]*8 25", said), said
    assert entries(runtime) == 0, "nothing is kept before somebody says so"
    kept = keep(clinician, shown.text)
    assert "2 values were added" in kept.text
    assert "1 value was added" in kept.text
    enrolment, on_record = runtime.store.record("ward", "P-1")
    assert enrolment == 6
    assert on_record == [
        Observation(code=ARM, day_since_onset=8, value=25.0),
        Observation(code=ARM, day_since_onset=22, value=31.0),
    ]
    with runtime.store.engine.connect() as connection:
        actors = connection.exec_driver_sql("select distinct actor from service_entry").scalars()
        assert list(actors) == ["user:test:Ann Other"]
    assert 'href="/pages/patients/P-1"' in kept.text
    again = text_of(through(clinician, WARD).text)
    assert "Nothing would be added" in again
    assert "on record already" in again


def test_what_is_on_record_is_not_overwritten_and_the_others_are_kept(
    clinician: Browser, runtime: Runtime
) -> None:
    clinician.add("P-1", (ARM, 8, 24.0), day=6)
    shown = through(clinician, WARD).text
    assert "on record is 24" in text_of(shown)
    assert "Nothing of this patient will be put on record" in shown
    assert "1 value would be added" in shown
    kept = keep(clinician, shown).text
    assert "Nothing of this patient was put on record" in kept
    assert [o.value for o in record(runtime, "P-1")] == [24.0]
    assert [o.value for o in record(runtime, "P-2")] == [40.0]


def test_a_record_that_changed_meanwhile_is_shown_again(
    clinician: Browser, runtime: Runtime
) -> None:
    shown = through(clinician, WARD).text
    clinician.add("P-2", (ARM, 9, 39.0), day=6)
    changed = keep(clinician, shown)
    assert changed.status_code == 409
    assert "The record has changed since you looked" in changed.text
    assert "on record is 39" in text_of(changed.text)
    assert "2 values were added" in keep(clinician, changed.text).text


def test_a_double_click_keeps_once_and_going_back_costs_no_file(
    clinician: Browser, runtime: Runtime
) -> None:
    page = send_file(clinician, WARD).text
    form = form_of(page, f"{IMPORT}/read")
    first = clinician.http.post(f"{IMPORT}/read", data=form).text
    second = clinician.http.post(f"{IMPORT}/read", data=form).text
    assert "3 values would be added" in second
    assert "2 values were added" in keep(clinician, first).text
    assert "This form was sent before" in keep(clinician, first).text
    assert len(record(runtime, "P-1")) == 2


def test_a_session_that_ended_costs_no_file(clinician: Browser, runtime: Runtime) -> None:
    token = clinician.token(clinician.open(IMPORT), f"{IMPORT}/look")
    clinician.http.cookies.clear()
    ended = send_file(clinician, WARD, token=token)
    assert ended.status_code == 401
    assert "What you typed is still here" in ended.text
    assert "P-1" not in ended.text
    clinician.sign_in("clinician")
    stale = clinician.http.post(f"{IMPORT}/look", data=form_of(ended.text, f"{IMPORT}/look"))
    assert stale.status_code == 409
    done = clinician.http.post(f"{IMPORT}/look", data=form_of(stale.text, f"{IMPORT}/look"))
    assert "What is this column?" in done.text


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"", "no file was chosen"),
        ("a.xlsx", b"PK\x03\x04", "save the table as CSV"),
        ("", b"a;b\n1;2\n", "What to do"),
        ("../../etc/passwd", b"root:x:0:0\n", "no table that is read here"),
        ("a.csv", b"x" * (LARGEST_FILE + 1), "larger than 512 KiB"),
        ("a.csv", bytes(range(256)) * 40, "What to do"),
        ("a.parquet", b"PAR1 not really PAR1", "cannot be read as Parquet"),
        ("a.csv", gzip.compress(b"patient,day\nP-1,3\n"), "What to do"),
        ("a.csv", b"patient\n" + b"P-1\n" * 30, "no column is called like anything"),
        ("a.csv", b"colour,shade\nred,3\nblue,4\n", "pseudonyms of patients"),
        ("a.csv", b"patient,patient\nP-1,P-2\n", "two columns have the same name"),
        ("a.csv", b'{"resourceType": "Bundle", "type": "collection", "entry": []}', "What to do"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_table_is_refused_with_what_to_do(
    clinician: Browser, runtime: Runtime, name: str, content: bytes, says: str
) -> None:
    answer = send_file(clinician, content, name)
    assert answer.status_code == 422, text_of(answer.text)
    assert says.lower() in text_of(answer.text).lower()
    assert "Nothing was put on record" in answer.text
    assert 'type="file"' in answer.text
    assert entries(runtime) == 0


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_read(clinician: Browser, runtime: Runtime, encoding: str) -> None:
    table = WARD.decode().replace("visit date", "Untersuchungsdatum").replace("patient", "Pat.-Nr.")
    table = table.replace("P-2", "Mülller 2")
    shown = through(clinician, table.encode(encoding))
    assert "2 values would be added" in shown.text, text_of(shown.text)
    assert "this is no pseudonym".capitalize() in shown.text
    assert "Mülller 2" in shown.text
    keep(clinician, shown.text)
    assert len(record(runtime, "P-1")) == 2


def test_cells_that_are_no_values_are_told_by_row_and_stay_text(
    clinician: Browser, runtime: Runtime
) -> None:
    rows = [a_visit(f"P-{n}", 8, str(20 + n)) for n in range(1, 40)]
    rows += [
        a_visit("P-40", 8, "=HYPERLINK(1)"), a_visit("P-41", 8, "99"),
        a_visit("<script>alert(1)</script>", 8, "30"), a_visit("P-42", -60, "30", onset=20),
        a_visit("P-43", 8, "30", onset=-3),
    ]  # fmt: skip
    shown = through(clinician, visits(*rows)).text
    assert "<script" not in shown
    said = text_of(shown)
    assert "<script>alert(1)</script>" in said
    assert "39 values would be added" in said, said[:400]
    kept = keep(clinician, shown).text
    assert "<script" not in kept
    for nobody in ("P-40", "P-41", "P-42", "P-43"):
        with pytest.raises(RehabcastError):
            record(runtime, nobody)


def test_days_since_onset_need_no_dates_and_facts_are_of_the_person(
    clinician: Browser, runtime: Runtime
) -> None:
    clinician.add("P-1", (ARM, 8, 25.0), day=6)
    table = b"patient,day,Fugl-Meyer arm,steps\nP-1,30,33,2100\nP-1,31,,2200\nP-9,30,20,900\n"
    shown = through(clinician, table).text
    assert "the file does not say when rehabilitation began" in text_of(shown)
    keep(clinician, shown)
    assert Observation(code=ARM, day_since_onset=30, value=33.0) in record(runtime, "P-1")
    assert Observation(code=STEPS, day_since_onset=31, value=2200.0) in record(runtime, "P-1")
    with pytest.raises(RehabcastError):
        record(runtime, "P-9")


def test_dates_without_an_onset_are_refused_for_whom_they_lack_it(
    clinician: Browser, runtime: Runtime
) -> None:
    rows = [a_visit("P-1", 8, "25"), f"P-2;;{days_ago(44)};{days_ago(40)};30"]
    shown = through(clinician, visits(*rows)).text
    assert "does not say when the onset was" in shown
    assert "1 value would be added" in shown
    keep(clinician, shown)
    with pytest.raises(RehabcastError):
        record(runtime, "P-2")


def test_nothing_of_somebody_who_withdrew_consent_is_told_or_kept(
    clinician: Browser, runtime: Runtime
) -> None:
    clinician.add("P-1", (ARM, 8, 24.75), day=6)
    runtime.consents.set("ward", "P-1", "withdrawn", actor="tests", now=datetime.now(UTC))
    shown = through(clinician, WARD).text
    assert "24.75" not in without_tokens(shown)
    assert "Nothing of this patient will be put on record" in shown
    keep(clinician, shown)
    assert len(record(runtime, "P-1")) == 1


def test_an_answer_that_is_left_open_or_made_up_puts_nothing_on_record(
    clinician: Browser, runtime: Runtime
) -> None:
    page = send_file(clinician, WARD).text
    form = form_of(page, f"{IMPORT}/read")
    for answer in ("", "7", "constructor"):
        sent = clinician.http.post(f"{IMPORT}/read", data=form | {"answer-0": answer})
        assert sent.status_code == 422
        assert "Nothing was put on record" in sent.text
    shown = clinician.http.post(f"{IMPORT}/read", data=form | {"answer-0": "out"}).text
    assert "does not say when the onset was" in shown
    assert "Nothing would be added" in shown


def test_only_a_clinician_imports(browser: Browser) -> None:
    browser.sign_in("governance")
    browser.open(IMPORT, status=403)
    sent = browser.http.post(f"{IMPORT}/look", files={"file": ("ward.csv", WARD)})
    assert sent.status_code == 403
    browser.sign_in("clinician")
    score = browser.http.post("/pages/patients/P-1/score", files={"file": ("ward.csv", WARD)})
    assert score.status_code == 415


def test_a_file_of_one_patient_needs_no_other(clinician: Browser, runtime: Runtime) -> None:
    shown = through(clinician, visits(a_visit("P-1", 8, "25"), a_visit("P-1", 22, "31"))).text
    keep(clinician, shown)
    assert len(record(runtime, "P-1")) == 2


def test_every_question_has_its_words() -> None:
    assert set(QUESTIONS) == set(_QUESTIONS)


@given(st.binary(max_size=3_000))
def test_a_file_comes_out_of_a_form_as_it_went_in(content: bytes) -> None:
    if content:
        assert unpacked(packed(content)) == content


@given(st.text(max_size=300))
def test_what_was_never_packed_is_refused(text: str) -> None:
    with pytest.raises(RehabcastError):
        unpacked(text)


def test_a_file_that_swells_is_refused() -> None:
    with pytest.raises(RehabcastError, match="larger than"):
        unpacked(packed(b"0" * 50 * LARGEST_FILE))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["a.csv", "b.tsv", "c.txt", "d.parquet"]))
def test_whatever_is_sent_is_answered_by_a_page(
    clinician: Browser, content: bytes, name: str
) -> None:
    answer = send_file(clinician, content, name)
    assert answer.status_code in {200, 422}
    assert "internal error" not in answer.text


def test_no_day_of_the_file_is_later_than_today(clinician: Browser) -> None:
    shown = through(clinician, visits(a_visit("P-1", 60, "25"), a_visit("P-2", 8, "25"))).text
    assert "row 2, 'P-1', Fugl-Meyer upper extremity" in text_of(shown)
    assert "lies in the future" in shown
    assert "1 value would be added" in shown


def test_a_service_without_what_reads_tables_says_so_before_a_file_is_chosen(
    clinician: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = clinician.token(clinician.open(IMPORT), f"{IMPORT}/look")
    monkeypatch.setattr("rehabcast.pages.imports.understood.READS_TABLES", "not_installed_here")
    sent = send_file(clinician, WARD, token=token)
    assert sent.status_code == 503
    for page in (clinician.open(IMPORT, status=503), sent.text):
        assert "installed without what reads tables" in page


def test_a_file_that_takes_longer_than_a_page_may_is_refused_before_it_is_looked_at(
    clinician: Browser,
) -> None:
    wide = ",".join(["patient", *(f"c{number}" for number in range(5_000))])
    made = io.BytesIO()
    pq.write_table(pa.table({"patient": ["P-1"] * 300_000, "FMA-UE": [30] * 300_000}), made)
    for name, content in (("w.csv", f"{wide}\n".encode()), ("w.parquet", made.getvalue())):
        began = time.process_time()
        answer = send_file(clinician, content, name)
        assert answer.status_code == 422
        assert "more columns or rows than a page can look at" in text_of(answer.text)
        assert time.process_time() - began < 5
