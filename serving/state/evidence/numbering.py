"""Numbers by which tables tell people apart."""

from __future__ import annotations

import hashlib


def number_of(tenant: str, subject: str, table: str) -> int:
    """Return a person's number in a table: an order that no outcome can follow.

    Parameters
    ----------
    table
        What it is of: a version, or a version beside another. Whoever has two tables cannot say
        who in the one is who in the other.
    """
    named = "\0".join((table, tenant, subject)).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(named, digest_size=8).digest()) >> 1
