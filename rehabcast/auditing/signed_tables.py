"""Prediction tables that count elsewhere than in their run: signed when made, verified when read.

What a table is about stands in the file itself (metadata of the Parquet file), so one signature
covers forecasts and what they are of.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from audits.ledger.signing import SIGNATURE, verify, written_signed
from contracts.errors import ContractError
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import signing_key, trusted_keys

Stated = TypeVar("Stated", bound=BaseModel)


def write_stated(
    settings: Settings, table: pd.DataFrame, stated: BaseModel, key: bytes, output: Path
) -> str:
    """Write a table with what it is about, and sign it; return the digest of the file.

    Parameters
    ----------
    stated, key
        What it is about, and the name of that in the file.
    """
    content = pa.Table.from_pandas(table, preserve_index=False)
    own = {key: stated.model_dump_json().encode("utf-8")}
    with written_signed(output, signing_key(settings)) as draft:
        pq.write_table(
            content.replace_schema_metadata({**(content.schema.metadata or {}), **own}), draft
        )
    return hashlib.sha256(output.read_bytes()).hexdigest()


def read_stated(
    settings: Settings, file: Path, model: type[Stated], key: bytes, refusal: ContractError
) -> tuple[Stated, pd.DataFrame, str]:
    """Read a signed table: what it is about, its rows, and the digest of the file.

    Parameters
    ----------
    refusal
        What is raised where it does not say what it is about.

    Raises
    ------
    IntegrityError
        It is not signed by a trusted key, or a byte was changed.
    ContractError
        It cannot be read, or says nothing of what it is about.
    """
    if not file.is_file():
        raise ContractError(f"{file.name} cannot be read", "check the path and its permissions")
    with TemporaryDirectory() as temporary:
        # A copy, so that what is judged is what was verified.
        copy = Path(shutil.copy(file, temporary))
        verify(copy, file.with_name(file.name + SIGNATURE), trusted_keys(settings))
        content = copy.read_bytes()
    try:
        table = pq.read_table(pa.BufferReader(content))
        stated = model.model_validate_json((table.schema.metadata or {})[key])
        rows = table.to_pandas()
    except (pa.ArrowException, ValidationError, KeyError) as error:
        raise refusal from error
    return stated, rows, hashlib.sha256(content).hexdigest()
