"""Actions on checkpoints: for each its request, how to tell that it was done, what it asks for, and how it is offered.

An action is declared once, as an entry of `ACTIONS`. The accessor's method, the command, the button and form of the view, the code
that a view writes and the table in the documentation are made from that entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from ..errors import InvalidRequestError
from ..policies import Rule, check_rule
from ..schema.durations import format_duration, parse_duration, parse_ttl
from .jobs import MARGIN, TOLERANCE, RequestedExpiry, State

REQUIRED: Any = object()


@dataclass(frozen=True)
class Parameter:
    """What an action asks for: an argument of the method, an argument or option of the command, a field of the form."""

    name: str
    kind: Literal["duration", "rule"]
    doc: str
    default: Any = REQUIRED
    takes_none: str = ""  # the meaning of None; empty if None is not allowed
    by_row: bool = False  # whether the method also takes a column's name or a Series, with a value for each row
    in_form: bool = True  # whether the view's form asks for it, or takes the default
    example: str = ""  # a value, as code
    label: str = ""  # of the field of the form

    @property
    def is_required(self) -> bool:
        """Whether there is no default."""
        return self.default is REQUIRED

    def parse(self, value: Any) -> Any:
        """Return an argument in the form that plans need: TTLs in seconds, rules as they are.

        Raises
        ------
        InvalidRequestError
            For what is not a duration, out of the range of TTLs, or not a keep rule.
        """
        if value is None and self.takes_none:
            return None
        return check_rule(value) if self.kind == "rule" else parse_ttl(value)


class Arguments(NamedTuple):
    """What an action was called with: the TTL in seconds and the keep rule, and both as code; or a TTL for each path."""

    ttl_seconds: int | None = None
    keep: Rule | None = None
    code: str = ""
    ttls: Mapping[str, int] | None = None  # of each path, in seconds


@dataclass(frozen=True)
class Action:
    """One kind of write, or one way to combine them (`retire`)."""

    name: str
    verb: str  # as in "… 12 checkpoints"
    effect: str  # as in "12 checkpoints will …"; `{ttl}` is the duration
    method: str = ""
    suffix: str = ""
    is_done: Callable[[State | None, RequestedExpiry, datetime], bool] = lambda *_: False
    unchanged: str = "already done"  # the reason of a row with nothing to do
    undo: str = ""  # the action that undoes it
    undo_limit: str = ""  # what cannot be undone, as in "can be undone, …"
    public_after: bool | None = None  # what it makes of `public`, if anything
    sets_expiry: bool = False
    removes: bool = False
    only_sooner: bool = False  # an expiry is only ever brought forward
    only_later: bool = False  # an expiry is only ever postponed, by the TTL, from what it is
    never: str = ""  # the effect of a TTL of None
    label: str = ""  # of the view's button; empty for actions that are not offered
    command: str = ""
    doc: str = ""
    parameters: tuple[Parameter, ...] = ()
    tone: Literal["", "main", "danger"] = ""

    def __post_init__(self) -> None:
        if self.label and not self.doc:
            raise TypeError(f"the action {self.name!r} is offered by its label, so it needs a doc")

    @property
    def is_offered(self) -> bool:
        """Whether users can call it; the others are made by `undo`."""
        return bool(self.label)

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The columns of a planned row that decide whether there is nothing to do, or its life becomes shorter."""
        return ("public", "expires_at", "expiry_unknown", "ttl_seconds", "until") if self.sets_expiry else ("public",)

    def describe(self, ttl_seconds: int | None, *, varies: bool = False) -> str:
        """Return what will happen to checkpoints, as in "12 checkpoints will …"; `varies` if each has a TTL of its own."""
        if varies and not self.only_later:
            return "each expire at their own time"
        if ttl_seconds is None and self.never:
            return self.never
        return self.effect.format(ttl="a while" if ttl_seconds is None else _format_ttl(ttl_seconds))

    def parse(self, given: Mapping[str, Any]) -> Arguments:
        """Return the arguments it was called with, checked, with the defaults of those left out.

        Raises
        ------
        InvalidRequestError
            For an argument that it does not take or lacks, or a value that cannot be.
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                hint = f"It takes {', '.join(names)}." if names else "It takes no arguments."
                raise InvalidRequestError(f"{self.name} does not take {name!r}", hint=hint)
        found: dict[str, Any] = {}
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            if value is REQUIRED:
                raise InvalidRequestError(f"{self.name} needs {parameter.name}", hint=parameter.doc)
            found[parameter.kind] = parameter.parse(value)
        return Arguments(found.get("duration"), found.get("rule"), self._code(given))

    @property
    def is_guarded(self) -> bool:
        """Whether guards can hold rows of it, as it may shorten their life."""
        return self.removes or (self.sets_expiry and not self.only_later)

    def ends_life(self, arguments: Arguments) -> bool:
        """Tell whether it removes checkpoints, now or later."""
        return self.removes or (self.is_guarded and arguments.ttl_seconds is not None)

    def is_readable(self, state: State) -> bool:
        """Tell whether what it changes is known of a checkpoint: its expiry, or whether it is public."""
        is_open = self.public_after is not None and state.public is None
        return not (is_open or (self.sets_expiry and not state.is_expiry_known))

    def is_already(self, state: State, expiry: RequestedExpiry, now: datetime) -> bool:
        """Tell whether there is nothing to do."""
        if self.removes or (self.sets_expiry and not state.is_expiry_known):
            return False
        if not self.sets_expiry:
            return self.is_done(state, expiry, now)
        if self.only_later:
            return state.expires_at is None
        wanted = expiry.resolve(now)
        if self.only_sooner:
            return state.expires_at is not None and wanted is not None and state.expires_at <= wanted
        if wanted is None or state.expires_at is None:
            return wanted is None and state.expires_at is None
        return expiry.until is not None and timedelta(0) <= wanted - state.expires_at <= 2 * MARGIN

    def shortens(self, state: State, expiry: RequestedExpiry, now: datetime) -> bool:
        """Tell whether it removes the checkpoint, now or earlier than it would expire, as far as that is known."""
        if self.removes or (self.sets_expiry and not state.is_expiry_known):
            return True
        wanted = expiry.resolve(now) if self.sets_expiry else None
        return wanted is not None and (state.expires_at is None or wanted < state.expires_at)

    def body(self, expiry: RequestedExpiry, now: datetime) -> dict[str, Any] | None:
        """Return the body of its request, sent at a time by the server's clock."""
        return {"ttl_seconds": expiry.seconds(now)} if self.sets_expiry else None

    def _code(self, given: Mapping[str, Any]) -> str:
        """Return the call as code, to be put after `frame.tinker.`."""
        parts = []
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            if parameter.is_required and parameter.kind != "rule":
                parts.append(_format_literal(value))
            elif parameter.is_required or value != parameter.default:
                parts.append(f"{parameter.name}={_format_literal(value)}")
        return f"{self.name}({', '.join(parts)})"


def _format_ttl(seconds: int) -> str:
    """Return a TTL as people say it: whole hours up to two days, "24 h" and not "1 d"."""
    return f"{seconds // 3600} h" if seconds % 3600 == 0 and seconds < 2 * 86_400 else format_duration(seconds)


def _format_literal(value: Any) -> str:
    """Return a value as code: text in double quotes, a timedelta as text, a keep rule as a call of `tkf.policies`."""
    if isinstance(value, Rule):
        return value.code
    if isinstance(value, timedelta):
        value = f"{parse_duration(value)}s"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _is_public(state: State | None, *_: Any) -> bool:
    return state is not None and state.public is True


def _is_private(state: State | None, *_: Any) -> bool:
    return state is not None and state.public is False


def _is_gone(state: State | None, *_: Any) -> bool:
    return state is None


def _has_expiry(state: State | None, expiry: RequestedExpiry, sent: datetime) -> bool:
    """Tell whether the expiry is the one requested at that time, within a few minutes."""
    if state is None or not state.is_expiry_known:
        return False
    wanted = expiry.resolve(sent)
    if wanted is None or state.expires_at is None:
        return wanted is None and state.expires_at is None
    return abs(state.expires_at - wanted) <= TOLERANCE


_TTL = Parameter(
    "ttl",
    "duration",
    '"30d", "12h", seconds, a timedelta, or None for never.',
    takes_none="never",
    by_row=True,
    example='"30d"',
    label="Expire in",
)
_AFTER = Parameter("after", "duration", 'How long until they are gone, e.g. "24h".', default="24h", in_form=False)
_BY = Parameter(
    "by", "duration", 'How much later each expires, e.g. "30d" or "2 weeks".', example='"30d"', label="Expire later by"
)
_KEEP = Parameter(
    "keep",
    "rule",
    "What stays: a rule of `tkf.policies`, evaluated on the rows of this frame.",
    example="tkf.policies.keep_last(3)",
)
_REST_AFTER = Parameter(
    "after",
    "duration",
    "Let the rest expire after this time instead of deleting it now, e.g. 24h.",
    None,
    "delete now",
    label="Expire the rest in",
)

# In the order in which they are offered.
ACTIONS = {
    action.name: action
    for action in (
        Action(
            "expire",
            "expire",
            "expire in {ttl}",
            "PUT",
            "ttl",
            _has_expiry,
            unchanged="already set to expire sooner",
            undo="restore",
            undo_limit="until they expire",
            sets_expiry=True,
            only_sooner=True,
            label="Expire in 24 h",
            command="expire",
            doc="Let the service delete checkpoints after a delay; until then `undo` restores their expiry.",
            parameters=(_AFTER,),
            tone="main",
        ),
        Action(
            "set_ttl",
            "set the expiry of",
            "expire in {ttl}",
            "PUT",
            "ttl",
            _has_expiry,
            unchanged="already without expiry",
            undo="restore",
            undo_limit="until they expire",
            sets_expiry=True,
            never="never expire",
            label="Set TTL…",
            command="ttl",
            doc="Set when checkpoints expire: an hour to ten years from now, or never.",
            parameters=(_TTL,),
        ),
        Action(
            "extend",
            "extend",
            "expire {ttl} later",
            "PUT",
            "ttl",
            _has_expiry,
            unchanged="never expires",
            undo="restore",
            undo_limit="until they expire",
            sets_expiry=True,
            only_later=True,
            label="Extend…",
            command="extend",
            doc="Postpone the expiry of each checkpoint by a duration; those that never expire are left alone.",
            parameters=(_BY,),
        ),
        Action(
            "publish",
            "publish",
            "become public",
            "POST",
            "publish",
            _is_public,
            unchanged="already public",
            undo="unpublish",
            undo_limit="except for copies made by others in the meantime",
            public_after=True,
            label="Publish",
            command="publish",
            doc="Make checkpoints public: any Tinker user can then load them.",
        ),
        Action(
            "unpublish",
            "unpublish",
            "become private",
            "DELETE",
            "publish",
            _is_private,
            unchanged="already private",
            undo="publish",
            public_after=False,
            label="Unpublish",
            command="unpublish",
            doc="Make checkpoints private again; copies that others have made are not affected.",
        ),
        Action(
            "retire",
            "retire",
            "be removed",
            removes=True,
            label="Retire…",
            command="retire",
            doc="Remove every checkpoint that no keep rule keeps.",
            parameters=(_KEEP, _REST_AFTER),
        ),
        Action(
            "delete",
            "delete",
            "be deleted",
            "DELETE",
            is_done=_is_gone,
            removes=True,
            label="Delete…",
            command="rm",
            doc="Delete checkpoints immediately and permanently; `expire` can be undone.",
            tone="danger",
        ),
        Action(
            "restore",
            "restore the expiry of",
            "get their old expiry back",
            "PUT",
            "ttl",
            _has_expiry,
            unchanged="already with their old expiry",
            undo="restore",
            sets_expiry=True,
        ),
    )
}


def get_action(name: str) -> Action:
    """Return the offered action of a name.

    Raises
    ------
    InvalidRequestError
        If there is none.
    """
    offered = {each.name: each for each in ACTIONS.values() if each.is_offered}
    if name not in offered:
        raise InvalidRequestError(f"there is no action {name!r}", hint=f"The actions are {', '.join(offered)}.")
    return offered[name]
