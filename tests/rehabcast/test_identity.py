"""Who acts: a name that is believed in a one-person trial, a key where the ledger is shared."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audits.ledger.identity import Identities
from audits.ledger.ledger import Ledger
from audits.ledger.people import read_people, read_person_key
from audits.ledger.records import AuditRecord, Override, Role
from audits.ledger.signing import make_key
from contracts.digests import PACKAGES
from contracts.errors import ContractError, EvidenceMissing, RehabcastError
from contracts.verdict import Outcome, Verdict
from rehabcast import identity
from rehabcast.identity import actor_of, identities_of, is_shared, open_ledger
from rehabcast.main import app
from rehabcast.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime.now(UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation's folder, in which commands run."""
    monkeypatch.chdir(tmp_path)
    for name in ("LEDGER_URL", "HOME", "PEOPLE", "PERSON_KEY", "ACTOR"):
        monkeypatch.delenv(f"REHABCAST_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "mlruns").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("url", "shared"),
    [
        (None, False),
        ("sqlite:///mlruns/ledger.db", False),
        ("sqlite:///mlruns/inner/../other.db", False),
        ("sqlite:///elsewhere.db", True),
        ("sqlite:///mlruns/../ledger.db", True),
        ("sqlite:////srv/shared/ledger.db", True),
        ("postgresql://ledger.example/rehabcast", True),
    ],
)
def test_a_ledger_that_is_not_a_file_of_this_home_is_shared(
    home: Path, url: str | None, shared: bool
) -> None:
    settings = Settings() if url is None else Settings(ledger_url=url)
    assert is_shared(settings) is shared


def test_a_link_out_of_the_home_is_shared(home: Path) -> None:
    (home / "mlruns" / "ledger.db").symlink_to(home / "elsewhere.db")
    assert is_shared(Settings(ledger_url="sqlite:///mlruns/ledger.db"))


def test_a_shared_ledger_does_not_open_on_a_name_alone(home: Path) -> None:
    with pytest.raises(EvidenceMissing, match="REHABCAST_PEOPLE"):
        open_ledger(Settings(ledger_url="sqlite:///elsewhere.db", actor="mia"))
    with pytest.raises(EvidenceMissing, match="no public keys of people"):
        identities_of(Settings(person_key=home / "mia.pem"))


def keyed(home: Path, *names: str) -> Path:
    for name in names:
        make_key(home / f"{name}.pem", home / "people" / f"{name}.pem")
    return home / "people"


def test_a_key_is_its_owners_name_and_another_name_is_refused(home: Path) -> None:
    people = keyed(home, "mia", "gus")
    settings = Settings(people=people, person_key=home / "mia.pem")
    ledger = open_ledger(settings, make=True)
    assert actor_of(settings, ledger) == "mia"
    with pytest.raises(ContractError, match="REHABCAST_ACTOR is gus"):
        actor_of(Settings(people=people, person_key=home / "mia.pem", actor="gus"), ledger)


def test_the_ledger_is_opened_in_one_place(home: Path) -> None:
    """Else a name would be believed somewhere."""
    openers = {
        str(module.relative_to(ROOT))
        for package in PACKAGES
        for module in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Ledger"
    }
    assert openers == {"rehabcast/identity.py"}


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(words))
    if code == 0:
        assert done.exit_code == 0, (done.output, done.exception)
    else:
        assert isinstance(done.exception, RehabcastError), (done.output, done.exception)
        assert done.exception.exit_code == code
        return str(done.exception)
    return done.output


def test_a_command_says_once_that_names_are_not_verified(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity._say_trial.cache_clear()
    for _ in range(3):
        identity.say_if_trial(Ledger("sqlite:///mlruns/ledger.db"))
    assert capsys.readouterr().err.count("Names are not verified") == 1


def test_people_are_added_listed_and_retired(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "REHABCAST_PEOPLE" in run("people", "list", code=4)
    monkeypatch.setenv("REHABCAST_PEOPLE", str(home / "people"))
    run("people", "add", "Mia Moor", "--key", "mia.pem")
    assert (home / "mia.pem").stat().st_mode & 0o077 == 0
    make_key(home / "gus.pem", home / "gus.public.pem")
    run("people", "add", "gus", "--public-key", "gus.public.pem")
    for words, why in (
        (("gus", "--key", "new.pem"), "among the people already"),
        (("MIA-MOOR", "--key", "new.pem"), "cannot be told apart"),
        (("eve", "--public-key", "gus.public.pem"), "as well: give each person a key"),
        (("mi\u200ba", "--key", "new.pem"), "ZERO WIDTH SPACE"),
        (("eve",), "needs one key"),
    ):
        assert why in run("people", "add", *words, code=3)
    assert not (home / "new.pem").exists()
    assert sorted(path.name for path in (home / "people").iterdir()) == ["Mia Moor.pem", "gus.pem"]
    assert "yes" in run("people", "list")
    # Without the ledger nobody knows which entries they may have signed.
    assert "there is no ledger" in run("people", "retire", "gus", code=4)
    Ledger("sqlite:///mlruns/ledger.db").close()
    run("people", "retire", "gus")
    assert "until entry 0" in run("people", "list")
    assert "not among" in run("people", "retire", "eve", code=4)


def verdict(outcome: Outcome) -> Verdict:
    return Verdict(
        model_version="arm/1", bundle_digest="b" * 64, predictions_digest="a" * 64,
        policy_digest="p" * 64, data_digest="d" * 64, code_digest="c" * 64, simulated=True,
        outcome=outcome, findings=(),
    )  # fmt: skip


def audited(ledger: Ledger) -> AuditRecord:
    return ledger.record_audit(
        verdict(Outcome.REVIEW), "e" * 64, actor="ann", now=NOW, valid_until=NOW + timedelta(days=9)
    )


def filled(url: str, home: Path | None = None) -> None:
    """Two approvals, a promotion by override, a rollback and a revocation."""

    def opened(name: str) -> Ledger:
        if home is None:
            return Ledger(url)
        people = read_people(home / "people")
        own = read_person_key(home / f"{name}.pem", people)
        return Ledger(url, Identities(people=people, own_key=own))

    audit = audited(opened("mia"))
    for role, name in zip(Role, ("mia", "gus"), strict=True):
        opened(name).approve(audit, role, person=name, reason="Read [bold] and seen.", now=NOW)
    override = Override(
        approver="gus", reason="Pilot on one ward.", until=NOW + timedelta(days=2),
        restricted_use="Ward 3 only, by day.",
    )  # fmt: skip
    gus = opened("gus")
    gus.promote(audit, seen_epoch=0, actor="gus", now=NOW, override=override)
    gus.roll_back("arm", 1, seen_epoch=1, actor="gus", reason="The other was worse.", now=NOW)
    gus.revoke("arm", actor="gus", reason="Wrong units on ward 3.", now=NOW)


@pytest.mark.parametrize("signed", [False, True], ids=["trial", "signed"])
def test_the_ledger_shows_who_approved_why_for_what_and_until_when(
    home: Path, signed: bool
) -> None:
    keyed(home, "mia", "gus")
    filled("sqlite:///mlruns/ledger.db", home if signed else None)
    shown = " ".join(run("ledger", "show").replace("\u2502", " ").split())
    day = (NOW + timedelta(days=2)).date().isoformat()
    for part in (
        "as ml-owner", "reason: Read [bold] and seen.", "approved by mia (ml-owner), gus",
        "override by gus", "Pilot on one ward.", "only for: Ward 3 only, by day.", day,
        "back to epoch 1", "The other was worse.", "Wrong units on ward 3.", "audit: needs review",
    ):  # fmt: skip
        assert part in shown, part
    assert ("not verified" in shown) is not signed or signed
    assert ("key " in shown) is signed


def test_verification_says_whether_names_are_verified(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled("sqlite:///mlruns/ledger.db")
    assert '"names_verified": false' in run("ledger", "verify", "--json")
    monkeypatch.setenv("REHABCAST_LEDGER_URL", "sqlite:///shared.db")
    assert "REHABCAST_PEOPLE" in run("ledger", "verify", code=4)
    monkeypatch.setenv("REHABCAST_PEOPLE", str(keyed(home, "mia", "gus")))
    filled("sqlite:///shared.db", home)
    assert '"names_verified": true' in run("ledger", "verify", "--json")


@pytest.mark.parametrize("head", ["", ".", "nowhere.json"])
def test_a_head_that_is_no_file_is_a_plain_refusal(home: Path, head: str) -> None:
    assert "there is no file" in run("ledger", "verify", "--head", head, code=4)


def test_a_head_that_cannot_be_written_is_a_plain_refusal(home: Path) -> None:
    Ledger("sqlite:///mlruns/ledger.db").close()
    assert "cannot be written" in run("ledger", "head", "", code=3)


def test_a_signed_file_that_is_no_head_is_a_plain_refusal(home: Path) -> None:
    Ledger("sqlite:///mlruns/ledger.db").close()
    run("ledger", "head", "head.json")
    from audits.ledger.signing import sign

    (home / "head.json").write_text('{"other": 1}')
    sign(home / "head.json", home / "head.json.sig", home / "mlruns" / "keys" / "local.pem")
    assert "is no head" in run("ledger", "verify", "--head", "head.json", code=6)
