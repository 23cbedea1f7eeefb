"""The only network I/O: one `call()`, through which every request goes.

It adds the credential, sends reads through the cached session and writes past it, never follows a redirect, retries reads,
waits as the server asks, and raises every other outcome as one of `errors`.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from .. import errors
from .auth import Authenticator, fingerprint
from .cache import AccountCache, touch_marker
from .config import Settings, is_loopback
from .progress import REPORT_WAITS_FROM_S, Progress, StoppedError
from .retry import RetryBudget, is_complete_json, is_gateway_refusal, read_server_wait

CONNECT_TIMEOUT_S = 5.0

logger = logging.getLogger("tinker_frames")


@dataclass(frozen=True)
class Answer:
    """An HTTP response: status, headers, body, and when it was read (Unix seconds)."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    url: str
    fetched_at: float
    from_cache: bool = False

    def json(self) -> Any:
        """Return the parsed body; an empty one is None."""
        return json.loads(self.content) if self.content.strip() else None


class Session:
    """Sends requests for one account.

    The account's cache is opened at its first use, since its name needs the credential.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.auth = Authenticator(settings, self._post_with)
        self._plain = _configure_session(requests.Session(), settings)
        self._lock = threading.RLock()
        self._account: str | None = None
        self._cache: AccountCache | None = None
        self.is_closed = False
        self._not_before = 0.0  # monotonic; a rate limit met by one thread holds all of them
        self._logged_notes: set[str] = set()

    @property
    def account(self) -> str:
        """The fingerprint of server and credential; the key cannot be recovered from it."""
        with self._lock:
            if self._account is None:
                self._account = fingerprint(self.settings.base_url, self.auth.identity())
            return self._account

    @property
    def cache(self) -> AccountCache | None:
        """The account's cache; None if it is switched off."""
        with self._lock:
            if self._cache is None and self.settings.cache:
                self._cache = AccountCache(self.settings.cache_dir, self.account, self.settings.cache_ttl)
                _configure_session(self._cache.session, self.settings)
            return self._cache

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        repeat: bool = True,
        cached: bool = False,
        refresh: bool = False,
        redirects: bool = False,
        key: str | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """Send one logical request and return its answer.

        1. A write (neither a GET nor a POST with `repeat`) marks the cache as outdated before and after. Everything but a GET gets one
           idempotency key: `key`, or a new one.
        2. The credential is put into `X-API-Key`; a 401 `invalid_token` gets a new one and one replay.
        3. A read with `cached` goes through the cached session, everything else through a plain one.
        4. A 2xx is returned; a 3xx too where `redirects` says that one is expected.
        5. With `repeat`, for reads, what may be repeated is, after the wait the server asks for, within `retries` and `deadline`.
        6. Anything else is raised as one of `errors`; after `close`, nothing is sent.
        """
        self.check_open()
        progress = progress or Progress()
        is_read = repeat or method == "GET"
        headers = {} if method == "GET" else {"X-Idempotency-Key": key or str(uuid.uuid4())}
        request = _Request(
            method,
            self.settings.base_url + path,
            params=params,
            body=body,
            headers=headers,
            cached=cached,
            refresh=refresh,
            redirects=redirects,
            wants_json=is_read,
        )
        if not is_read:
            self._invalidate_cache()
        try:
            return self._send_with_retries(request, repeat, progress)
        finally:
            if not is_read:
                self._invalidate_cache()

    def check_open(self) -> None:
        """Raise `TinkerError` if the session is closed; for reads that the cache may answer."""
        if self.is_closed:
            raise errors.TinkerError("this client is closed", hint="Make another one: tkf.Client(…) or tkf.connect(…).")

    def close(self) -> None:
        """Close connections and cache; calls from now on, and repeats of earlier ones, raise `TinkerError`."""
        self.is_closed = True
        self._plain.close()
        with self._lock:
            if self._cache is not None:
                self._cache.close()

    def _send_with_retries(
        self, request: _Request, repeat: bool, progress: Progress, credential: str | None = None
    ) -> Answer:
        """Send until there is an answer to return or to raise; with `credential` given, it is sent as it is."""
        start, replayed, tries = time.monotonic(), False, RetryBudget(self.settings.retries)
        while True:
            self._wait_for_rate_limit(progress, start)
            self.check_open()
            token = self.auth.header() if credential is None else credential
            outcome = self._send_once(request, token, progress, self._remaining_s(start))
            if isinstance(outcome, Answer):
                if _is_expected(outcome, request):
                    self._log_deprecation(outcome)
                    return outcome
                if _is_invalid_token(outcome) and not replayed and credential is None and self.auth.replace(token):
                    replayed = True
                    continue
            error = self._build_error(request, outcome) if isinstance(outcome, Answer) else outcome
            wait, left = _wait_after(outcome, tries) if repeat else None, self._remaining_s(start)
            if wait is None or (left is not None and wait >= left):
                raise error
            self._wait_before_retry(wait, error, progress)

    def _send_once(
        self, request: _Request, token: str, progress: Progress, left: float | None
    ) -> Answer | errors.ConnectionFailedError:
        """Send once; a transport failure is returned, so that no exception that holds the request is chained to ours."""
        read_s = self.settings.timeout if left is None else max(0.1, min(self.settings.timeout, left))
        cache = self.cache if request.cached else None
        session = self._plain if cache is None else cache.session
        options: dict[str, Any] = {} if cache is None else {"force_refresh": request.refresh}
        headers = dict(request.headers) | ({"X-API-Key": token} if token else {})
        began = time.time() if cache is None else cache.start_read()
        try:
            response = session.request(
                request.method,
                request.url,
                params=request.params,
                json=request.body,
                headers=headers,
                timeout=(CONNECT_TIMEOUT_S, read_s),
                allow_redirects=False,
                **options,
            )
            content = response.content
        except (requests.RequestException, urllib3.exceptions.HTTPError) as fault:
            progress.count_request()
            return _describe_failure(request, fault, read_s)
        from_cache = bool(getattr(response, "from_cache", False))
        if not from_cache:
            progress.count_request()
        created = getattr(response, "created_at", None)
        age_base = created.timestamp() if from_cache and created else began
        if (
            from_cache and cache is not None and cache.is_outdated(age_base)
        ):  # a write has overtaken it, or it is too old
            return self._send_once(replace(request, refresh=True), token, progress, left)
        return Answer(response.status_code, response.headers, content, request.url, age_base, from_cache)

    def _build_error(self, request: _Request, answer: Answer) -> errors.TinkerError:
        what = f"{request.method} {urlsplit(request.url).path}"
        if 200 <= answer.status < 300:
            return errors.ConnectionFailedError(
                f"{what} was answered with incomplete JSON", status=answer.status, url=request.url
            )
        if 300 <= answer.status < 400:
            return errors.TinkerError(
                f"{what} was answered with a redirect, which is not followed: it could carry the key elsewhere",
                status=answer.status,
                url=request.url,
                hint="Set base_url to the address that it leads to, if you trust it.",
            )
        try:
            body = answer.json()
        except (ValueError, RecursionError):
            is_page = "html" in answer.headers.get("Content-Type", "")
            body = "" if is_page else answer.content.decode("utf-8", "replace")
        error = errors.build_error(answer.status, body, request.url, what=what, secrets=self._secrets())
        if isinstance(error, errors.RateLimitError):
            error.retry_after = read_server_wait(answer.headers)
        if is_gateway_refusal(answer.status, answer.headers):
            error.retryable = True
        return error

    def _remaining_s(self, start: float) -> float | None:
        deadline = self.settings.deadline
        return None if deadline is None else deadline - (time.monotonic() - start)

    def _wait_before_retry(self, seconds: float, error: errors.TinkerError, progress: Progress) -> None:
        """Wait before a repeat; a rate limit or an overloaded server holds every thread, and only the first of them says so."""
        why = _describe_cause(error)
        if error.status in (429, 503):
            with self._lock:
                until = time.monotonic() + seconds
                first = until > self._not_before + REPORT_WAITS_FROM_S
                self._not_before = max(self._not_before, until)
            if first:
                progress.report_wait(seconds, why)
            return
        progress.report_wait(seconds, why)
        _sleep(seconds, progress)

    def _wait_for_rate_limit(self, progress: Progress, start: float) -> None:
        while (seconds := self._not_before - time.monotonic()) > 0:
            left = self._remaining_s(start)
            if left is not None and seconds >= left:
                raise errors.RateLimitError(
                    f"the server asks to wait {seconds:.0f} s more, which is past the deadline",
                    url=self.settings.base_url,
                )
            _sleep(seconds, progress)
        if progress.stop.is_set():
            raise StoppedError

    def _post_with(self, path: str, body: dict[str, Any], credential: str) -> Any:
        """Send a POST that the authenticator needs, with the credential that it names."""
        request = _Request("POST", self.settings.base_url + path, body=body)
        answer = self._send_with_retries(request, True, Progress(), credential)
        try:
            return answer.json()
        except (ValueError, RecursionError):
            pass  # raised below, where no exception that quotes a token is chained to it
        raise errors.SchemaError("the answer is not JSON", status=answer.status, url=request.url)

    def _secrets(self) -> tuple[str, ...]:
        """Return what must not be in any text that is shown."""
        return (*self.auth.secrets(), *(value for _, value in self.settings.extra_headers))

    def _invalidate_cache(self) -> None:
        """Mark the cache as outdated; also with the cache switched off, since other clients may use it."""
        cache = self.cache
        if cache is None:
            touch_marker(self.settings.cache_dir, self.account)
        else:
            cache.invalidate()

    def _log_deprecation(self, answer: Answer) -> None:
        """Log a server's deprecation note once."""
        note = answer.headers.get("x-deprecation-note")
        if note and note not in self._logged_notes:
            self._logged_notes.add(note)
            level = logging.ERROR if answer.headers.get("x-deprecation-level") == "error" else logging.WARNING
            logger.log(level, "the server says: %s", errors.scrub(note, self._secrets())[:500])


@dataclass(frozen=True)
class _Request:
    """One logical request, the same on every attempt."""

    method: str
    url: str
    params: Mapping[str, Any] | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cached: bool = False
    refresh: bool = False
    redirects: bool = False
    wants_json: bool = True


def _configure_session(session: requests.Session, settings: Settings) -> Any:
    """Give a session its pools and headers, and take away whatever could send other credentials or keep cookies."""
    import http.cookiejar

    from ..version import __version__

    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=max(settings.max_workers, 4), max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers["Accept"] = "application/json"
    session.headers["User-Agent"] = f"tinker-frames/{__version__}"
    session.headers.update(settings.extra_headers)
    session.auth = lambda request: request  # else a password from ~/.netrc is sent
    session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]  # noqa: ARG005  # else the next request is prepared
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    if is_loopback(urlsplit(settings.base_url).hostname or ""):
        session.trust_env = False  # a proxy would carry the key off this machine
    return session


def _wait_after(outcome: Answer | errors.ConnectionFailedError, tries: RetryBudget) -> float | None:
    """Return the seconds to wait before a repeat, None for no repeat; a 2xx that is not good was cut short on its way."""
    if not isinstance(outcome, Answer) or 200 <= outcome.status < 300:
        return tries.wait_after_loss()
    return tries.wait_after(outcome.status, outcome.headers)


def _is_expected(answer: Answer, request: _Request) -> bool:
    """Tell whether the answer is what was asked for; a read's body has to be JSON that was not cut short."""
    if 300 <= answer.status < 400:
        return request.redirects
    if not 200 <= answer.status < 300:
        return False
    return not request.wants_json or is_complete_json(answer.content)


def _is_invalid_token(answer: Answer) -> bool:
    return answer.status == 401 and 'error="invalid_token"' in answer.headers.get("WWW-Authenticate", "")


def _describe_failure(request: _Request, fault: Exception, read_s: float) -> errors.ConnectionFailedError:
    """Describe a transport failure without the objects that hold the request."""
    host = urlsplit(request.url).netloc
    unsent = (
        isinstance(fault, requests.ConnectTimeout)
        or "NewConnectionError" in repr(fault)
        or "NameResolution" in repr(fault)
    )
    if isinstance(fault, requests.exceptions.SSLError):
        problem = f"the TLS certificate of {host} was not accepted"
    elif unsent:
        problem = f"no connection to {host}"
    elif isinstance(fault, requests.Timeout):
        problem = f"no answer from {host} within {read_s:.0f} s"
    elif isinstance(fault, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
        problem = f"the answer of {host} was cut short"
    else:
        problem = f"the connection to {host} broke"
    what = f"{request.method} {urlsplit(request.url).path}"
    return errors.ConnectionFailedError(f"{what} failed: {problem}", url=request.url)


def _describe_cause(error: errors.TinkerError) -> str:
    if error.status == 429:
        return "rate limited (429)"
    return f"the server answers {error.status}" if error.status else str(error.what)


def _sleep(seconds: float, progress: Progress) -> None:
    if progress.stop.wait(seconds):
        raise StoppedError
