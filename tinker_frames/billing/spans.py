"""Spans of time as people write them, and the windows in which the server tells usage; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from ..errors import InvalidRequestError
from ..schema.durations import explain_ambiguity, parse_duration

Moment = str | date | timedelta

HOUR = timedelta(hours=1)
LONGEST_WINDOW = timedelta(days=14)  # that the server answers
LONGEST_SPAN = timedelta(days=3660)
SETTLED_AFTER = timedelta(days=2)  # usage comes in late; from then on, what is invoiced changes no more
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FORMS = "Use e.g. 2026-11-01, 2026-11, 30d (that long ago), yesterday, or a time with a time zone."


@dataclass(frozen=True)
class Window:
    """Some whole UTC hours, the last not included."""

    start: datetime
    end: datetime

    @property
    def key(self) -> list[str]:
        """The bounds as text."""
        return [f"{bound:%Y-%m-%dT%H:00:00Z}" for bound in (self.start, self.end)]


def parse_span(start: Moment, end: Moment | None, now: datetime) -> Window:
    """Return a span in whole UTC hours, which covers what was asked for; without `end`, to the end of the present hour.

    Raises
    ------
    InvalidRequestError
        For what is not a time, one without a time zone, and a span that is empty, begins in the future or is over ten years long.
    """
    begins = _floor(_parse_moment("start", start, now))
    ends = _floor(now) + HOUR if end is None else min(_parse_moment("end", end, now), _floor(now) + HOUR)
    ends = _floor(ends + HOUR - timedelta(microseconds=1))
    if begins >= ends and end is not None and begins <= now:
        span = f"it would begin at {begins:%Y-%m-%d %H:%M} and end before {ends:%Y-%m-%d %H:%M}"
        hint = f"Choose an earlier start or a later end, which is not included. {FORMS}"
        raise InvalidRequestError(f"the span from {start} to {end} is empty: {span}", hint=hint)
    if begins >= ends:
        raise InvalidRequestError(f"the span from {start} to {end or 'now'} has no hour in the past", hint=FORMS)
    if ends - begins > LONGEST_SPAN:
        raise InvalidRequestError(f"the span from {start} to {end or 'now'} is longer than ten years", hint=FORMS)
    return Window(begins, ends)


def split_span(span: Window, settled: datetime) -> Iterator[Window]:
    """Yield windows of at most 14 days that cover a span without a gap, cut at the same hours whatever the span.

    A window that has ended by `settled` is whole, also where the span has only a part of it, so that its answer serves every span.
    """
    begins = EPOCH + (span.start - EPOCH) // LONGEST_WINDOW * LONGEST_WINDOW
    while begins < span.end:
        ends = begins + LONGEST_WINDOW
        is_whole = ends <= settled
        yield Window(begins, ends) if is_whole else Window(max(begins, span.start), min(ends, span.end))
        begins = ends


def _floor(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _parse_moment(name: str, moment: Moment, now: datetime) -> datetime:
    """Return a time in UTC: of a date its first moment, of a duration the time that long ago."""
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            hint = "Pass e.g. datetime.now(UTC), a date, or text, which is in UTC."
            raise InvalidRequestError(f"{name}={moment.isoformat()} has no time zone", hint=hint)
        with suppress(OverflowError):
            return moment.astimezone(UTC)
        raise InvalidRequestError(f"{name}={moment.isoformat()} is not a time in UTC", hint=FORMS)
    if isinstance(moment, date):
        return datetime.combine(moment, time(), UTC)
    found = None if isinstance(moment, timedelta) else _parse_text(moment.strip(), now)
    if found is not None:
        return found
    with suppress(InvalidRequestError, OverflowError):
        ago = moment if isinstance(moment, timedelta) else re.sub(r"\s+ago$", "", moment.strip(), flags=re.IGNORECASE)
        return now - timedelta(seconds=parse_duration(ago))
    raise InvalidRequestError(f"{name}={moment!r} is not a time{explain_ambiguity(moment)}", hint=FORMS)


def _parse_text(text: str, now: datetime) -> datetime | None:
    """Return the time that a text names, in UTC unless it says otherwise; None if it is not one of these."""
    midnight = datetime.combine(now.date(), time(), UTC)
    words = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if text.lower() in words:
        return words[text.lower()]
    if re.fullmatch(r"\d{4}(-\d{2})?", text):
        text += "-01" if "-" in text else "-01-01"
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return None
