"""Public keys that tokens are signed with: a JWKS file, or its address."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path

import httpx
import jwt

MAX_AGE_SECONDS = 600.0
"""How long keys are used before they are read again."""

REREAD_SECONDS = 30.0
"""After an unknown key id the keys are read again, but no more often than this."""

FETCH_SECONDS = 5.0

log = logging.getLogger("rehabcast.keys")


class Keys:
    """The keys of one issuer or client, read when first needed."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._by_id: dict[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._lock = threading.Lock()

    def find(self, kid: str) -> jwt.PyJWK | None:
        """Return the key of an id, or None; if they cannot be read again, the old keys are used."""
        with self._lock:
            age = time.monotonic() - self._read_at
            if age > MAX_AGE_SECONDS or (kid not in self._by_id and age > REREAD_SECONDS):
                self._read()
            return self._by_id.get(kid)

    def _read(self) -> None:
        self._read_at = time.monotonic()
        try:
            keys = jwt.PyJWKSet.from_dict(json.loads(self._text())).keys
        except (OSError, ValueError, httpx.HTTPError, jwt.PyJWTError) as error:
            log.error("a JWKS cannot be read: %s", type(error).__name__)
            return
        self._by_id = {key.key_id: key for key in keys if key.key_id is not None}

    def _text(self) -> str:
        if not self.source.startswith(("https://", "http://")):
            return Path(self.source).read_text("utf-8")
        answer = httpx.get(self.source, timeout=FETCH_SECONDS, follow_redirects=False)
        return answer.raise_for_status().text
