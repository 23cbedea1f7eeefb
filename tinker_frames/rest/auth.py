"""Authentication: the value of `X-API-Key`, exchanged for a JWT and renewed where the server's config asks for that.

One `Authenticator` per client. It sends requests through the function it is given, so that network access stays in `session`.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import AuthenticationError, ConnectionFailedError, NotFoundError, NotSupportedError, TinkerError
from ..schema.coerce import parse_object
from .adapter import get_time_left
from .config import Settings
from .credentials import Credential, check_secret
from .secret import Secret

# The protocol release that the contract was read from; the config endpoint wants one.
PROTOCOL = "0.38.0"
RETRY_RENEWAL_S = 60
KNOWN_SECRETS = 16  # the last ones are looked for in what the server sends

logger = logging.getLogger("tinker_frames")

Post = Callable[[str, dict[str, Any], Secret], Any]


@dataclass(frozen=True)
class Token:
    """What is sent as `X-API-Key`, and of whom; the same for every token of one user."""

    secret: Secret
    identity: str


class Authenticator:
    """Provides the credential to send with each request.

    `post(path, body, credential)` sends one POST with that credential and returns the parsed answer.
    """

    def __init__(self, settings: Settings, post: Post) -> None:
        self._settings = settings
        self._post = post
        self._lock = threading.RLock()
        self._credential: Credential = settings.credential
        self._ready = False
        self._exchanges = False
        self._token = Secret("")
        self._identity: str | None = None
        self._renew_at = float("inf")
        self._expires_at = float("inf")
        self._known: deque[Secret] = deque(maxlen=KNOWN_SECRETS)

    def get_token(self) -> Token | None:
        """Return what to send as `X-API-Key`, exchanging or renewing first if that is due; None if there is no credential."""
        if not self._credential.exists:
            return None
        with self._exclude_others():
            if not self._ready:
                self._configure()
            now = time.time()
            if now >= min(self._renew_at, self._expires_at):
                self._renew_ahead(now)
            return Token(self._token, self.identity())

    def replace(self, stale: Secret) -> bool:
        """After a 401 `invalid_token`: get another token, once for all threads; False if there is no way to."""
        if not (self._exchanges or self._credential.is_command):
            return False
        with self._exclude_others():
            if self._token == stale:
                self._renew()
            return self._token != stale

    @property
    def exchanges(self) -> bool:
        """Whether the server exchanges the credential for a JWT; False before the first request."""
        return self._exchanges

    def secrets(self) -> tuple[Secret, ...]:
        """Return the last secrets, which nothing that a server sends may hold."""
        return tuple(self._known)

    def identity(self) -> str:
        """Return text that identifies the account without any secret; the same for every JWT of one user.

        It is of the credential that the settings name, also if the server enforces the command, since that is only known after a
        request. It changes if the command returns another account's credential.
        """
        with self._exclude_others():
            if self._identity is None:
                credential = self._settings.credential
                self._identity = derive_identity(self._reveal(credential)) if credential.exists else "anonymous"
            return self._identity

    @contextmanager
    def _exclude_others(self) -> Iterator[None]:
        """Let one thread at a time get a token; the others wait for it as long as they have time."""
        left = get_time_left()
        if not self._lock.acquire(timeout=-1 if left == float("inf") else max(0.0, left)):
            raise ConnectionFailedError(
                "no answer to the request for a token within the deadline", url=self._settings.base_url
            )
        try:
            yield
        finally:
            self._lock.release()

    def _configure(self) -> None:
        """Read the server's client config once; a server without one takes the credential as it is."""
        raw = self._reveal(self._credential)
        self._read_expiry(raw)
        flags: Any = {}
        try:
            flags = self._post("/api/v1/client/config", {"sdk_version": PROTOCOL}, raw)
        except (NotFoundError, NotSupportedError):
            logger.debug("the server has no client config; the credential is sent as it is")
        flags = flags if isinstance(flags, dict) else {}
        if flags.get("credential_default_source") == "credential_cmd" and not raw.is_jwt:
            self._enforce_command()
        self._exchanges = bool(flags.get("pjwt_auth_enabled")) and not self._is_static_jwt()
        self._renew()
        self._ready = True

    def _enforce_command(self) -> None:
        if self._settings.command is None:
            raise AuthenticationError(
                "this server takes credentials from a command only",
                hint="Set TINKER_CREDENTIAL_CMD to the command your organization gave you.",
            )
        self._credential = self._settings.command

    def _is_static_jwt(self) -> bool:
        return not self._credential.is_command and self._reveal(self._credential).is_jwt

    def _renew(self) -> None:
        """Get a token and note when to get the next."""
        token = self._exchange_token() if self._exchanges else self._reveal(self._credential)
        self._remember(token)
        now, expires = time.time(), self._read_expiry(token, fresh=self._exchanges)
        self._token, self._expires_at = token, expires
        renewable = self._exchanges or self._credential.is_command
        self._renew_at = now + (expires - now) / 2 if renewable else expires

    def _renew_ahead(self, now: float) -> None:
        """Renew a token after half of its lifetime; a failure is raised only once the old one has expired."""
        try:
            self._renew()
        except TinkerError as fault:
            if now >= self._expires_at:
                raise
            logger.debug("renewing the token failed, trying again in %s s: %s", RETRY_RENEWAL_S, fault)
            self._renew_at = now + RETRY_RENEWAL_S

    def _read_expiry(self, token: Secret, *, fresh: bool = False) -> float:
        """Return when a token expires by the local clock; an expired one raises.

        The lifetime of a fresh one is counted from now, so that a difference between the clocks does not matter.
        """
        now, claims = time.time(), decode_jwt(token)
        expires, issued = _to_number(claims.get("exp")), _to_number(claims.get("iat"))
        if expires is None:
            return float("inf")
        if fresh and issued is not None:
            expires = now + (expires - issued)
        if expires <= now:
            raise AuthenticationError(
                f"the JWT from {self._credential.source} expired {round(now - expires)} s ago", hint="Get a new one."
            )
        return expires

    def _exchange_token(self) -> Secret:
        token = _read_token(self._post("/api/v1/auth/token", {}, self._reveal(self._credential)))
        if not token:
            raise AuthenticationError("the token exchange returned no JWT")
        return check_secret(token, "the server's token exchange")

    def _reveal(self, credential: Credential) -> Secret:
        secret = credential.reveal()
        self._remember(secret)
        if credential.is_command and credential is self._settings.credential:
            self._identity = derive_identity(secret)  # it may be of another account than before
        return secret

    def _remember(self, secret: Secret) -> None:
        if secret not in self._known:
            self._known.append(secret)

    def __repr__(self) -> str:
        return f"<Authenticator {self._credential!r}>"


def derive_identity(credential: Secret) -> str:
    """Return the identity of a credential: user and organization of a JWT, else a hash of the key."""
    claims = decode_jwt(credential)
    if claims.get("sub"):
        return f"{claims.get('sub')}|{claims.get('org_id', '')}"
    return hashlib.sha256(b"tinker-frames:" + credential.reveal().encode()).hexdigest()


def fingerprint(base_url: str, identity: str) -> str:
    """Return the 16 hex digits that name an account on a server: in file names and in frames, never the key."""
    return hashlib.sha256(f"{base_url}\n{identity}".encode()).hexdigest()[:16]


def decode_jwt(token: Secret) -> dict[str, Any]:
    """Return the claims of a JWT without checking its signature; empty if it is not one."""
    if not token.is_jwt:
        return {}
    try:
        payload = token.reveal().split(".")[1]
        return parse_object(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) or {}
    except (IndexError, ValueError):
        return {}


def _read_token(answer: Any) -> Secret:
    """Return the token in the answer of an exchange; empty if it has none."""
    token = answer.get("jwt") if isinstance(answer, dict) else None
    return Secret(token if isinstance(token, str) else "")


def _to_number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
