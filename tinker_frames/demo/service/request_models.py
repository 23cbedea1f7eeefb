"""Pydantic models of the request bodies."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class OwnOwner(_Strict):
    """The caller's own sessions."""

    type: Literal["own"]


class AccessibleOwner(_Strict):
    """Sessions of every owner, in projects that the caller can list."""

    type: Literal["accessible"]


class UserOwner(_Strict):
    """Sessions of these users."""

    type: Literal["user"]
    owner_urns: Annotated[list[str], Field(min_length=1, max_length=10)]


class PlainStatus(_Strict):
    """Sessions with a status that has no reason."""

    type: Literal["active", "cancelled", "failed"]


class FinishedStatus(_Strict):
    """Sessions that were finished by their client."""

    type: Literal["client_finished"]
    reasons: Annotated[list[Literal["success", "errored", "interrupted"]], Field(min_length=1)] | None = None


class SearchCursor(_Strict):
    """The position after which a page of the search starts."""

    last_created_at: AwareDatetime
    last_session_id: str


class SessionSearch(_Strict):
    """The query of a session search."""

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
    """The weights to describe."""

    tinker_path: str


class TimeToLive(_Open):
    """The time to live in seconds; an explicit null removes the expiry."""

    ttl_seconds: int | None


class ProjectChoice(_Open):
    """The project that a session is moved to."""

    project_id: str


class CopyWeights(_Open):
    """The weights to copy, and the destination."""

    source_path: str
    destination_project_id: str
    ttl_seconds: int | None = None


class NewSession(_Open):
    """The session to start."""

    tags: list[str] = []
    user_metadata: dict[str, Any] | None = None
    project_id: str | None = None
    display_name: str | None = None


class Heartbeat(_Open):
    """The session that is still active."""

    session_id: str
