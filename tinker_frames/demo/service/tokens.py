"""JWTs and URL signatures of the service: signed with a secret of this server, short-lived, and revocable."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any


class Tokens:
    """Issues and verifies JWTs, and signs storage URLs."""

    def __init__(self) -> None:
        self._secret, self._key_id = secrets.token_bytes(32), 0
        self._storage_secret = secrets.token_bytes(32)

    def issue(self, lifetime: float, **claims: object) -> str:
        """Return a JWT with these claims that expires after `lifetime` seconds."""
        now = time.time()
        claims |= {"iat": int(now), "exp": int(now + lifetime), "jti": secrets.token_hex(8)}
        header = _encode_part({"alg": "HS256", "typ": "JWT", "kid": str(self._key_id)})
        text = f"{header}.{_encode_part(claims)}"
        return f"{text}.{self._sign_token(text)}"

    def verify(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a JWT, or None if its signature is wrong or it has expired."""
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign_token(text).encode()):
            return None
        claims: dict[str, Any] = _decode_part(text.partition(".")[2])
        return claims if claims["exp"] > time.time() else None

    def revoke(self) -> None:
        """Invalidate every JWT issued so far."""
        self._secret, self._key_id = secrets.token_bytes(32), self._key_id + 1

    def sign_path(self, path: str) -> str:
        """Return the signature of a storage URL."""
        return hmac.new(self._storage_secret, path.encode(), hashlib.sha256).hexdigest()[:32]

    def _sign_token(self, text: str) -> str:
        return _encode_base64(hmac.new(self._secret, text.encode(), hashlib.sha256).digest())


def _encode_base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _encode_part(content: object) -> str:
    return _encode_base64(json.dumps(content, separators=(",", ":")).encode())


def _decode_part(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
