"""Transport failures in words: what failed, why, and which setting or variable to change. Pure but for the environment's proxies."""

from __future__ import annotations

import http.client
import math
import os
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import requests
import urllib3

from ..errors import ConnectionFailedError, TinkerError
from ..schema.durations import format_duration
from .adapter import get_time_left
from .config import is_loopback
from .retry import LONGEST_WAIT_S, MAX_SERVER_WAIT_S

# In the order in which they count for an https address; http ones are connected to without a proxy.
PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
PROXY_FAULTS = (
    requests.exceptions.InvalidProxyURL,
    urllib3.exceptions.ProxyError,
    urllib3.exceptions.ProxySchemeUnknown,
)
MALFORMED = (
    urllib3.exceptions.LocationParseError,
    urllib3.exceptions.LocationValueError,
    requests.exceptions.InvalidURL,
    http.client.InvalidURL,  # of older versions of requests
)
YEAR_S = 365 * 86_400
DISTANT_WAIT = "That may be a mistake of the server's: try again later, and tell its operator if it persists."
# What to do about a certificate, by the number that OpenSSL gives to the reason.
CERTIFICATE_HINTS = {
    9: "Check the clock of this machine.",
    10: "Ask the operator of the server to renew it, and check the clock of this machine.",
    62: "Check the host in TINKER_BASE_URL.",
    64: "Check the host in TINKER_BASE_URL.",
}


def describe_failure(
    what: str, url: str, fault: Exception, patience_s: float, verify: bool | str = True
) -> ConnectionFailedError:
    """Return the error for a transport failure, without the objects that hold the request.

    `what` is the request's method and path; `patience_s` is how long the server was waited for, and `verify` what its certificate
    was verified with.
    """
    host, proxy = urlsplit(url).netloc, _find_proxy(url)
    problem, hint = (
        _describe_proxy(fault, proxy)
        or _describe_tls(fault, host, verify)
        or (_describe_loss(fault, host, patience_s) + (f", through the proxy of {proxy}" if proxy else ""), None)
    )
    return ConnectionFailedError(
        f"{what} failed: {problem}", url=url, hint=hint, retryable=None if hint is None else False
    )


def describe_repeat(error: TinkerError, left: int) -> str:
    """Return why a request is sent again, how many more times at most, and until when, as a progress bar says it."""
    answer = "rate limited (429)" if error.status == 429 else f"the server answers {error.status}"
    cause = answer if error.status else error.what
    tries = "1 more try" if left == 1 else f"{left} more tries"
    seconds = get_time_left()
    if math.isinf(seconds):
        return f"{cause}; {tries}"
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    return f"{cause}; {tries}, until {until:%H:%M:%S} UTC at the latest"


def describe_silence(url: str) -> str:
    """Return that a server has not answered yet, as a progress bar says it."""
    return f"no answer yet from {urlsplit(url).netloc}"


def build_wait_error(error: TinkerError, seconds: float) -> TinkerError:
    """Return the error of a read that would have to wait past its deadline, with the time to wait until."""
    can_wait = ", or pass a longer deadline= to wait for it" if seconds < LONGEST_WAIT_S else ""
    late = type(error)(
        f"{error.what}: the server asks to wait {_format_wait(seconds)}, which is past the deadline",
        status=error.status,
        url=error.url,
        hint=f"Try again after {_format_end(seconds)}{can_wait}." if seconds < MAX_SERVER_WAIT_S else DISTANT_WAIT,
    )
    late.retry_after, late.retryable = seconds, error.retryable
    return late


def advise_wait(seconds: float) -> str:
    """Return the hint of an error with which the server asks to wait."""
    if seconds >= MAX_SERVER_WAIT_S:
        return f"The server asks to wait {_format_wait(seconds)}. {DISTANT_WAIT}"
    return f"The server asks to wait {_format_wait(seconds)}: try again after {_format_end(seconds)}, or lower max_workers."


def _format_wait(seconds: float) -> str:
    """Format a wait in seconds and, if it is long, in larger units; the longest stands for all that are longer."""
    if seconds >= MAX_SERVER_WAIT_S:
        return "over 300 years"
    longer = format_duration(round(seconds)) if seconds < YEAR_S else f"{seconds / YEAR_S:.0f} years"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds:.0f} s ({longer})"


def _format_end(seconds: float) -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S} UTC"


def _find_proxy(url: str) -> str:
    """Return the variable of the proxy through which an address is reached; empty if there is none."""
    parts = urlsplit(url)
    is_direct = parts.scheme != "https" or is_loopback(parts.hostname or "")
    if is_direct or requests.utils.should_bypass_proxies(url, no_proxy=None):
        return ""
    return next((name for name in PROXY_VARIABLES if os.environ.get(name)), "")


def _describe_proxy(fault: Exception, proxy: str) -> tuple[str, str] | None:
    """Describe a failure of the proxy between here and the server."""
    causes = list(_walk_causes(fault))
    is_malformed = bool(proxy) and any(isinstance(cause, MALFORMED) for cause in causes)
    is_socks = any("SOCKS" in str(cause) for cause in causes)
    if not is_socks and not is_malformed and not any(isinstance(cause, PROXY_FAULTS) for cause in causes):
        return None
    reason = "SOCKS needs `pip install requests[socks]`" if is_socks else _explain_proxy(causes)
    variable = proxy or "HTTPS_PROXY"
    return f"the proxy of {variable} cannot be used: {reason}", (
        f"Correct {variable}, or add the server's host to NO_PROXY to connect without a proxy."
    )


def _explain_proxy(causes: list[BaseException]) -> str:
    """Return why a proxy cannot be used."""
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its TLS certificate was not accepted: {cause.verify_message}"
        if refusal := re.search(r"\b[345]\d\d [A-Za-z ]+", str(cause)):
            return f"it answers {refusal[0].strip()}"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "there is no TLS connection to it; its address may have to begin with http://"
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
        return "it cannot be reached"
    return "its address is malformed, or it does not answer as a proxy"


def _describe_tls(fault: Exception, host: str, verify: bool | str) -> tuple[str, str] | None:
    """Describe a failed TLS handshake."""
    for cause in _walk_causes(fault):
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = CERTIFICATE_HINTS.get(cause.verify_code) or _advise_bundle(verify)
            return f"the TLS certificate of {host} was not accepted: {cause.verify_message}", hint
    for cause in _walk_causes(fault):
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            reason = (cause.reason or "unknown reason").replace("_", " ").lower()
            is_plain = "wrong version number" in reason or "record layer failure" in reason or "http request" in reason
            reason += "; the server may speak plain http there" if is_plain else ""
            if "certificate required" in reason:
                return (
                    f"{host} requires a client certificate",
                    "Connect through a proxy that has one; verify= cannot name one.",
                )
            return (
                f"there is no TLS connection to {host}: {reason}",
                "Check the scheme and the port of TINKER_BASE_URL.",
            )
    return None


def _advise_bundle(verify: bool | str) -> str:
    """Return what to do about a certificate of an unknown issuer."""
    what = "If the server or a proxy in between has a certificate of your organization,"
    if isinstance(verify, str):
        return f"{what} add its CA certificates to {verify}, with which it was verified."
    return f"{what} set verify= or SSL_CERT_FILE to a file of its CA certificates."


def _describe_loss(fault: Exception, host: str, patience_s: float) -> str:
    """Describe a connection that was not made, broke, or brought nothing in time."""
    causes = list(_walk_causes(fault))
    if any(isinstance(cause, urllib3.exceptions.NameResolutionError) for cause in causes):
        return f"no connection to {host}: its name cannot be resolved"
    if any(isinstance(cause, (requests.ConnectTimeout, urllib3.exceptions.NewConnectionError)) for cause in causes):
        return f"no connection to {host}"
    if any(isinstance(cause, (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)) for cause in causes):
        is_late = get_time_left() <= 0
        return (
            f"no whole answer from {host} within the deadline"
            if is_late
            else f"no answer from {host} within {patience_s:.0f} s"
        )
    if isinstance(fault, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
        return f"the answer of {host} was cut short"
    return f"the connection to {host} broke"


def _walk_causes(fault: BaseException) -> Iterator[BaseException]:
    """Yield an exception with all that caused it: requests and urllib3 keep some as arguments and as `reason`."""
    todo, seen = [fault], set[int]()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        todo += [cause for cause in inner if isinstance(cause, BaseException)]
