"""What differs between machines, read from `REHABCAST_*` variables; read nowhere else."""

from __future__ import annotations

import getpass
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from training.tracking import Store


class Settings(BaseSettings):
    """Places and names of this installation.

    Parameters
    ----------
    tracking_uri
        MLflow's store: SQLite by default, PostgreSQL by URL.
    home
        Folder of artifacts, checkpoints and the demo's cohort.
    ledger_url
        SQLAlchemy URL of the promotion ledger.
    host, port
        Where the service listens, and where `forecast` asks.
    model
        Which model's champion to serve; unset, the one promoted last.
    actor
        Who acts, as the ledger records it.
    signing_key
        Private key (PEM) that bundles and reports are signed with; unset, one of this home's own.
    trusted_keys
        Folder of public keys (PEM): a signature by any of them holds, so that old and new overlap
        when a key is replaced.
    store_url
        SQLAlchemy URL of the service's own store: running records, chain of forecasts, feedback.
    access
        TOML file of whom the service trusts (docs/operations.md).
    development_token
        Taken instead, for everything, on loopback only; `rehabcast serve --development` makes one.
    token
        Bearer token that `forecast` sends.
    workers
        Processes of the service.
    developer, contact, funding
        What reports and model cards say of whoever answers for the models here.
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
    access: Path | None = None
    development_token: str | None = None
    token: str | None = None
    workers: int = 1
    developer: str | None = None
    contact: str | None = None
    funding: str | None = None

    @property
    def store(self) -> Store:
        """The tracking store."""
        return Store(tracking_uri=self.tracking_uri, artifacts=self.home / "artifacts")

    @property
    def checkpoints(self) -> Path:
        """Where unfinished training lies."""
        return self.home / "checkpoints"
