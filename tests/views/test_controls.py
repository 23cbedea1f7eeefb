"""Which filter controls a frame offers, and their columns."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from tinker_frames.views.controls import controls_of


def test_a_listing_has_the_controls_of_its_columns(shared_server: Any, client_of: Any) -> None:
    """Each table offers the controls of its columns under unique names; the pandas query always."""
    client = client_of(shared_server)
    found = {name: list(controls_of(getattr(client, name)())) for name in ("inventory", "training_runs", "sessions")}
    assert found["inventory"] == [
        "text", "created", "used", "expires", "model", "type", "public", "status", "corrupted", "project", "owner",
        "session", "run", "size", "step", "metadata", "query",
    ]  # fmt: skip
    assert found["training_runs"] == [
        "text",
        "used",
        "model",
        "corrupted",
        "owner",
        "session",
        "run",
        "metadata",
        "query",
    ]
    assert found["sessions"] == [
        "text", "created", "status", "project", "owner", "session", "size", "count", "metadata", "query",
    ]  # fmt: skip
    assert list(controls_of(pd.DataFrame({"x": [1]}))) == ["query"]


def test_columns_of_another_kind_have_no_control() -> None:
    """A column whose values do not match its name, as in handmade frames, has no control."""
    odd = pd.DataFrame(
        {
            "tinker_path": [1, 2], "base_model": [1.5, None], "public": ["yes", "no"], "time": ["2026-01-01", "2026"], "size_gb": ["1", "2"],
            "user_metadata": [{"a": 1}, None], "step": [None, None], "status": [("a",), ("b",)], "project_id": [None, None],
        }
    )  # fmt: skip
    assert set(controls_of(odd)) <= {"public", "project", "query"}


@pytest.mark.parametrize("name", ["run", "session"])
def test_runs_and_sessions_are_labelled_by_name(name: str) -> None:
    """Runs and sessions are labelled with their session's name if the frame has it, otherwise with ids."""
    columns = {"tinker_path": ["p"], "training_run_id": ["r"], "session_id": ["s"]}
    assert controls_of(pd.DataFrame(columns | {"display_name": ["n"]}))[name].named_by == "display_name"
    assert controls_of(pd.DataFrame(columns))[name].named_by == ""
