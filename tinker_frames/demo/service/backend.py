"""State shared by the routes: the accounts by API key, the switches of the service, and its counters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .tokens import Tokens

if TYPE_CHECKING:
    from ..data.state import State

CAPS = {"list_sessions": 500, "list_training_runs": 500, "list_user_checkpoints": 1000, "list_checkpoints": 1000}


@dataclass
class Switches:
    """Settings of the service; can be changed while the server runs."""

    caps: dict[str, int] = field(default_factory=dict)  #: endpoint → largest `limit`, in addition to the defaults
    archive: Literal["redirect", "json"] = "redirect"  #: whether archives are a 302 with Location or a 200 with a body
    archive_building: int = 0  #: number of 503 responses before an archive is ready
    archive_busy: int = 0  #: number of 409 responses, archive creation in progress, before those
    trace_polls: int = 1  #: number of `pending` responses before a trace export is ready
    url_minutes: float = 15.0  #: lifetime of signed URLs in minutes
    pjwt_auth_enabled: bool = False  #: flag of client/config: whether to exchange the key for a JWT
    credential_default_source: str = "api_key"  #: flag of client/config
    require_jwt: bool = False  #: whether API keys are refused except by config and token
    jwt_lifetime: float = 3600.0  #: lifetime of JWTs in seconds
    write_status: int = 204  #: success status of publish, unpublish, TTL and delete
    user_list_external: bool = True  #: whether the user's list includes external checkpoints
    audit: Literal["json", "redirect"] = "json"  #: whether the audit log is a 200 with a body or a 302 to a signed URL
    admin: bool = True  #: whether the caller can read billing and audit
    require_authorization: bool = False  #: whether Twinkle requires `Authorization` and `X-Ray-Serve-Request-Id`
    utc_offset: float = 8.0  #: hours by which Twinkle's local times are ahead of UTC


@dataclass
class Backend:
    """The accounts of one server by API key, its switches, and the state of running jobs and copies."""

    states: dict[str, State]
    switches: Switches
    tokens: Tokens = field(default_factory=Tokens)
    dialect: str = "official"
    polls: Counter[str] = field(default_factory=Counter)
    copies: dict[str, str] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)  #: JSON behind signed URLs, by storage path

    def find_state(self, credential: str | None) -> State:
        """Return the account of a key or JWT; the first account if it is not valid."""
        key = self.find_key(credential or "")
        return self.states[key] if key in self.states else next(iter(self.states.values()))

    def find_key(self, credential: str) -> str | None:
        """Return the API key that a key or JWT stands for, or None if it is not valid."""
        if credential in self.states:
            return credential
        claims = self.tokens.verify(credential) if credential.count(".") == 2 else None
        if claims is None:
            return None
        return next((key for key, state in self.states.items() if state.me.urn == claims["sub"]), None)

    def get_cap(self, endpoint: str) -> int:
        """Return the largest `limit` that an endpoint accepts."""
        return (CAPS | self.switches.caps)[endpoint]
