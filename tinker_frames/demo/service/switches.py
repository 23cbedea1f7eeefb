"""How the service behaves when all is well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass
class Switches:
    """Choices of the service; may be changed while it runs."""

    caps: dict[str, int] = field(default_factory=dict)  #: endpoint → largest `limit`, over the usual ones
    archive: Literal["redirect", "json"] = "redirect"  #: 302 with Location, or 200 with a body
    archive_building: int = 0  #: how often an archive answers 503 before it is there
    archive_busy: int = 0  #: how often an archive answers 409, in progress
    trace_polls: int = 1  #: how often a trace export answers `pending`
    url_minutes: float = 15.0  #: life of signed URLs
    pjwt_auth_enabled: bool = False  #: the flag of client/config: exchange the key for a JWT
    credential_default_source: str = "api_key"  #: the other flag of client/config
    require_jwt: bool = False  #: refuse keys everywhere but at config and token
    jwt_lifetime: float = 3600.0  #: seconds that a JWT lives
    write_status: int = 204  #: success status of publish, unpublish, TTL and delete
    user_list_external: bool = True  #: external checkpoints are in the user's list
    admin: bool = True  #: the caller may read billing and audit
