"""Diagnose the connection to a server: credential, routes, page caps, latency, clock, cache.

Only reads are sent. A finding of something wrong says what to do.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from .. import errors
from ..frames.text import count_nouns
from ..listings.pagination import reduce_page_size
from ..rest.config import ClientOptions, resolve
from ..rest.credentials import Credential
from ..rest.transport import Transport
from ..schema.catalog import CHECKPOINTS, SESSION_IDS, SESSIONS, TRAINING_RUNS
from ..schema.columns import Table

Verdict = Literal["ok", "lacks", "unknown", "refused", "wrong"]

PINGS = 5
MAX_SKEW_S = 5.0
NOWHERE = "tinker-frames-doctor"  # no server makes such an id
_ROLES = {
    "billing usage": ": needs org admin or billing admin",
    "storage usage": ": needs org admin or billing admin",
    "audit log": ": needs admin",
}
_DETAILS = {"lacks": "this server does not have it", "unknown": "cannot be told without writing"}


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str
    verdict: Verdict
    detail: str


def open_without_credential(base_url: str | None, **options: Any) -> Transport:
    """Return a transport that sends no credential, for the checks that need none."""
    settings = resolve(ClientOptions("tml-none", base_url, **options))
    return Transport(replace(settings, credential=Credential("no credential"), command=None))


def examine(transport: Transport, problem: str = "") -> Iterator[Finding]:
    """Yield findings, the most basic first; stop where no further check can succeed.

    With `problem`, which says why there is no credential, only what needs none is checked.
    """
    settings = transport.settings
    found, server_date = _check_latency(transport)
    is_reached = found.what != "server"
    yield Finding("server", "ok", settings.base_url) if is_reached else found
    yield Finding("credential", "wrong", problem) if problem else Finding("credential", "ok", repr(settings.credential))
    if is_reached:
        yield found
    if found.verdict == "wrong":
        return
    yield _check_clock(server_date)
    if problem:
        yield _check_cache(transport)
        return
    yield _check_account(transport)
    yield _check_identity(transport)
    yield from _check_routes(transport)
    yield from _check_actions(transport)
    for table in (SESSION_IDS, TRAINING_RUNS, CHECKPOINTS):
        yield _find_page_cap(transport, table)
    yield _check_cache(transport)


def _check_latency(transport: Transport) -> tuple[Finding, str]:
    """Request the server's health a few times, and return the median latency and the time that the server gives."""
    took, date = [], ""
    try:
        for _ in range(PINGS):
            start = time.perf_counter()
            answer = transport.call("GET", "/api/v1/healthz")
            took.append(time.perf_counter() - start)
            date = answer.headers.get("Date", "")
    except (errors.NotSupportedError, errors.NotFoundError):
        return Finding("latency", "lacks", "the server has no health route"), ""
    except (errors.AuthenticationError, errors.PermissionDeniedError) as error:
        return Finding("account", "wrong", _describe(error)), ""
    except errors.TinkerError as error:
        return Finding("latency" if error.status else "server", "wrong", _describe(error)), ""
    median = statistics.median(took) * 1000
    return Finding("latency", "ok", f"{median:.0f} ms per response (median of {PINGS})"), date


def _check_clock(server_date: str) -> Finding:
    """Compare this machine's clock with the server's: tokens and expiries depend on both."""
    try:
        skew = (datetime.now(UTC) - parsedate_to_datetime(server_date)).total_seconds()
    except (TypeError, ValueError):
        return Finding("clock", "lacks", "the server does not report its time")
    if abs(skew) > MAX_SKEW_S:
        direction = "ahead of" if skew > 0 else "behind"
        return Finding("clock", "wrong", f"this machine is {abs(skew):.0f} s {direction} the server; set its clock")
    return Finding("clock", "ok", "agrees with the server's within a few seconds")


def _check_account(transport: Transport) -> Finding:
    """Request the capabilities, the cheapest call that needs an accepted credential."""
    try:
        models = transport.call("GET", "/api/v1/get_server_capabilities").json().get("supported_models") or []
    except errors.TinkerError as error:
        return _classify_error("account", error)
    way = "exchanged for a JWT" if transport.auth.exchanges else "sent as it is, not exchanged for a JWT"
    return Finding(
        "account",
        "ok",
        f"the credential is accepted ({way}); {count_nouns(len(models), 'model')}; fingerprint {transport.account}",
    )


def _check_identity(transport: Transport) -> Finding:
    """Ask whose key it is; compatible servers do not say."""
    try:
        answer = transport.call("GET", "/api/v1/auth/apikey/me").json()
    except errors.TinkerError as error:
        return _classify_error("identity", error)
    details = _get_part(answer, "details")
    known = [_get_part(details, "user_details").get("email"), _get_part(details, "org_details").get("name")]
    name = _get_part({"": answer}, "").get("name") or "without a name"
    return Finding("identity", "ok", ", ".join([f"key {name}", *(str(each) for each in known if each)]))


def _get_part(answer: Any, name: str) -> dict[str, Any]:
    """Return an object in an object; an empty one where there is none."""
    part = answer.get(name) if isinstance(answer, dict) else None
    return part if isinstance(part, dict) else {}


def _check_actions(transport: Transport) -> Iterator[Finding]:
    """Ask whether the routes of plans are there, for a checkpoint that cannot exist, and by no write: nothing can be changed by that.

    Unpublishing is left out: its path is that of publishing, and servers name only the first method of a path.
    """
    checkpoint = f"{TRAINING_RUNS.path}/{NOWHERE}/checkpoints/weights/{NOWHERE}"
    routes = {
        "publish": ("POST", f"{checkpoint}/publish"),
        "set expiry": ("PUT", f"{checkpoint}/ttl"),
        "delete": ("DELETE", checkpoint),
        "archive": ("GET", f"{checkpoint}/archive"),
        "samplers": ("GET", f"/api/v1/samplers/{NOWHERE}"),
    }
    takes_rest = _takes_rest(transport, checkpoint)
    for what, (method, path) in routes.items():
        try:
            verdict = _judge_route(transport, method, path, is_ambiguous=takes_rest and path != checkpoint)
        except errors.ServerError as error:
            yield Finding(
                what, "unknown", f"the server fails on a checkpoint that does not exist (HTTP {error.status})"
            )
        except errors.TinkerError as error:
            yield _classify_error(what, error)
        else:
            yield Finding(what, verdict, _DETAILS.get(verdict, ""))


def _takes_rest(transport: Transport, checkpoint: str) -> bool:
    """Tell whether the route of a checkpoint may take the rest of a path, as an action's, for a part of the checkpoint's name."""
    try:
        return bool(_list_methods(transport, f"{checkpoint}/{NOWHERE}"))
    except errors.TinkerError:
        return True


def _judge_route(transport: Transport, method: str, path: str, *, is_ambiguous: bool) -> Verdict:
    """Tell whether a server has a route; with `is_ambiguous`, that of a checkpoint may answer in its place."""
    if method == "GET":
        return "ok" if _has_route(transport, path) else "lacks"
    methods = _list_methods(transport, path)
    if method in methods:
        return "ok"
    return "unknown" if is_ambiguous else "lacks"


def _list_methods(transport: Transport, path: str) -> str:
    """Return the methods that a route has, as it refuses OPTIONS; empty where there is no route."""
    try:
        return str(transport.call("OPTIONS", path).headers.get("Allow", ""))
    except errors.NotSupportedError as error:
        return error.allowed


def _has_route(transport: Transport, path: str) -> bool:
    """Tell whether a route answers GET, also if what it was asked for does not exist."""
    try:
        transport.call("GET", path)
    except errors.NotSupportedError:
        return False
    except errors.NotFoundError:
        pass
    return True


def _check_routes(transport: Transport) -> Iterator[Finding]:
    """Request every route that is read."""
    run = _get_first_run(transport)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    day = {
        "starting_on": _format_time(hour - timedelta(hours=24)),
        "ending_before": _format_time(hour - timedelta(hours=23)),
    }
    tries: list[tuple[str, Callable[[], Any]]] = [
        ("sessions", lambda: transport.call("GET", SESSION_IDS.path, params={"limit": 1})),
        ("sessions/search", lambda: transport.call("POST", SESSIONS.path, body={"limit": 1})),
        ("training_runs", lambda: transport.call("GET", TRAINING_RUNS.path, params={"limit": 1})),
        ("checkpoints", lambda: transport.call("GET", CHECKPOINTS.path, params={"limit": 1})),
        ("billing usage", lambda: transport.call("GET", "/api/v1/billing/usage/events", params=day)),
        ("storage usage", lambda: transport.call("GET", "/api/v1/billing/usage/checkpoints/current")),
        ("audit log", lambda: transport.call("GET", "/api/v1/audit", redirects=True)),
    ]
    if run:
        tries.insert(
            3, ("checkpoints of a run", lambda: transport.call("GET", f"{TRAINING_RUNS.path}/{run}/checkpoints"))
        )
    for what, attempt in tries:
        try:
            attempt()
        except errors.TinkerError as error:
            yield _classify_error(what, error)
        else:
            yield Finding(what, "ok", "")


def _find_page_cap(transport: Transport, table: Table) -> Finding:
    """Find the largest page of a list, also where the server lowers the limit silently."""
    what, size = f"page of {table.name.replace('_', ' ')}", table.page_size
    while True:
        try:
            body = transport.call("GET", table.path, params={"limit": size}).json()
        except errors.InvalidRequestError as error:
            try:
                size = reduce_page_size(error, size, table.default_size)
            except errors.TinkerError:
                return _classify_error(what, error)
            continue
        except errors.TinkerError as error:
            return _classify_error(what, error)
        rows, total = len(body.get(table.items) or []), (body.get("cursor") or {}).get("total_count") or 0
        if rows < size and total > rows:
            return Finding(what, "ok", f"{count_nouns(rows, 'row')} at most, although {size:,} were requested")
        known = "" if rows == size else f" (the account has {rows})"
        return Finding(what, "ok", f"{size} rows at most{known}")


def _check_cache(transport: Transport) -> Finding:
    cache = transport.cache
    if cache is None:
        return Finding("cache", "lacks", "switched off")
    about = cache.info()
    detail = (
        f"{about['path']}: {about['entries']} entries, {about['size_bytes'] / 1e6:.1f} MB, kept {about['ttl_s']:g} s"
    )
    return Finding("cache", "ok" if about["enabled"] else "wrong", detail)


def _get_first_run(transport: Transport) -> str:
    try:
        body = transport.call("GET", TRAINING_RUNS.path, params={"limit": 1}).json()
        return str(body["training_runs"][0]["training_run_id"])
    except (errors.TinkerError, LookupError, TypeError, json.JSONDecodeError):
        return ""


def _describe(error: errors.TinkerError) -> str:
    """Return an error without the advice to run this command."""
    return re.sub(r"[;.]? ?`tinker-frames doctor`[^.;]*", "", str(error))


def _classify_error(what: str, error: errors.TinkerError) -> Finding:
    """Return the finding for an error of a route: missing, refused for this account, or wrong."""
    if isinstance(error, errors.NotSupportedError):
        return Finding(what, "lacks", "this server does not have it")
    if isinstance(error, errors.PermissionDeniedError):
        return Finding(what, "refused", "not for this account" + _ROLES.get(what, ""))
    return Finding(what, "wrong", _describe(error))


def _format_time(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")
