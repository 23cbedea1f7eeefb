"""The only network I/O: one `call()`, through which every request goes.

It adds the credential, sends reads through the cached session and writes past it, never follows a redirect, retries reads,
waits as the server asks, and raises every other outcome as one of `errors`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from .. import errors
from .adapter import SILENCE_S, BoundedAdapter, Protected, get_time_left, limit_time, protect
from .auth import Authenticator, Token, fingerprint
from .cache import AccountCache
from .cache_files import touch_marker
from .config import Settings, is_loopback
from .failures import advise_wait, build_wait_error, describe_failure, describe_repeat, describe_silence
from .interrupts import StoppedError, is_interrupted
from .permanent import Permanent
from .progress import REPORT_WAITS_FROM_S, Progress
from .request import Request, encode_body, is_expected, is_invalid_token, split_signature, wait_after
from .responses import Response
from .retry import (
    LONGEST_WAIT_S,
    RetryBudget,
    is_gateway_refusal,
    parse_http_date,
    read_retry_advice,
    read_server_wait,
)
from .secret import Secret, is_secret_header, strike_out, strike_out_text

CONNECT_TIMEOUT_S = 5.0
HOLDING_STATUSES = (429, 503)  # the wait applies to the whole server, not to one route
# Up to which two clocks are one: a `Date` is exact to a second, and takes time to arrive.
CLOCK_NOISE = timedelta(seconds=2)
REPORT_INTERVAL_S, SILENCE_INTERVAL_S = 1.5, 30.0  # many threads wait for the same reason, which is reported once

logger = logging.getLogger("tinker_frames")


class Transport:
    """Sends requests for one account.

    The account's cache is opened at its first use, since its name needs the credential.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.auth = Authenticator(settings, self._post_with, lambda: self.permanent)
        self._plain = _configure_session(requests.Session(), settings)
        self._lock = threading.RLock()
        self._caches: dict[str, AccountCache] = {}
        self._permanent: dict[str, Permanent] = {}  # by account, where the cache is off
        self.is_closed = False
        self._not_before = 0.0  # monotonic; a rate limit met by one thread holds all of them
        self._next_report = self._next_silence = 0.0  # monotonic
        self.clock_offset = timedelta(0)  # of the server's clock, ahead of ours, by the last `Date` that it sent
        self._logged_notes: set[str] = set()

    @property
    def account(self) -> str:
        """The fingerprint of server and credential; the key cannot be recovered from it.

        It changes if a credential command begins to answer for another account.
        """
        return fingerprint(self.settings.base_url, self.auth.identity())

    @property
    def cache(self) -> AccountCache | None:
        """The account's cache; None if it is switched off."""
        return self._open_cache(self.account) if self.settings.cache else None

    @property
    def permanent(self) -> Permanent:
        """The account's permanent responses; in memory if the cache is switched off."""
        cache = self.cache
        return self._permanent.setdefault(self.account, Permanent()) if cache is None else cache.permanent

    def _open_cache(self, account: str) -> AccountCache:
        with self._lock:
            if account not in self._caches:
                cache = AccountCache(self.settings.cache_dir, account, self.settings.cache_ttl)
                _configure_session(cache.session, self.settings)
                self._caches[account] = cache
            return self._caches[account]

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
    ) -> Response:
        """Send one logical request and return its response.

        1. A write (neither a GET nor a POST with `repeat`) marks the cache as outdated before and after. Everything but a GET gets one
           idempotency key: `key`, or a new one.
        2. The credential is put into `X-API-Key`; a 401 `invalid_token` gets a new one and one replay. A read that is not cached does
           not wait for the server's config if that is known from earlier, and is sent again if it has changed.
        3. A read with `cached` goes through the cached session, everything else through a plain one.
        4. A 2xx is returned; a 3xx too where `redirects` says that one is expected.
        5. With `repeat`, for reads, what may be repeated is, after the wait the server asks for, within `retries` and `deadline`.
        6. Anything else is raised as one of `errors`; after `close`, nothing is sent.
        """
        self.check_open()
        progress = progress or Progress()
        is_read = repeat or method == "GET"
        headers = {} if method == "GET" else {"X-Idempotency-Key": key or str(uuid.uuid4())}
        content = encode_body(body)
        request = Request(
            method,
            self.settings.base_url + path,
            params=params,
            body=content,
            headers=headers,
            cached=cached,
            refresh=refresh,
            redirects=redirects,
            wants_json=is_read,
        )
        if not is_read:
            self.invalidate_cache()
        try:
            return self._send_with_retries(request, repeat, progress)
        finally:
            if not is_read:
                self.invalidate_cache()

    def read_signed(self, url: str, what: str, progress: Progress | None = None) -> Response:
        """Return the JSON at a signed URL, which gets neither the key nor any extra header; `what` is its name in errors.

        Its query, which is the secret part, is not in the request's URL: the connection adds it, as it adds secret headers.
        """
        self.check_open()
        address, query = split_signature(url)
        request = Request("GET", address, signature=query, name=what)
        return self._send_with_retries(request, True, progress or Progress())

    def get_time(self) -> datetime:
        """Return the present time by the server's clock; by ours if they agree as far as can be told."""
        offset = self.clock_offset
        return datetime.now(UTC) + (offset if abs(offset) > CLOCK_NOISE else timedelta(0))

    def check_open(self) -> None:
        """Raise `TinkerError` if the transport is closed; for reads that the cache may answer."""
        if self.is_closed:
            raise errors.TinkerError("this client is closed", hint="Make a new one with tkf.Client() or tkf.connect().")

    def close(self) -> None:
        """Close connections and cache; calls from now on, and repeats of earlier ones, raise `TinkerError`."""
        self.is_closed = True
        self._plain.close()
        with self._lock:
            for cache in self._caches.values():
                cache.close()

    def _send_with_retries(
        self, request: Request, repeat: bool, progress: Progress, credential: Secret | None = None
    ) -> Response:
        """Send until there is an answer to return or to raise; with `credential` given, it is sent as it is."""
        with limit_time(self.settings.deadline):
            replayed, tries, began = False, RetryBudget(self.settings.retries), time.monotonic()
            may_assume = request.wants_json and not request.cached
            while True:
                self._wait_for_rate_limit(progress)
                self.check_open()
                token = self._choose_token(request, credential, may_assume=may_assume)
                outcome = self._send_once(request, token, progress)
                if isinstance(outcome, Response):
                    if token is not None and not self.auth.confirm(token):
                        may_assume = False  # config has changed: what the old way brought is dropped
                        continue
                    if is_expected(outcome, request):
                        self._log_deprecation(outcome)
                        return outcome
                    may_replay = credential is None and not replayed and is_invalid_token(outcome)
                    if may_replay and token is not None and self.auth.replace(token.secret):
                        replayed = True
                        continue
                error = self._build_error(request, outcome) if isinstance(outcome, Response) else outcome
                wait = wait_after(outcome, tries) if repeat else None
                if wait is None or wait >= min(get_time_left(), LONGEST_WAIT_S):
                    raise self._end_retries(outcome, error)
                self._report_repeat(wait, time.monotonic() - began, describe_repeat(error, tries.left), progress)
                self._wait_before_retry(wait, error, progress)

    def _choose_token(self, request: Request, credential: Secret | None, *, may_assume: bool) -> Token | None:
        """Return what a request is sent with: the given credential, else the account's; nothing to a signed URL."""
        if request.signature is not None:
            return None
        return self.auth.get_token(may_assume=may_assume) if credential is None else Token(credential, "")

    def _send_once(self, request: Request, token: Token | None, progress: Progress) -> Response | errors.TinkerError:
        """Send once; a transport failure is returned, so that no exception that holds the request is chained to ours."""
        patience_s = max(0.1, min(self.settings.timeout, get_time_left()))
        cache = self._find_cache(request, token)
        session = self._plain if cache is None else cache.session
        options: dict[str, Any] = {} if cache is None else {"force_refresh": request.refresh}
        began = time.time() if cache is None else cache.start_read()
        struck: list[int] = []
        try:
            with protect(self._protect(request, token, lambda: self._report_silence(patience_s, progress))):
                response = session.request(
                    request.method,
                    request.url,
                    params=request.params,
                    data=request.body,
                    headers=request.headers | ({} if request.body is None else {"Content-Type": "application/json"}),
                    timeout=(min(CONNECT_TIMEOUT_S, patience_s), patience_s),
                    allow_redirects=False,
                    verify=self.settings.verify,
                    hooks={"response": lambda response, **_: self._strike_out(request, response, struck)},
                    **options,
                )
            content = response.content
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as fault:
            progress.count_request()  # http.client raises a ValueError for a chunk of negative size
            return describe_failure(request.what, request.url, fault, patience_s, self.settings.verify)
        except errors.TinkerError as fault:  # of the transport itself
            progress.count_request()
            return fault.with_traceback(None)
        from_cache = bool(getattr(response, "from_cache", False))
        if not from_cache:
            progress.count_request()
            self._measure_clock(None if request.signature is not None else response.headers.get("Date"))
        progress.count_struck(sum(struck))
        created = getattr(response, "created_at", None)
        age_base = created.timestamp() if from_cache and created else began
        if (
            from_cache and cache is not None and cache.is_outdated(age_base)
        ):  # a write has overtaken it, or it is too old
            return self._send_once(replace(request, refresh=True), token, progress)
        return Response(response.status_code, response.headers, content, request.url, age_base, from_cache)

    def _find_cache(self, request: Request, token: Token | None) -> AccountCache | None:
        """Return the cache for what this token may read; None for requests that are not cached."""
        if not (request.cached and self.settings.cache):
            return None
        return self._open_cache(self.account if token is None else fingerprint(self.settings.base_url, token.identity))

    def _protect(self, request: Request, token: Token | None, report_silence: Callable[[], None]) -> Protected:
        if request.signature is not None:
            return Protected((), self.settings.may_reach, report_silence, request.signature)
        own = () if token is None else (("X-API-Key", token.secret),)
        return Protected((*self.settings.extra_headers, *own), self.settings.may_reach, report_silence)

    def _strike_out(self, request: Request, response: requests.Response, struck: list[int]) -> None:
        """Remove the credential from an answer before anything sees it; only an exchange may answer with one."""
        if request.yields_token and response.ok:
            return
        content, count = strike_out(response.content, self._secrets(), is_message=response.status_code >= 400)
        if count:
            response._content = content  # noqa: SLF001  # requests keeps a body there; there is no other way to give one
            struck.append(count)

    def _build_error(self, request: Request, response: Response) -> errors.TinkerError:
        what = request.what
        if 200 <= response.status < 300:
            part = "a part of what was asked for" if response.status == 206 else "incomplete JSON"
            return errors.ConnectionFailedError(
                f"{what} was answered with {part}", status=response.status, url=request.url
            )
        if 300 <= response.status < 400:
            return errors.TinkerError(
                f"{what} was answered with a redirect, which is not followed: it could carry the key elsewhere",
                status=response.status,
                url=request.url,
                hint="Set base_url to the target of the redirect if you trust it.",
            )
        try:
            body = "" if request.signature is not None else response.json()  # a storage may quote what was signed
        except (ValueError, RecursionError):
            is_page = "html" in response.headers.get("Content-Type", "")
            body = "" if is_page else response.content.decode("utf-8", "replace")
        wait = read_server_wait(response.headers)
        hint = advise_wait(wait) if wait is not None and response.status in HOLDING_STATUSES else None
        error = errors.build_error(response.status, body, request.url, what=what, hint=hint)
        error.retry_after = wait
        if isinstance(error, errors.NotSupportedError):
            error.allowed = response.headers.get("Allow", "")
        advice = read_retry_advice(response.headers)
        if advice is not None or is_gateway_refusal(response.status, response.headers):
            error.retryable = advice is not False
        return error

    def _measure_clock(self, header: str | None) -> None:
        """Compare the server's clock with ours by the date of a response, which is exact to a second."""
        date = parse_http_date(header)
        if date is not None:
            self.clock_offset = date + timedelta(milliseconds=500) - datetime.now(UTC)

    def _wait_before_retry(self, seconds: float, error: errors.TinkerError, progress: Progress) -> None:
        """Wait before a repeat; a rate limit or an overloaded server holds every thread."""
        if error.status in HOLDING_STATUSES:
            self._hold_requests(seconds)
        else:
            _sleep(seconds, progress)

    def _report_repeat(self, seconds: float, spent: float, why: str, progress: Progress) -> None:
        """Report the wait before a repeat once a request has taken a second with all its waits, however short each is."""
        if spent + seconds < REPORT_WAITS_FROM_S:
            return
        with self._lock:
            until = time.monotonic() + max(seconds, REPORT_INTERVAL_S)
            is_due = until > self._next_report + REPORT_WAITS_FROM_S
            self._next_report = until if is_due else self._next_report
        if is_due:
            progress.report_wait(math.ceil(seconds), why)

    def _report_silence(self, patience_s: float, progress: Progress) -> None:
        """Report that the server has not begun to answer for some seconds."""
        with self._lock:
            now = time.monotonic()
            is_due = now >= self._next_silence
            self._next_silence = now + SILENCE_INTERVAL_S if is_due else self._next_silence
        if is_due:
            progress.report_wait(patience_s - SILENCE_S, describe_silence(self.settings.base_url))

    def _hold_requests(self, seconds: float) -> None:
        """Let no thread send before these seconds are over."""
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _end_retries(self, outcome: Response | errors.TinkerError, error: errors.TinkerError) -> errors.TinkerError:
        """Return the error of what is not sent again; a wait that the server asked for is named, and also delays later requests."""
        asked = read_server_wait(outcome.headers) if isinstance(outcome, Response) else None
        if asked is None or error.status not in HOLDING_STATUSES:
            return error
        if asked < LONGEST_WAIT_S:  # a longer one may be a mistake of the server's
            self._hold_requests(asked)
        return build_wait_error(error, asked) if asked >= min(get_time_left(), LONGEST_WAIT_S) else error

    def _wait_for_rate_limit(self, progress: Progress) -> None:
        while (seconds := self._not_before - time.monotonic()) > 0:
            if seconds >= get_time_left():
                held = errors.RateLimitError("nothing was sent", url=self.settings.base_url)
                raise build_wait_error(held, seconds)
            _sleep(seconds, progress)
        if progress.stop.is_set() or is_interrupted():
            raise StoppedError

    def _post_with(self, path: str, body: dict[str, Any], credential: Secret) -> Any:
        """Send a POST that the authenticator needs, with the credential that it names."""
        request = Request("POST", self.settings.base_url + path, body=encode_body(body), yields_token=True)
        response = self._send_with_retries(request, True, Progress(), credential)
        try:
            return response.json()
        except (ValueError, RecursionError):
            pass  # raised below, where no exception that quotes a token is chained to it
        raise errors.SchemaError("the response is not JSON", status=response.status, url=request.url)

    def _secrets(self) -> tuple[Secret, ...]:
        """Return what must not be in any response."""
        headers = self.settings.extra_headers
        return (*self.auth.secrets(), *(value for name, value in headers if is_secret_header(name, value)))

    def invalidate_cache(self) -> None:
        """Mark the cache as outdated; also with the cache switched off, since other clients may use it."""
        cache = self.cache
        if cache is None:
            touch_marker(self.settings.cache_dir, self.account)
        else:
            cache.invalidate()

    def _log_deprecation(self, response: Response) -> None:
        """Log a server's deprecation note once."""
        note = response.headers.get("x-deprecation-note")
        if note and note not in self._logged_notes:
            self._logged_notes.add(note)
            level = logging.ERROR if response.headers.get("x-deprecation-level") == "error" else logging.WARNING
            logger.log(level, "the server says: %s", errors.scrub(strike_out_text(note, self._secrets()))[:500])


def _configure_session(session: requests.Session, settings: Settings) -> Any:
    """Give a session its pools and headers, and take away whatever could send other credentials or keep cookies."""
    import http.cookiejar

    from ..version import __version__

    adapter = BoundedAdapter(pool_connections=4, pool_maxsize=max(settings.max_workers, 4), max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers["Accept"] = "application/json"
    session.headers["User-Agent"] = f"tinker-frames/{__version__}"
    session.auth = lambda request: request  # else a password from ~/.netrc is sent
    session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]  # noqa: ARG005  # else the next request is prepared
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    parts = urlsplit(settings.base_url)
    if parts.scheme == "http" or is_loopback(parts.hostname or ""):
        # A proxy would carry the key off this machine, or further than the network it may travel in.
        session.trust_env = False
    return session


def _sleep(seconds: float, progress: Progress) -> None:
    if progress.stop.wait(seconds):
        raise StoppedError
