"""JWTs as the service mints them: signed with a secret of this server, short-lived, and revocable."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any


class Tokens:
    """Mints and checks JWTs."""

    def __init__(self) -> None:
        self._secret, self._born = secrets.token_bytes(32), 0
        self._storage_secret = secrets.token_bytes(32)

    def mint(self, lifetime: float, **claims: object) -> str:
        """Return a token with these claims that lives so many seconds."""
        now = time.time()
        claims |= {"iat": int(now), "exp": int(now + lifetime), "jti": secrets.token_hex(8)}
        head = _pack({"alg": "HS256", "typ": "JWT", "kid": str(self._born)})
        text = f"{head}.{_pack(claims)}"
        return f"{text}.{self._signature(text)}"

    def claims(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token that is ours and alive, else None."""
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(text).encode()):
            return None
        claims: dict[str, Any] = _unpack(text.partition(".")[2])
        return claims if claims["exp"] > time.time() else None

    def revoke(self) -> None:
        """Make every token minted so far invalid."""
        self._secret, self._born = secrets.token_bytes(32), self._born + 1

    def sign(self, path: str) -> str:
        """Return the signature that a storage URL must carry."""
        return hmac.new(self._storage_secret, path.encode(), hashlib.sha256).hexdigest()[:32]

    def _signature(self, text: str) -> str:
        return _base64(hmac.new(self._secret, text.encode(), hashlib.sha256).digest())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _pack(content: object) -> str:
    return _base64(json.dumps(content, separators=(",", ":")).encode())


def _unpack(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
