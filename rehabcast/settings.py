"""Settings of this installation, read from `REHABCAST_*` environment variables here only."""

from __future__ import annotations

import getpass
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from training.tracking import Store


class Settings(BaseSettings):
    """Paths, addresses and names of this installation.

    Parameters
    ----------
    tracking_uri
        MLflow's store: SQLite by default, PostgreSQL by URL.
    home
        Folder of artifacts, checkpoints and the demo's cohort.
    ledger_url
        SQLAlchemy URL of the promotion ledger.
    host, port
        Where the service listens, and where `forecast` sends its request.
    model
        Whose champion to serve; where unset, the model promoted last.
    actor
        Name of the person who acts, as the ledger records it.
    signing_key
        Private key (PEM) to sign bundles and reports with; where unset, this home's own.
    trusted_keys
        Folder of public keys (PEM): a signature by any of them is accepted, so that old and new
        overlap when a key is replaced.
    store_url
        SQLAlchemy URL of the service's own store: running records, forecast log, feedback.
    service_spool
        Folder on a local disk where a worker keeps forecasts until they are in its store; where
        unset, this home's own.
    access
        TOML file of the issuers and clients that the service trusts (docs/operations.md).
    development_token
        Bearer token accepted instead, for every route, on loopback only; `rehabcast serve
        --development` makes one.
    token
        Bearer token that `forecast` sends.
    workers
        Processes of the service.
    developer, contact, funding
        Who is responsible for the models here, as reports and model cards state it.
    """

    model_config = SettingsConfigDict(env_prefix="REHABCAST_")

    tracking_uri: str = "sqlite:///mlruns/mlflow.db"
    home: Path = Path("mlruns")
    ledger_url: str = "sqlite:///mlruns/ledger.db"
    host: str = "127.0.0.1"
    port: int = 3000
    model: str | None = None
    actor: str = Field(default_factory=getpass.getuser)
    signing_key: Path | None = None
    trusted_keys: Path | None = None
    store_url: str = "sqlite:///mlruns/service.db"
    service_spool: Path | None = None
    access: Path | None = None
    development_token: str | None = None
    token: str | None = None
    workers: int = 1
    developer: str | None = None
    contact: str | None = None
    funding: str | None = None

    @property
    def store(self) -> Store:
        """MLflow's tracking and registry store."""
        return Store(tracking_uri=self.tracking_uri, artifacts=self.home / "artifacts")

    @property
    def spool(self) -> Path:
        """Folder of forecasts that are not in the service's store yet."""
        return self.service_spool or self.home / "service-spool"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints of unfinished training."""
        return self.home / "checkpoints"
