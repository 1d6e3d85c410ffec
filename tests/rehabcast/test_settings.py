"""Every setting, unset, blank, padded and absurd; and names that are no settings."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from contracts.errors import ContractError
from rehabcast.settings import PREFIX, Settings, secrets_in_environment
from stores.secret_url import SecretUrl

DATABASE = (
    "ledger.db", "mlruns", "oracle://h/d", "sqlite://", "sqlite:///", "sqlite:///:memory:",
    "sqlite:///x.db?mode=memory", "sqlite:///file:x?uri=true", "postgresql://host", "sqlite:////tmp",
    "sqlite://host/x.db", "http//x", "mysql://h/d", "postgresql+asyncpg://h/d", "://", "sqlite",
    "postgresql://h:port/d", "sqlite:///a\nb",
)  # fmt: skip
LONG = "x" * 300
FILE = ("missing/file", "FOLDER", "a\x07b", LONG)
TOKENS = ("two words of a longer token", "ümlaut-in-a-token-of-20", "x" * 20_000, "new\nline" * 4)

# setting: (a good value, what it becomes, absurd ones)
TABLE: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    "tracking_uri": (
        "http://mlflow:5000", SecretUrl("http://mlflow:5000"),
        (*(u for u in DATABASE if u != "http//x"), "http://", "https://", "ftp://x/y", "http://a b/",
         "http://h:99999", "http://h:0", "databricks"),
    ),
    "home": ("somewhere", Path("somewhere"), ("FILE", "a\nb", "file:x", "a%20b", "/a?b/c", LONG)),
    "ledger_url": (
        "postgresql://u:p@h/d", SecretUrl("postgresql://u:p@h/d"), (*DATABASE, "http://x"),
    ),
    "ledger_head": ("head.json", Path("head.json"), ("a\nb",)),
    "people": ("somewhere", Path("somewhere"), ("FILE", "a\nb", LONG)),
    "person_key": ("mia.pem", Path("mia.pem"), ("a\nb",)),
    "service_spool": ("somewhere", Path("somewhere"), ("FILE", "a\nb", LONG)),
    "host": (
        "0.0.0.0", "0.0.0.0",  # noqa: S104
        ("a host", "http://x", "host:80", "-x", "a..b", "256.1.1.1", "x" * 300, "1.2.3", "a/b"),
    ),
    "predict_first": ("true", True, ("perhaps", "2", "x" * 300)),
    "port": (
        "8080", 8080,
        ("0", "70000", "65536", "-1", "3e3", "3000.0", "0x10", "abc", "+80", "1_000", "٣٠٠٠", "080"),
    ),
    "model": ("arm, leg", ("arm", "leg"), ("x" * 201, "a\nb", "arm,", "arm, ARM", ",")),
    "actor": ("A. Tester", "A. Tester", ("x" * 201, "a\x00b", "A\u200bB")),
    "signing_key": ("FILE", None, FILE),
    "trusted_keys": ("FOLDER", None, ("missing", "FILE", LONG)),
    "store_url": ("sqlite:///x.db", SecretUrl("sqlite:///x.db"), (*DATABASE, "https://x/y")),
    "policy": ("FILE", None, FILE),
    "monitoring_plan": ("FILE", None, FILE),
    "monitoring_hours": ("24", 24, ("0", "-1", "673", "1.5", "daily", "1e1")),
    "shadow": ("arm/2", "arm/2", ("arm", "arm/", "/2", "arm/02", "arm/x", "a@b/2", "x" * 300)),
    "vocabulary": ("FILE", None, FILE),
    "access": ("FILE", None, FILE),
    "development_token": (
        "abcdefghijklmnopqrst", SecretStr("abcdefghijklmnopqrst"), (*TOKENS, "x", "a" * 19),
    ),
    "alert_webhook": (
        "https://ward.test/in", SecretStr("https://ward.test/in"),
        ("http://ward.test/in", "ftp://ward.test", "https://u:p@ward.test", "https://", "ward.test",
         "https://a b/", "FILE"),
    ),
    "alert_webhook_key": ("FILE", None, FILE),
    "token": ("abc.def-g_h", SecretStr("abc.def-g_h"), TOKENS),
    "trusted_proxies": (
        "10.0.0.7, 2001:db8::/32", (ip_network("10.0.0.7"), ip_network("2001:db8::/32")),
        ("proxy", "10.0.0.7/8", "0.0.0.0/0", "::/0", "10.0.0.7,", "1.2.3", "10.0.0.7 10.0.0.8", "*"),
    ),
    "public_address": (
        "https://rehabcast.hospital.example", "https://rehabcast.hospital.example",
        ("rehabcast", "https://", "ftp://x", "https://h/", "https://h/x?y", "https://a b", "https://u:p@h",
         "https://h:0", "//h"),
    ),
    "cors_origins": (
        "https://sandbox.cds-hooks.org, http://127.0.0.1:8080",
        ("https://sandbox.cds-hooks.org", "http://127.0.0.1:8080"),
        ("*", "null", "sandbox.cds-hooks.org", "https://h/path", "https://h/", "https://*.example",
         "https://a.example,", "https://a.example https://b.example", "HTTPS://H.example"),
    ),
    "workers": ("4", 4, ("0", "-1", "1000000", "65", "1.5", "many", "two", "1e1")),
    "developer": ("A hospital", "A hospital", ("x" * 2_001, "a\nb")),
    "contact": ("a@b.test", "a@b.test", ("x" * 2_001, "a\x1b[31mb")),
    "funding": ("none", "none", ("x" * 2_001, "a\rb")),
}  # fmt: skip

DEFAULTS = {
    "home": Path("mlruns"), "host": "127.0.0.1", "port": 3000, "workers": 1, "predict_first": False, "trusted_proxies": (),
    "cors_origins": (), "model": (),
    "tracking_uri": SecretUrl("sqlite:///mlruns/mlflow.db"),
    "ledger_url": SecretUrl("sqlite:///mlruns/ledger.db"),
    "store_url": SecretUrl("sqlite:///mlruns/service.db"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("content")
    (tmp_path / "a-folder").mkdir()


def given(value: str) -> str:
    return {"FILE": "a-file", "FOLDER": "a-folder"}.get(value, value)


def refused(monkeypatch: pytest.MonkeyPatch, field: str, value: str) -> ContractError:
    """Read the settings with one value, which must be refused without being repeated."""
    name = PREFIX + field.upper()
    if "\x00" in value:
        with pytest.raises(ContractError) as refusal:
            Settings(**{field: value})
    else:
        monkeypatch.setenv(name, value)
        with pytest.raises(ContractError) as refusal:
            Settings()
    assert name in refusal.value.reason
    if len(value.strip()) > 7:
        assert value.strip() not in str(refusal.value)
    assert refusal.value.__suppress_context__
    return refusal.value


def test_the_table_has_every_setting() -> None:
    assert set(TABLE) == set(Settings.model_fields)


@pytest.mark.parametrize("field", TABLE)
def test_a_setting_unset_or_given(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    unset = getattr(Settings(), field)
    assert unset == DEFAULTS.get(field, unset if field == "actor" else None)
    value, expected, _ = TABLE[field]
    monkeypatch.setenv(PREFIX + field.upper(), given(value))
    assert getattr(Settings(), field) == (Path(given(value)) if expected is None else expected)


IN_HOME = {
    "tracking_uri": "mlflow.db", "ledger_url": "ledger.db", "store_url": "service.db",
}  # fmt: skip


@pytest.mark.parametrize("home", ["somewhere", "a b", "a#b", "a&b=c;d", "kürzel", "u:p@h"])
def test_the_home_decides_where_everything_lies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str
) -> None:
    folder = tmp_path / home
    monkeypatch.setenv("REHABCAST_HOME", str(folder))
    settings = Settings()
    for field, name in IN_HOME.items():
        url = make_url(getattr(settings, field).get_secret_value())
        assert (url.database, url.query) == (str(folder / name), {})
        assert field not in settings.model_fields_set
    assert settings.store.artifacts == folder / "artifacts"
    assert (settings.spool, settings.checkpoints) == (
        folder / "service-spool", folder / "checkpoints",
    )  # fmt: skip


@pytest.mark.parametrize("field", IN_HOME)
def test_a_database_set_by_itself_is_not_moved_by_the_home(
    monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    monkeypatch.setenv("REHABCAST_HOME", "somewhere")
    monkeypatch.setenv(PREFIX + field.upper(), "sqlite:///elsewhere.db")
    settings = Settings()
    for other, name in IN_HOME.items():
        expected = "elsewhere.db" if other == field else f"somewhere/{name}"
        assert getattr(settings, other) == SecretUrl(f"sqlite:///{expected}")


def test_a_wrong_home_is_named_and_not_what_would_lie_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "HOME" in refused(monkeypatch, "home", "a-file").reason


@pytest.mark.parametrize("field", TABLE)
def test_a_blank_or_padded_setting_is_refused(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    value = given(TABLE[field][0])
    for blank in ("", " ", "\t", "\n", "\u00a0"):
        assert "is blank" in refused(monkeypatch, field, blank).reason
    for padded in (f" {value}", f"{value} ", f"{value}\n", f"\t{value}", f"{value}\u2003"):
        assert "blanks before or after" in refused(monkeypatch, field, padded).reason


@pytest.mark.parametrize("field", TABLE)
def test_an_absurd_setting_is_refused(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    for absurd in TABLE[field][2]:
        refused(monkeypatch, field, given(absurd))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("REHABCAST_ACESS", "write REHABCAST_ACCESS"),
        ("REHABCAST_DEVELOPMENT_TOKENS", "write REHABCAST_DEVELOPMENT_TOKEN"),
        ("rehabcast_access", "write REHABCAST_ACCESS"),
        ("REHABCAST_SOMETHING_ELSE", "remove it"),
        ("REHABCAST_", "remove it"),
        ("REHABCAST_SERVICE_HOST", "remove it"),
    ],
)
def test_a_variable_that_is_no_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, advice: str
) -> None:
    monkeypatch.setenv(name, "CANARY")
    with pytest.raises(ContractError, match=advice) as refusal:
        Settings()
    assert name in str(refusal.value)
    assert "CANARY" not in str(refusal.value)


def test_secrets_are_known_even_where_settings_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REHABCAST_LEDGER_URL", " postgresql://u:p%40ss-word@h.test/d?x=query-1 ")
    monkeypatch.setenv("REHABCAST_TOKEN", "a bad token")
    assert {"p@ss-word", "p%40ss-word", "h.test", "a bad token"} <= secrets_in_environment()


def test_no_way_to_show_settings_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in ("tracking_uri", "ledger_url", "store_url"):
        monkeypatch.setenv(
            PREFIX + field.upper(), f"postgresql://u:CANARY-{field}@CANARYHOST/CANARY"
        )
    monkeypatch.setenv("REHABCAST_TOKEN", "CANARY-token")
    monkeypatch.setenv("REHABCAST_DEVELOPMENT_TOKEN", "CANARY-development-token")
    settings = Settings()
    shown = [
        repr(settings), str(settings), f"{settings}", settings.model_dump_json(),
        repr(settings.model_dump()), str(settings.model_dump()), repr(settings.store),
    ]  # fmt: skip
    assert [text for text in shown if "CANARY" in text] == []
