"""Authentication: the value of `X-API-Key`, exchanged for a JWT and renewed where the server's config asks for that.

One `Authenticator` per client. It sends requests through the function it is given, so that network access stays in `transport`.

What the config said is kept with the account's permanent responses (two flags, no secret), so that the next client's first read
need not wait for it: it is sent by the previous config, the config is requested at the same time, and the response is used
only if the config is unchanged. That is never done for a write, for a cached read, or on the first contact: the
config of a server decides whether the key itself may be sent to anything but config and the exchange.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import AuthenticationError, ConnectionFailedError, NotFoundError, NotSupportedError, TinkerError
from ..schema.coerce import parse_object
from ..schema.durations import format_duration
from .adapter import get_time_left, limit_time
from .config import Settings
from .credentials import Credential, check_secret
from .permanent import Permanent
from .secret import Secret
from .threads import Result, start_thread

# The protocol release that the contract was read from; the config endpoint wants one.
PROTOCOL = "0.38.0"
RETRY_RENEWAL_S = 60
KNOWN_SECRETS = 16  # the last ones are looked for in what the server sends
CONFIG = "client_config"  # the kind and id of what is kept

logger = logging.getLogger("tinker_frames")

Post = Callable[[str, dict[str, Any], Secret], Any]


@dataclass(frozen=True)
class Terms:
    """What the server's client config says of credentials: whether they are exchanged, and whether only a command may give one."""

    exchanges: bool = False
    command_only: bool = False


@dataclass(frozen=True)
class Token:
    """What is sent as `X-API-Key`, of whom (the same for every token of one user), under which terms, and whether those are assumed."""

    secret: Secret
    identity: str
    terms: Terms | None = None
    is_assumed: bool = False


class Authenticator:
    """Provides the credential to send with each request.

    `post(path, body, credential)` sends one POST with that credential and returns the parsed answer; `permanent()` returns where
    the account's config is kept.
    """

    def __init__(self, settings: Settings, post: Post, permanent: Callable[[], Permanent] = Permanent) -> None:
        self._settings = settings
        self._post = post
        self._permanent = permanent
        self._lock = threading.RLock()
        self._credential: Credential = settings.credential
        self._terms: Terms | None = None  # None before config was read
        self._check: Future[Result[Terms]] | None = None  # config on its way, while kept terms are assumed
        self._exchanges = False
        self._token = Secret("")
        self._identity: str | None = None
        self._renew_at = float("inf")
        self._expires_at = float("inf")
        self._known: deque[Secret] = deque(maxlen=KNOWN_SECRETS)

    def get_token(self, *, may_assume: bool = False) -> Token | None:
        """Return what to send as `X-API-Key`, exchanging or renewing first if that is due; None if there is no credential.

        With `may_assume`, config is not waited for if it is known from earlier; `confirm` the token before a response to it is used.
        """
        if not self._credential.exists:
            return None
        with self._exclude_others():
            if self._terms is None:
                self._configure(may_assume=may_assume)
            if not may_assume:
                self._settle()
            now = time.time()
            if now >= min(self._renew_at, self._expires_at):
                self._renew_ahead(now)
            return Token(self._token, self.identity(), self._terms, self._check is not None)

    def confirm(self, token: Token) -> bool:
        """Tell whether a token is of the kind that the server's config requires, after waiting for the config if it was assumed."""
        if not token.is_assumed:
            return True
        with self._exclude_others():
            self._settle()
            return token.terms == self._terms

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
                "no response to the token request within the deadline", url=self._settings.base_url
            )
        try:
            yield
        finally:
            self._lock.release()

    def _configure(self, *, may_assume: bool) -> None:
        """Read the server's client config once, or assume what it said the last time while it is being read."""
        raw = self._reveal(self._settings.credential)
        self._read_expiry(raw)
        known = self._recall() if may_assume else None
        if known is None:
            self._adopt(self._read_config(raw))
            return
        self._check = start_thread(lambda: self._read_config(raw), "tinker-frames-config")
        try:
            self._adopt(known)
        except TinkerError as fault:
            logger.debug("what config said the last time does not work, waiting for it: %s", fault)
            self._settle()

    def _settle(self) -> None:
        """Wait for config if kept terms are assumed, and adopt what it says if that differs; if it fails, the next request asks again."""
        check, self._check = self._check, None
        if check is None:
            return
        assumed, self._terms = self._terms, None
        left = get_time_left()
        try:
            result = check.result(None if left == float("inf") else max(0.0, left))
        except TimeoutError:
            raise ConnectionFailedError(
                "no response to the client config request within the deadline", url=self._settings.base_url
            ) from None
        terms = result.get()
        if terms == assumed:
            self._terms = terms
        else:
            self._adopt(terms)

    def _read_config(self, raw: Secret) -> Terms:
        """Request the client config; a server without one takes the credential as it is."""
        flags: Any = {}
        try:
            flags = self._post("/api/v1/client/config", {"sdk_version": PROTOCOL}, raw)
        except (NotFoundError, NotSupportedError):
            logger.debug("the server has no client config; the credential is sent as it is")
        flags = flags if isinstance(flags, dict) else {}
        enforced = flags.get("credential_default_source") == "credential_cmd" and not raw.is_jwt
        return Terms(bool(flags.get("pjwt_auth_enabled")), enforced)

    def _adopt(self, terms: Terms) -> None:
        """Get the first token under these terms, and keep them for the next client once that has worked."""
        self._credential = self._settings.credential
        if terms.command_only:
            self._enforce_command()
        self._exchanges = terms.exchanges and not self._is_static_jwt()
        self._renew()
        self._terms = terms
        if terms != self._recall():
            self._permanent().add(CONFIG, {CONFIG: json.dumps(asdict(terms)).encode()})

    def _recall(self) -> Terms | None:
        """Return what config said the last time; None if that is not known."""
        kept = parse_object(self._permanent().get(CONFIG).get(CONFIG, b"")) or {}
        fits = kept.keys() == asdict(Terms()).keys() and all(isinstance(flag, bool) for flag in kept.values())
        return Terms(**kept) if fits else None

    def _enforce_command(self) -> None:
        if self._settings.command is None:
            raise AuthenticationError(
                "this server accepts only credentials from a command",
                hint="Set TINKER_CREDENTIAL_CMD to your organization's credential command.",
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
                f"the JWT from {self._credential.source} expired {format_duration(round(now - expires))} ago",
                hint="Get a new JWT.",
            )
        return expires

    def _exchange_token(self) -> Secret:
        token = _read_token(self._post("/api/v1/auth/token", {}, self._reveal(self._credential)))
        if not token:
            raise AuthenticationError("the token exchange returned no JWT")
        return check_secret(token, "the server's token exchange")

    def _reveal(self, credential: Credential) -> Secret:
        with limit_time(self._settings.deadline):  # a command may hang
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
