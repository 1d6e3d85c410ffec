"""Public keys of an issuer or client (JWKS, RFC 7517): read, checked, and read again.

A key that was taken out of its JWKS is no longer accepted after `MAX_AGE_SECONDS`. While a JWKS
cannot be read, the keys known before are used for `MAX_STALE_SECONDS`, and then none.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from contracts.errors import ContractError
from serving.access.addresses import is_loopback
from stores.private_files import ReadableByOthers, require_unchanged_by_others

CURVE_ALGORITHMS = {"secp256r1": ("ES256",), "secp384r1": ("ES384",)}
RSA_ALGORITHMS = ("RS256", "RS384")
"""Asymmetric only: with HS a public key would have to be a secret, and `none` has no signature."""

SMALLEST_RSA_BITS, SMALLEST_RSA_EXPONENT = 2048, 65_537
"""NIST SP 800-131A rev. 2 and FIPS 186-5."""

MAX_AGE_SECONDS = 600.0
"""How long keys are used before they are read again."""

MAX_STALE_SECONDS = 3_600.0
"""How long after they were last read keys are used, where they cannot be read again."""

REREAD_SECONDS = 30.0
"""After an unknown key id, or a failure, the keys are read again, but no more often than this."""

FETCH_SECONDS = 5.0
MAX_BYTES = 256 * 1024
MAX_KEYS = 100

log = logging.getLogger("rehabcast.tokens")

Key = ECKey | RSAKey


class Keys:
    """The keys of one issuer or client, read when first needed.

    Parameters
    ----------
    source
        Path of a file, or a URL that `require_source` let through.
    clock
        Seconds that only go forward.
    """

    def __init__(self, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.source, self._clock = source, clock
        self._by_id: dict[str, Key] = {}
        self._read_at = self._tried_at = float("-inf")
        self._reading = threading.Lock()

    def find(self, kid: str) -> Key | None:
        """Return the key of an id, or None."""
        due = self._is_due(kid) or self._reading.locked()
        if due and self._reading.acquire(blocking=not self._is_usable(kid)):
            try:
                if self._is_due(kid):
                    self._read()
            finally:
                self._reading.release()
        return self._by_id.get(kid) if self._age() <= MAX_STALE_SECONDS else None

    def _is_due(self, kid: str) -> bool:
        if self._clock() - self._tried_at < REREAD_SECONDS:
            return False
        return self._age() > MAX_AGE_SECONDS or kid not in self._by_id

    def _is_usable(self, kid: str) -> bool:
        """Whether a request may go on with the old keys while another one reads them again."""
        return kid in self._by_id and self._age() <= MAX_AGE_SECONDS + FETCH_SECONDS

    def _age(self) -> float:
        return self._clock() - self._read_at

    def _read(self) -> None:
        self._tried_at = self._clock()
        try:
            keys = usable_keys(json.loads(content_of(self.source)))
        except (OSError, ValueError, RecursionError, httpx.HTTPError, ReadableByOthers) as error:
            log.error("a JWKS cannot be read: %s", type(error).__name__)
            return
        # One assignment: a request that reads them meanwhile sees the old or the new ones.
        self._by_id = keys
        self._read_at = self._clock()


def require_source(source: str, folder: Path) -> str:
    """Return the place of a JWKS: an https address, http on this machine, or a file of a folder.

    Raises
    ------
    ContractError
        It is another address, or no file.
    """
    if "://" not in source:
        path = folder / source
        if not path.is_file():
            raise ContractError(
                f"the JWKS {source!r} is not a file beside the access file", "correct its name"
            )
        require_unchanged_by_others(path)
        return str(path)
    if not is_allowed_address(source):
        raise ContractError(
            "the address of a JWKS is neither https nor http on this machine, or has a password",
            "use an https address without user and password",
        )
    return source


def is_allowed_address(source: str) -> bool:
    """Return whether keys may be fetched from an address: https, or http on this machine."""
    try:
        url = urlsplit(source)
        host, port = url.hostname or "", url.port
    except ValueError:
        return False
    is_here = host == "localhost" or is_loopback(host)
    allowed = url.scheme == "https" or (url.scheme == "http" and is_here)
    return bool(allowed and host) and port != 0 and url.username is None and url.password is None


def usable_keys(jwks: Any) -> dict[str, Key]:
    """Return the keys of a JWKS that signatures are checked with, by their id.

    What has no id or an id twice, is for something else, is private, or too weak is left out.

    Raises
    ------
    ValueError
        It is not a JWKS, or has too many keys.
    """
    given = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(given, list) or len(given) > MAX_KEYS:
        raise ValueError("not a JWKS")
    jwk_list = [jwk for jwk in given if isinstance(jwk, dict) and isinstance(jwk.get("kid"), str)]
    counts = Counter(jwk["kid"] for jwk in jwk_list)
    keys = {jwk["kid"]: _key(jwk) for jwk in jwk_list if counts[jwk["kid"]] == 1}
    usable = {kid: key for kid, key in keys.items() if key is not None}
    if len(usable) < len(given):
        log.warning("%d of %d keys of a JWKS cannot be used", len(given) - len(usable), len(given))
    return usable


def algorithms_of(key: Key) -> tuple[str, ...]:
    """Return the algorithms that a key may sign with; none where it is too weak."""
    public = key.public_key
    if isinstance(public, rsa.RSAPublicKey):
        strong = public.key_size >= SMALLEST_RSA_BITS
        # An even or small exponent makes forgery or a slow check possible.
        usual = public.public_numbers().e >= SMALLEST_RSA_EXPONENT
        algorithms: tuple[str, ...] = RSA_ALGORITHMS if strong and usual else ()
    elif isinstance(public, ec.EllipticCurvePublicKey):
        algorithms = CURVE_ALGORITHMS.get(public.curve.name, ())
    else:
        algorithms = ()
    return algorithms if key.alg is None else tuple(a for a in algorithms if a == key.alg)


def _key(jwk: dict[str, Any]) -> Key | None:
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        return None
    try:
        key = import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if not isinstance(key, ECKey | RSAKey) or key.is_private or not algorithms_of(key):
        return None
    return key


def content_of(source: str) -> bytes:
    """Return what stands in a file or at an address, up to `MAX_BYTES`, within `FETCH_SECONDS`.

    Raises
    ------
    OSError, ValueError, httpx.HTTPError
        It cannot be read, is larger, or came too slowly.
    ReadableByOthers
        Others may change the file.
    """
    if "://" not in source:
        path = Path(source)
        require_unchanged_by_others(path)
        with path.open("rb") as file:
            return _bounded(file.read(MAX_BYTES + 1))
    deadline = time.monotonic() + FETCH_SECONDS
    local = urlsplit(source).scheme == "http"
    content = b""
    # On this machine no proxy: it would see, and could change, the keys.
    with (
        httpx.Client(timeout=FETCH_SECONDS, follow_redirects=False, trust_env=not local) as client,
        client.stream("GET", source) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            raise ValueError("the answer is not the JWKS")
        for part in answer.iter_bytes(16_384):
            content = _bounded(content + part)
            if time.monotonic() > deadline:
                raise ValueError("the answer came too slowly")
    return content


def _bounded(content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise ValueError("the JWKS is too large")
    return content
