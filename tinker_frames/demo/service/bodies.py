"""The request bodies of the official service, checked as FastAPI checks them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class OwnOwner(_Body):
    """The caller's own sessions."""

    type: Literal["own"]


class AccessibleOwner(_Body):
    """Sessions of all whose projects the caller can list."""

    type: Literal["accessible"]


class UserOwner(_Body):
    """Sessions of these people."""

    type: Literal["user"]
    owner_urns: Annotated[list[str], Field(min_length=1, max_length=10)]


class PlainStatus(_Body):
    """Sessions in a state that has no reasons."""

    type: Literal["active", "cancelled", "failed"]


class FinishedStatus(_Body):
    """Sessions that their client finished."""

    type: Literal["client_finished"]
    reasons: Annotated[list[Literal["success", "errored", "interrupted"]], Field(min_length=1)] | None = None


class SearchCursor(_Body):
    """Where a page of the search starts."""

    last_created_at: AwareDatetime
    last_session_id: str


class SessionSearch(_Body):
    """A session search."""

    session_id: str | None = None
    display_name: Annotated[str, Field(min_length=1)] | None = None
    project_ids: list[str] | None = None
    user_metadata: dict[str, str] = {}
    owner: Annotated[OwnOwner | AccessibleOwner | UserOwner, Field(discriminator="type")] = OwnOwner(type="own")
    statuses: (
        Annotated[
            list[Annotated[PlainStatus | FinishedStatus, Field(discriminator="type")]],
            Field(min_length=1),
        ]
        | None
    ) = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: SearchCursor | None = None


class WeightsInfo(_Open):
    """Which weights to tell about."""

    tinker_path: str


class TimeToLive(_Open):
    """Seconds from now; null, which must be there, removes the expiry."""

    ttl_seconds: int | None


class ProjectChoice(_Open):
    """Where a session is to go."""

    project_id: str


class CopyWeights(_Open):
    """Which weights to copy, and where to."""

    source_path: str
    destination_project_id: str
    ttl_seconds: int | None = None


class NewSession(_Open):
    """A session to begin."""

    tags: list[str] = []
    user_metadata: dict[str, Any] | None = None
    project_id: str | None = None
    display_name: str | None = None


class Heartbeat(_Open):
    """A session that is still alive."""

    session_id: str
