"""Settings of this installation, read from `REHABCAST_*` environment variables here only."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contracts.errors import ContractError
from contracts.vocabulary import learn
from contracts.vocabulary.additions import read_additions
from rehabcast import setting_checks as checks
from serving.access.addresses import Network
from stores.secret_url import SecretUrl, sqlite_url
from training.tracking import Store

PREFIX = "REHABCAST_"

BLANK = "blank_setting"
"""Kind of the error that `_Checked` raises."""

NOT_SETTINGS = frozenset({"REHABCAST_BENCH_SECONDS", "REHABCAST_IMAGE"})
"""Variables that benchmarks and the compose file read, and the program does not."""

Database = Annotated[SecretUrl, BeforeValidator(checks.database)]
Registry = Annotated[SecretUrl, BeforeValidator(checks.registry)]
File = Annotated[Path, BeforeValidator(checks.existing_file)]
Folder = Annotated[Path, BeforeValidator(checks.existing_folder)]
Text = Annotated[str, BeforeValidator(checks.text)]


class _Checked(BaseSettings):
    """Settings of which none is blank, and no message repeats a value."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_blank(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Check every setting alike, before what it means is checked."""
        for name, value in values.items():
            if isinstance(value, str) and (fault := checks.blank(value)):
                raise PydanticCustomError(BLANK, "{fault}", {"setting": name, "fault": fault})
        return values


class _OfSite(_Checked):
    vocabulary: File | None = None


class Settings(_Checked):
    """Paths, addresses and names of this installation.

    A setting that is blank, padded with blanks or not what it must be is an error, as is a variable
    `REHABCAST_...` that is none of these: a misspelt one would open or close something unnoticed.

    Parameters
    ----------
    home
        Folder of all that this installation keeps: ledger, record, registry, artifacts, keys,
        forecasts that wait, checkpoints and the demo's cohort.
    tracking_uri
        MLflow's store, PostgreSQL or a server by URL; where unset, `mlflow.db` in this home.
    ledger_url
        SQLAlchemy URL of the promotion ledger; where unset, `ledger.db` in this home.
    ledger_head
        Head of the ledger, written and signed by `rehabcast ledger head` and kept apart from it: a
        ledger without it is not served from.
    host, port
        Where the service listens, and where `forecast` sends its request.
    model
        Whose champion to serve, or with commas between the names of several models, one a task;
        where unset, the model promoted last.
    actor
        Name of the person who acts, as the ledger records it; believed in one-person trials only.
    people
        Folder of people's public keys (`NAME.pem`): who they are, where several share the ledger.
    person_key
        Private key (PEM) of the person who acts, to sign approvals and promotions with.
    signing_key
        Private key (PEM) to sign bundles and reports with; where unset, this home's own.
    trusted_keys
        Folder of public keys (PEM): a signature by any of them is accepted, so that old and new
        overlap when a key is replaced.
    store_url
        SQLAlchemy URL of the service's own store: running records, forecast log, feedback; where
        unset, `service.db` in this home.
    service_spool
        Folder on a local disk where a worker keeps forecasts until they are in its store; where
        unset, this home's own.
    policy
        TOML file of the board's audit policy, by which versions are audited and promoted alike;
        where unset, the one that rehabcast ships.
    monitoring_plan
        TOML file of the plan by which versions are followed in service; where unset, the one that
        rehabcast ships (docs/evidence.md).
    monitoring_hours
        How often the service looks at outcomes, in a process of its own (`monitor run`); where
        unset, it does not.
    shadow
        `NAME/N` of a version that forecasts silently beside the champion, shown to nobody.
    vocabulary
        TOML file of the site's own codes (docs/vocabulary.md), known to every command and to the
        service.
    access
        TOML file of the issuers and clients that the service trusts (docs/operations.md).
    development_token
        Bearer token accepted instead, for every route, on loopback only; `rehabcast serve
        --development` makes one.
    alert_webhook, alert_webhook_key
        Address that is told of new alerts, and the file of the key that it is told with; both, or
        neither: then nobody is told.
    token
        Bearer token that `forecast` sends.
    trusted_proxies
        Addresses or networks, with commas between, of proxies that are believed when they say whom
        a request comes from; requests without a token are limited by that. By default none is.
    public_address
        The service's address as a clinician's browser reaches it, for the links on cards; where
        unset, the audience of the access file.
    cors_origins
        Origins, with commas between, whose pages may send requests from a browser; by default none.
    workers
        Processes of the service.
    predict_first
        Whether the pages ask clinicians for their own prediction before they show a forecast.
    developer, contact, funding
        Who is responsible for the models here, as reports and model cards state it.

    Raises
    ------
    ContractError
        A setting is wrong: names its variable, never its value.
    """

    # Before all that lies in it by default.
    home: Annotated[Path, BeforeValidator(checks.home)] = Path("mlruns")
    tracking_uri: Registry = Field(default_factory=lambda given: _at_home(given, "mlflow.db"))
    ledger_url: Database = Field(default_factory=lambda given: _at_home(given, "ledger.db"))
    ledger_head: Path | None = None
    host: Annotated[str, BeforeValidator(checks.host)] = "127.0.0.1"
    port: Annotated[int, BeforeValidator(checks.port)] = 3000
    model: Annotated[tuple[str, ...], NoDecode, BeforeValidator(checks.models)] = ()
    actor: Annotated[str, BeforeValidator(checks.name)] = Field(
        default_factory=lambda: _this_user()
    )
    people: Annotated[Path, BeforeValidator(checks.folder_or_none)] | None = None
    person_key: Path | None = None
    signing_key: File | None = None
    trusted_keys: Folder | None = None
    store_url: Database = Field(default_factory=lambda given: _at_home(given, "service.db"))
    service_spool: Annotated[Path, BeforeValidator(checks.folder_or_none)] | None = None
    policy: File | None = None
    monitoring_plan: File | None = None
    monitoring_hours: Annotated[int, BeforeValidator(checks.hours)] | None = None
    shadow: Annotated[str, BeforeValidator(checks.version)] | None = None
    vocabulary: File | None = None
    access: File | None = None
    development_token: Annotated[SecretStr, BeforeValidator(checks.long_token)] | None = None
    alert_webhook: Annotated[SecretStr, BeforeValidator(checks.webhook)] | None = None
    alert_webhook_key: File | None = None
    token: Annotated[SecretStr, BeforeValidator(checks.token)] | None = None
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(checks.networks)] = ()
    public_address: Annotated[str, BeforeValidator(checks.public_address)] | None = None
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(checks.origins)] = ()
    workers: Annotated[int, BeforeValidator(checks.workers)] = 1
    predict_first: bool = False
    developer: Text | None = None
    contact: Text | None = None
    funding: Text | None = None

    def __init__(self, **values: Any) -> None:
        _refuse_unknown_variables(set(type(self).model_fields))
        try:
            super().__init__(**values)
        except ValidationError as error:
            # Not "from error": a chained traceback would show more than the message.
            raise ContractError(*_in_words(error)) from None

    @property
    def store(self) -> Store:
        """MLflow's tracking and registry store."""
        return Store(
            tracking_uri=self.tracking_uri.get_secret_value(), artifacts=self.home / "artifacts"
        )

    @property
    def spool(self) -> Path:
        """Folder of forecasts that are not in the service's store yet."""
        return self.service_spool or self.home / "service-spool"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints of unfinished training."""
        return self.home / "checkpoints"


def use_site_vocabulary() -> None:
    """Let this process know the site's own codes, where the setting names their file.

    Of the settings it reads this one alone: commands that need no other work with any.

    Raises
    ------
    ContractError, CohortInvalid
        The setting is wrong, or the file: everything that is wrong with it.
    """
    try:
        file = _OfSite().vocabulary
    except ValidationError as error:
        raise ContractError(*_in_words(error)) from None
    if file is not None:
        learn(read_additions(file, "the site's vocabulary (REHABCAST_VOCABULARY)"), of_site=True)


def secrets_in_environment() -> frozenset[str]:
    """Return every text of the settings that no log or message may hold, right or wrong."""
    found: set[str] = set()
    for name, field in Settings.model_fields.items():
        value = os.environ.get(PREFIX + name.upper(), "")
        kind = str(field.annotation)
        if SecretUrl.__name__ in kind:
            found |= SecretUrl(value).secrets()
        elif SecretStr.__name__ in kind:
            found.add(value)
    return frozenset(found)


def _at_home(given: dict[str, Any], name: str) -> SecretUrl:
    """Return the URL of a database in the home, whatever characters its path has."""
    return SecretUrl(sqlite_url(given["home"] / name))


def _this_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # In a container the user's number may have no name.
        return f"user {os.getuid()}"


def _refuse_unknown_variables(fields: set[str]) -> None:
    known = {PREFIX + field.upper() for field in fields}
    given = {name for name in os.environ if name.upper().startswith(PREFIX)}
    if unknown := sorted(given - known - NOT_SETTINGS):
        meant = checks.meant(unknown[0].upper(), known)
        raise ContractError(
            f"the environment variable {unknown[0]} is no setting of rehabcast",
            f"write {meant}, or remove it" if meant else "remove it, or correct its name",
        )


def _in_words(error: ValidationError) -> tuple[str, str]:
    first = error.errors(include_input=False, include_url=False)[0]
    facts = first.get("ctx", {})
    said = str(facts["error"]) if "error" in facts else first["msg"]
    field = facts["setting"] if first["type"] == BLANK else "".join(map(str, first["loc"][:1]))
    return f"the setting {PREFIX}{field.upper()} {said}", "correct it, or unset it for its default"
