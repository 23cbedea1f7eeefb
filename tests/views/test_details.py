"""The details of a row: every field, its metadata, the checkpoints of its run, and what is read when it is asked for."""

from __future__ import annotations

import json
import threading

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.demo import DemoServer
from tinker_frames.errors import InvalidRequestError
from tinker_frames.views.controls import METADATA
from tinker_frames.views.details import MOST_ENTRIES, Details, describe_row, find_row
from tinker_frames.views.table import TableState

from .headless import PATIENCE_S, HeadlessView, wait_until

RUN = "5b1f0000-0000-4000-8000-000000000000:train:0"


def make_run(rows: int) -> pd.DataFrame:
    """Return the checkpoints of one run, the newest first."""
    steps = list(range(rows))[::-1]
    return pd.DataFrame(
        {
            "tinker_path": [f"tinker://{RUN}/weights/{step:04d}" for step in steps],
            "training_run_id": RUN,
            "name": [f"{step:04d}" for step in steps],
            "checkpoint_type": "training",
            "step": steps,
            "size_bytes": 10**9,
            "public": [step == 1 for step in steps],
            "expires_at": [pd.Timestamp("2999-01-01", tz="UTC") if step == 2 else pd.NaT for step in steps],
            "user_metadata": '{"lr": 0.1, "note": "a\\u202eb"}',
        }
    )


def test_every_field_of_a_row_is_shown_once(shared_server: DemoServer, client_of) -> None:
    """Every column is in the main fields, the others or those that are not set; times are exact, and control characters escaped."""
    client = client_of(shared_server)
    for listed in (client.inventory(), client.training_runs(details=True), client.sessions()):
        state = TableState(listed)
        frame = state.rows.frame
        for key in frame[state.sort.key].head(12):
            row = find_row(state, key)
            assert row is not None
            detail = describe_row(state, row)
            shown = [field["name"] for field in (*detail["brief"], *detail["fields"])] + detail["unset"]
            left_out = {*METADATA, state.sort.key}
            assert sorted(shown) == sorted(set(frame.columns) - left_out)
            assert json.dumps(detail, allow_nan=False).isascii()
            assert all(field["text"].isprintable() for field in (*detail["brief"], *detail["fields"]))
            times = [field["text"] for field in detail["fields"] if field["name"].endswith(("time", "_at"))]
            assert all("UTC (" in text for text in times)
            assert detail["console"].startswith("https://")


def test_the_checkpoints_of_its_run_are_a_timeline() -> None:
    """They are in the order of their steps, marked by what keeps or ends them; of a long run those around the row."""
    state = TableState(make_run(3))
    row = find_row(state, f"tinker://{RUN}/weights/0001")
    assert row is not None
    detail = describe_row(state, row)
    assert [(entry["step"], entry["look"]) for entry in detail["timeline"] or []] == [
        (0, "kept"), (1, "public"), (2, "expiring"),
    ]  # fmt: skip
    assert detail["metadata"] == [["", "lr", "0.1"], ["", "note", "a\\u202eb"]]
    assert detail["code"][0]["text"] == f"service_client.create_training_client_from_state('{detail['key']}')"
    state = TableState(make_run(3 * MOST_ENTRIES))
    for step, first in ((5, 0), (MOST_ENTRIES, MOST_ENTRIES // 2), (3 * MOST_ENTRIES - 1, 2 * MOST_ENTRIES)):
        row = find_row(state, f"tinker://{RUN}/weights/{step:04d}")
        assert row is not None
        timeline = describe_row(state, row)["timeline"] or []
        assert [timeline[0]["step"], len(timeline)] == [first, MOST_ENTRIES]


def test_details_follow_the_rows_and_close(shared_server: DemoServer, client_of) -> None:
    """The details are closed on request, and while another table is shown; a link of theirs opens the table of a related row."""
    client = client_of(shared_server)
    view = HeadlessView(client.inventory(), client)
    view.send("detail", key=view.keys[3])
    assert view.shown["detail"]["key"] == view.keys[3]
    view.send("open", label="run")
    assert (view.state.sort.name, view.shown["detail"]) == ("training_runs", None)
    view.send("back", depth=0)
    assert view.shown["detail"]["key"] == view.keys[3]
    view.send("detail", key="")
    assert view.shown["detail"] is None
    view.send("open", label="run")
    assert "no row" in view.note


def test_what_a_run_has_is_read_when_it_is_opened(shared_server: DemoServer, client_of) -> None:
    """The checkpoints of a run are read when its details are opened, and its samplers on request."""
    client = client_of(shared_server)
    frame = client.training_runs(details=True)
    view = HeadlessView(frame, client)
    samplers = client.samplers().dropna(subset="training_run_id")
    run = str(samplers["training_run_id"].iloc[0])
    view.send("detail", key=run)
    wait_until(lambda: view.shown["detail"]["timeline"])
    assert len(view.shown["detail"]["timeline"]) == len(client.checkpoints(run))
    view.send("samplers")
    wait_until(lambda: view.shown["detail"]["samplers"] is not None)
    assert view.shown["detail"]["samplers"] == samplers.loc[samplers["training_run_id"] == run, "sampler_id"].tolist()


def test_what_is_read_late_is_not_shown_for_another_row(shared_server: DemoServer, client_of) -> None:
    """What was read for a row that was left in the meantime is dropped, and what was read for the present one is kept."""
    client = client_of(shared_server)
    state = TableState(client.training_runs())
    first, second = state.rows.frame["training_run_id"].head(2)
    is_second_shown = threading.Event()

    def get_client() -> tkf.Client:
        if details.key == first:
            is_second_shown.wait(PATIENCE_S)
        return client

    details = Details(get_client, lambda: None)
    details.open(state, first)
    late = details._found
    details.open(state, second)
    wait_until(lambda: (details.to_message(state) or {})["timeline"])
    is_second_shown.set()
    wait_until(lambda: late.checkpoints is not None)
    timeline = (details.to_message(state) or {})["timeline"]
    assert {second in entry["key"] for entry in timeline} == {True}


def test_filters_do_not_send_the_details_again(shared_server: DemoServer, client_of) -> None:
    """A filter leaves the details alone, and a refresh reads what belongs to their row again."""
    client = client_of(shared_server)
    view = HeadlessView(client.training_runs(), client)
    view.send("detail", key=view.keys[0])
    wait_until(lambda: view.shown["detail"]["timeline"])
    view.updates.clear()
    view.send("filter", name="text", value="train")
    assert not any("detail" in parts for parts in view.updates)
    view.send("refresh")
    assert any("detail" in parts for parts in view.updates)
    wait_until(lambda: view.shown["detail"]["timeline"])


@pytest.mark.filterwarnings("ignore::tinker_frames.errors.IncompleteListingWarning")
def test_samplers_that_cannot_be_read_are_said(server: DemoServer, client_of) -> None:
    """Of samplers that are not proved complete, it is said that others may have loaded the row."""
    server.faults.edit = lambda name, body: body | {"sampler_ids": None} if name == "get_session" else body
    client = client_of(server)
    view = HeadlessView(client.checkpoints(), client)
    view.send("detail", key=view.keys[0])
    view.send("samplers")
    wait_until(lambda: view.shown["detail"]["samplers"] is not None)
    assert "others may have loaded it" in view.shown["detail"]["problem"]


def test_what_cannot_be_read_is_said(shared_server: DemoServer, client_of) -> None:
    """An error is shown in the details of the row that it is about, and gone with the next row."""
    client = client_of(shared_server)
    view = HeadlessView(client.inventory(), client)
    view.send("detail", key=view.keys[0])
    client.close()
    view.send("samplers")
    wait_until(lambda: "closed" in view.shown["detail"]["problem"])
    view.send("detail", key=view.keys[1])
    assert view.shown["detail"]["problem"] == ""
    with pytest.raises(InvalidRequestError, match="no row"):
        view.explorer.details.get_row(TableState(make_run(1)))
